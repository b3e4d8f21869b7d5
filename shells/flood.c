// SPDX-License-Identifier: GPL-2.0
/*
 * flood: many packets from many addresses, for labs. It is in every node's PATH.
 *
 *	flood 10.0.0.2 --udp 53 --from 198.51.100.0/24 --pps 20000 --seconds 10
 *
 * netlab tells every shell how many packets a second an interface of its lab
 * may carry (NETLAB_MAX_PPS). Whatever is asked, flood stays below it: the
 * storm guard sets links down that carry more. One flood a node at a time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S	1000000000ULL
#define BATCH_MAX	64
#define PREFIXES_MAX	16
#define SECONDS_MAX	300
#define SAMPLES		65536
#define SHARE_PERCENT	80	/* of what an interface may carry */
#define PPS_UNTOLD	10000	/* when nobody has said what that is */
#define FLOOD_NICE	5	/* where all nodes share a processor, the others get more of it */
#define LATE_NS		(50 * 1000000ULL)
#define NEIGHBOUR_WAIT_MS 2000

#define UDP_PAYLOAD	18	/* with its headers the smallest Ethernet frame */

/* What a Linux client's SYN has: MSS, SACK, timestamps, window scaling. */
static const uint8_t syn_options[] = {
	2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7,
};

struct prefix {
	uint32_t address, hosts;	/* host byte order; hosts: a mask */
};

struct syn {
	struct tcphdr tcp;
	uint8_t options[sizeof(syn_options)];
} __attribute__((packed));

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	union {
		struct {
			struct udphdr udp;
			uint8_t payload[UDP_PAYLOAD];
		} __attribute__((packed));
		struct syn syn;
	};
} __attribute__((packed));

struct order {
	struct in_addr to;
	uint16_t port;
	bool syn;
	uint64_t pps;
	unsigned int seconds;
	struct prefix from[PREFIXES_MAX];
	unsigned int prefixes;
};

struct way {
	char interface[IF_NAMESIZE];
	uint8_t mac[ETH_ALEN], next_mac[ETH_ALEN];
	struct in_addr source, next;
};

static volatile sig_atomic_t stopped;
static uint64_t random_state;
static struct frame frames[BATCH_MAX];
static uint32_t samples[SAMPLES];

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
{
	va_list arguments;

	fputs("flood: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static void __attribute__((noreturn)) usage(void)
{
	fputs("flood ADDRESS --udp PORT|--syn PORT [--from PREFIX,...] [--pps N] [--seconds S]\n"
	      "  --udp PORT     datagrams of 18 bytes\n"
	      "  --syn PORT     the first packet of a TCP connection, each from a new port\n"
	      "  --from PREFIX  addresses that they come from, at random; up to 16 prefixes (its own address)\n"
	      "  --pps N        packets a second (1000); never more than the lab allows\n"
	      "  --seconds S    for how long, up to 300 (10)\n", stderr);
	exit(2);
}

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t now_ns(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * NS_PER_S + at.tv_nsec;
}

/* What was asked. */

static uint64_t number(const char *text, uint64_t least, uint64_t most, const char *what)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < least || value > most)
		fail("%s: a number from %llu to %llu is wanted, not %s", what,
		     (unsigned long long)least, (unsigned long long)most, text);
	return value;
}

static void read_prefixes(struct order *order, char *list)
{
	char *text, *rest = list;

	order->prefixes = 0;
	while ((text = strsep(&rest, ","))) {
		struct prefix *prefix = &order->from[order->prefixes];
		char *slash = strchr(text, '/');
		uint64_t bits = 32;
		struct in_addr address;

		if (order->prefixes++ == PREFIXES_MAX)
			fail("at most %d prefixes", PREFIXES_MAX);
		if (slash) {
			*slash = '\0';
			bits = number(slash + 1, 1, 32, "--from");
		}
		if (inet_pton(AF_INET, text, &address) != 1)
			fail("--from: %s is no IPv4 address", text);
		prefix->hosts = bits == 32 ? 0 : 0xffffffff >> bits;
		prefix->address = ntohl(address.s_addr) & ~prefix->hosts;
	}
}

static void read_order(struct order *order, int argc, char **argv)
{
	static const struct option options[] = {
		{"udp", required_argument, NULL, 'u'}, {"syn", required_argument, NULL, 's'},
		{"from", required_argument, NULL, 'f'}, {"pps", required_argument, NULL, 'p'},
		{"seconds", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'}, {},
	};
	int option;

	order->pps = 1000;
	order->seconds = 10;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'u':
		case 's':
			order->syn = option == 's';
			order->port = number(optarg, 1, 65535, "a port");
			break;
		case 'f':
			read_prefixes(order, optarg);
			break;
		case 'p':
			order->pps = number(optarg, 1, 1000000000, "--pps");
			break;
		case 't':
			order->seconds = number(optarg, 1, SECONDS_MAX, "--seconds");
			break;
		default:
			usage();
		}
	}
	if (!order->port || optind != argc - 1)
		usage();
	if (inet_pton(AF_INET, argv[optind], &order->to) != 1)
		fail("%s is no IPv4 address", argv[optind]);
}

