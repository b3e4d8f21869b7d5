/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What both traces know of a packet: whose it is, and which one it is wherever it shows up. Compiled by bcc together with the
 * text of one mode; OFFSET_* come from the running kernel's BTF, because bcc knows no other way to a kernel without headers.
 *
 * A packet is known by what its headers say and nobody on its way changes. So it is the same one before and after a veth with
 * an XDP program, which copies it, and a receiver's clone of it is it, too. Nothing of it is kept but a number made of that.
 */
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define AF_PACKET 17
#define HEAD_WORDS 6
#define IPV4_BYTES 20
#define IPV6_BYTES 40
#define NODE_NONE 0xffffu

struct packet {
	u64 key;
	u16 protocol;		/* of Ethernet */
	u16 port;		/* of UDP: where it goes */
	u8 transport;		/* of IP */
};

/* A node's number, by its network namespace's cookie. */
BPF_HASH(nodes, u64, u32, 256);

#define FIELD(type, base, offset) ({ type _v = 0; bpf_probe_read_kernel(&_v, sizeof(_v), (char *)(base) + (offset)); _v; })

static inline int is_kernel(u64 pointer)
{
	return (s64)pointer < 0;
}

static inline u32 node_of_net(u64 net)
{
	u64 cookie;
	u32 *node;

	if (!is_kernel(net))
		return NODE_NONE;
	cookie = FIELD(u64, net, OFFSET_NET_COOKIE);
	node = nodes.lookup(&cookie);
	return node ? *node : NODE_NONE;
}

static inline u32 node_of_device(u64 device)
{
	return is_kernel(device) ? node_of_net(FIELD(u64, device, OFFSET_DEVICE_NET)) : NODE_NONE;
}

static inline u32 node_of_socket(u64 sk)
{
	return is_kernel(sk) ? node_of_net(FIELD(u64, sk, OFFSET_SOCK_NET)) : NODE_NONE;
}

/* Surely of no node of the run: most packets of a machine, so this is asked first. A device that is not known says nothing. */
static inline int is_foreign(u64 device)
{
	return is_kernel(device) && node_of_device(device) == NODE_NONE;
}

/* A copy that was made for tcpdump, or for a capture: what becomes of it is not the packet's way. */
static inline int is_tap(u64 skb)
{
	u64 sk = FIELD(u64, skb, OFFSET_SKB_SK);

	return is_kernel(sk) && FIELD(u16, sk, OFFSET_SOCK_FAMILY) == AF_PACKET;
}

static inline u16 swap16(u16 value)
{
	return value << 8 | value >> 8;
}

/* `at_data`: it has just been received, so its network header is where its data begins. */
static inline void identify(u64 skb, int at_data, struct packet *packet)
{
	u64 words[HEAD_WORDS + 2] = {}, key = 0x9e3779b97f4a7c15ull;
	u8 *bytes = (u8 *)words;
	u64 head;
	u32 length = 28, i;

	head = at_data ? FIELD(u64, skb, OFFSET_SKB_DATA)
		: FIELD(u64, skb, OFFSET_SKB_HEAD) + FIELD(u16, skb, OFFSET_SKB_NETWORK_HEADER);
	packet->protocol = swap16(FIELD(u16, skb, OFFSET_SKB_PROTOCOL));
	packet->transport = packet->port = 0;
	bpf_probe_read_kernel(words, IPV4_BYTES, (void *)head);
	if (packet->protocol == ETH_P_IP && bytes[0] >> 4 == 4) {
		packet->transport = bytes[9];
		length = swap16(*(u16 *)(bytes + 2));
		if (length > IPV4_BYTES + (packet->transport == IPPROTO_TCP ? 16 : 8))
			length = IPV4_BYTES + (packet->transport == IPPROTO_TCP ? 16 : 8);
	} else if (packet->protocol == ETH_P_IPV6 && bytes[0] >> 4 == 6) {
		packet->transport = bytes[6];
		length = IPV6_BYTES + 8;
	}
	if (length > HEAD_WORDS * 8)
		length = HEAD_WORDS * 8;
	bpf_probe_read_kernel(words, length & 63, (void *)head);
	if (packet->protocol == ETH_P_IP) {
		bytes[1] = 0;				/* class, which carries congestion marks */
		bytes[8] = 0;				/* time to live */
		bytes[10] = bytes[11] = 0;		/* checksums: the card may have to fill them in */
		if (packet->transport == IPPROTO_UDP) {
			packet->port = swap16(*(u16 *)(bytes + 22));
			bytes[26] = bytes[27] = 0;
		}
		if (packet->transport == IPPROTO_TCP) {
			bytes[2] = bytes[3] = 0;	/* length: large ones are cut and put together on the way */
			bytes[36] = bytes[37] = 0;
		}
	} else if (packet->protocol == ETH_P_IPV6) {
		bytes[0] = bytes[1] = 0;
		bytes[7] = 0;
		if (packet->transport == IPPROTO_TCP)
			bytes[4] = bytes[5] = 0;
		if (packet->transport == IPPROTO_UDP) {
			packet->port = swap16(*(u16 *)(bytes + 42));
			bytes[46] = bytes[47] = 0;
		}
	}
#pragma unroll
	for (i = 0; i < HEAD_WORDS; i++)
		key = (key ^ words[i]) * 0xbf58476d1ce4e5b9ull, key ^= key >> 29;
	packet->key = key;
}

/*
 * A program that reads a datagram is not seen doing it: newer kernels put the buffer away for later. But that something was read
 * from a socket is told, and datagrams are read in the order in which they came.
 */
#define WAITING 16	/* a power of two */

struct door {
	u32 node, port;
};

struct waiting {
	u32 head, tail;
	u64 keys[WAITING];
};

BPF_TABLE("lru_hash", struct door, struct waiting, doors, 1024);

static inline void arrive(u32 node, struct packet *packet)
{
	struct door door = { node, packet->port };
	struct waiting *waiting, none = {};

	if (packet->transport != IPPROTO_UDP)
		return;
	waiting = doors.lookup_or_try_init(&door, &none);
	if (!waiting)
		return;
	waiting->keys[waiting->tail & (WAITING - 1)] = packet->key;
	waiting->tail++;
	if (waiting->tail - waiting->head > WAITING)
		waiting->head = waiting->tail - WAITING;
}

/* It will not be read. */
static inline void forget(u32 node, struct packet *packet)
{
	struct door door = { node, packet->port };
	struct waiting *waiting;
	int i;

	if (packet->transport != IPPROTO_UDP)
		return;
	waiting = doors.lookup(&door);
	if (!waiting)
		return;
	for (i = 0; i < WAITING; i++)
		if (waiting->keys[i] == packet->key)
			waiting->keys[i] = 0;
}

/* The key of the datagram that a program has just read from this socket; 0: of none that is known. */
static inline u64 read_from(u64 sk, u32 node)
{
	struct door door = { node, FIELD(u16, sk, OFFSET_SOCK_PORT) };
	struct waiting *waiting;
	u64 key = 0;
	int i;

	if (FIELD(u16, sk, OFFSET_SOCK_PROTOCOL) != IPPROTO_UDP)
		return 0;
	waiting = doors.lookup(&door);
	if (!waiting)
		return 0;
	for (i = 0; i < WAITING && !key && waiting->head != waiting->tail; i++) {
		key = waiting->keys[waiting->head & (WAITING - 1)];
		waiting->head++;
	}
	return key;
}