/* The lab's pace. An interface's packets are counted in both directions, and most SYNs are answered. */
static void keep_pace(struct order *order)
{
	const char *told = getenv("NETLAB_MAX_PPS");
	uint64_t carries = told ? number(told, 1, 1000000000, "NETLAB_MAX_PPS") : PPS_UNTOLD;
	uint64_t most = carries * SHARE_PERCENT / 100 / (order->syn ? 2 : 1);

	if (order->pps <= most)
		return;
	fprintf(stderr, "flood: %llu a second instead of %llu, because an interface of this lab may carry %llu%s.\n",
		(unsigned long long)most, (unsigned long long)order->pps, (unsigned long long)carries,
		order->syn ? ", and each SYN has an answer" : "");
	order->pps = most;
}

/* Names of this kind belong to the network namespace, and go with the process. */
static void be_the_only_one(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0netlab-flood"};
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0 || bind(sock, (struct sockaddr *)&name, offsetof(struct sockaddr_un, sun_path) + 13))
		fail(errno == EADDRINUSE ? "one is under way in this node; end it first" : "%m");
}

/* The way there. */

static void find_route(struct way *way, struct in_addr to)
{
	FILE *table = fopen("/proc/net/route", "re");
	unsigned int to_net, via, mask, flags;
	char line[256], interface[IF_NAMESIZE];
	int64_t best = -1;

	if (!table)
		fail("/proc/net/route: %m");
	while (fgets(line, sizeof(line), table)) {
		if (sscanf(line, "%15s %x %x %x %*d %*d %*d %x", interface, &to_net, &via, &flags, &mask) != 5)
			continue;
		if ((to.s_addr & mask) != to_net || (int64_t)ntohl(mask) <= best)
			continue;
		best = ntohl(mask);
		way->next.s_addr = via ? via : to.s_addr;
		strcpy(way->interface, interface);
	}
	fclose(table);
	if (best < 0)
		fail("there is no route to %s", inet_ntoa(to));
}

static bool read_neighbour(struct way *way)
{
	FILE *table = fopen("/proc/net/arp", "re");
	char line[256], address[64], interface[IF_NAMESIZE];
	uint8_t *mac = way->next_mac;
	unsigned int flags;
	bool found = false;

	if (!table)
		fail("/proc/net/arp: %m");
	while (!found && fgets(line, sizeof(line), table)) {
		if (sscanf(line, "%63s %*s %x %hhx:%hhx:%hhx:%hhx:%hhx:%hhx %*s %15s", address, &flags,
			   &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5], interface) != 9)
			continue;
		found = flags & 2 && !strcmp(interface, way->interface) && inet_addr(address) == way->next.s_addr;
	}
	fclose(table);
	return found;
}

/* A datagram to the discard port makes the kernel ask for the next one's address. */
static void find_way(struct way *way, struct in_addr to)
{
	struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = to}, here;
	socklen_t length = sizeof(here);
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	find_route(way, to);
	if (sock < 0 || connect(sock, (struct sockaddr *)&there, sizeof(there)) ||
	    getsockname(sock, (struct sockaddr *)&here, &length))
		fail("%s: %m", inet_ntoa(to));
	way->source = here.sin_addr;
	send(sock, "", 0, 0);
	for (int ms = 0; !read_neighbour(way); ms += 10) {
		if (ms >= NEIGHBOUR_WAIT_MS)
			fail("%s does not answer to ARP on %s", inet_ntoa(way->next), way->interface);
		usleep(10000);
	}
	close(sock);
}

static int open_socket(struct way *way)
{
	struct sockaddr_ll name = {.sll_family = AF_PACKET};
	socklen_t length = sizeof(name);
	int sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	name.sll_ifindex = if_nametoindex(way->interface);
	if (sock < 0 || bind(sock, (struct sockaddr *)&name, sizeof(name)) ||
	    getsockname(sock, (struct sockaddr *)&name, &length))
		fail("%s: %m", way->interface);
	memcpy(way->mac, name.sll_addr, ETH_ALEN);
	return sock;
}

/* Packets. */

static uint32_t sum(uint32_t so_far, const void *data, size_t length)
{
	const uint16_t *words = data;

	for (; length > 1; length -= 2)
		so_far += *words++;
	return so_far;
}

static uint16_t fold(uint32_t value)
{
	value = (value & 0xffff) + (value >> 16);
	value = (value & 0xffff) + (value >> 16);
	return ~value;
}

static size_t make_frame(struct frame *frame, const struct order *order, const struct way *way)
{
	size_t above = order->syn ? sizeof(frame->syn) : sizeof(struct udphdr) + UDP_PAYLOAD;

	memset(frame, 0, sizeof(*frame));
	memcpy(frame->eth.h_dest, way->next_mac, ETH_ALEN);
	memcpy(frame->eth.h_source, way->mac, ETH_ALEN);
	frame->eth.h_proto = htons(ETH_P_IP);
	frame->ip = (struct iphdr){
		.version = 4, .ihl = 5, .ttl = 64, .tot_len = htons(sizeof(frame->ip) + above),
		.protocol = order->syn ? IPPROTO_TCP : IPPROTO_UDP, .daddr = order->to.s_addr,
	};
	if (order->syn) {
		frame->syn.tcp = (struct tcphdr){
			.dest = htons(order->port), .doff = sizeof(frame->syn) / 4, .syn = 1, .window = htons(64240),
		};
		memcpy(frame->syn.options, syn_options, sizeof(syn_options));
	} else {
		frame->udp.dest = htons(order->port);
		frame->udp.len = htons(above);	/* no checksum: IPv4 allows it */
	}
	return sizeof(frame->eth) + sizeof(frame->ip) + above;
}

static void renew(struct frame *frame, const struct order *order)
{
	uint64_t dice = random64();
	const struct prefix *prefix = &order->from[(dice >> 56) % order->prefixes];
	uint16_t port = htons(1024 + (dice >> 32) % 64000);

	frame->ip.saddr = htonl(prefix->address | ((uint32_t)dice & prefix->hosts));
	frame->ip.check = 0;
	frame->ip.check = fold(sum(0, &frame->ip, sizeof(frame->ip)));
	if (!order->syn) {
		frame->udp.source = port;
		return;
	}
	frame->syn.tcp.source = port;
	frame->syn.tcp.seq = dice >> 16;
	frame->syn.tcp.check = 0;
	frame->syn.tcp.check = fold(sum(sum(htons(IPPROTO_TCP) + htons(sizeof(frame->syn)), &frame->ip.saddr, 8),
					&frame->syn, sizeof(frame->syn)));
}

/* Sending. */

static void wait_until(uint64_t at)
{
	struct timespec until = {.tv_sec = at / NS_PER_S, .tv_nsec = at % NS_PER_S};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static uint64_t send_all(int sock, const struct order *order, const struct way *way, uint64_t *batches)
{
	unsigned int batch = order->pps / 500;
	struct mmsghdr messages[BATCH_MAX] = {};
	struct iovec parts[BATCH_MAX];
	uint64_t interval, next, end, sent = 0;

	batch = batch < 1 ? 1 : batch > BATCH_MAX ? BATCH_MAX : batch;
	interval = batch * NS_PER_S / order->pps;
	for (unsigned int i = 0; i < batch; i++) {
		parts[i] = (struct iovec){&frames[i], make_frame(&frames[i], order, way)};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
	next = now_ns();
	end = next + order->seconds * NS_PER_S;
	while (!stopped && next < end) {
		uint64_t began, took;
		int done;

		for (unsigned int i = 0; i < batch; i++)
			renew(&frames[i], order);
		wait_until(next);
		began = now_ns();
		done = sendmmsg(sock, messages, batch, 0);
		if (done < 0 && errno != EINTR && errno != ENOBUFS && errno != EAGAIN)
			fail("%s: %m", way->interface);
		took = now_ns() - began;
		if (done > 0) {
			sent += done;
			samples[(*batches)++ % SAMPLES] = took / done;
		}
		next += interval;
		if (began > next + LATE_NS)	/* what was missed is not made good: it would come too fast */
			next = began;
	}
	if (!stopped)
		wait_until(end);
	return sent;
}

static int by_value(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
	static struct order order;
	static struct way way;
	uint64_t began, took_ms, sent, batches = 0;
	int sock;

	read_order(&order, argc, argv);
	keep_pace(&order);
	be_the_only_one();
	find_way(&way, order.to);
	if (!order.prefixes) {
		order.from[0] = (struct prefix){.address = ntohl(way.source.s_addr)};
		order.prefixes = 1;
	}
	sock = open_socket(&way);
	while (!random_state)
		if (getrandom(&random_state, sizeof(random_state), 0) < 0)
			fail("%m");
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	prctl(PR_SET_TIMERSLACK, 1);
	setpriority(PRIO_PROCESS, 0, FLOOD_NICE);

	began = now_ns();
	sent = send_all(sock, &order, &way, &batches);
	took_ms = (now_ns() - began) / 1000000;
	if (batches > SAMPLES)
		batches = SAMPLES;
	qsort(samples, batches, sizeof(samples[0]), by_value);
	printf("%llu packets in %llu.%llu s: %llu a second, %u ns each\n", (unsigned long long)sent,
	       (unsigned long long)took_ms / 1000, (unsigned long long)took_ms % 1000 / 100,
	       (unsigned long long)(took_ms ? sent * 1000 / took_ms : 0), batches ? samples[batches / 10] : 0);
	return 0;
}
