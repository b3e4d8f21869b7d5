// SPDX-License-Identifier: GPL-2.0
/*
 * What happens to packets inside the labs of this machine, counted where it happens: drops by reason, place and interface,
 * and events that no other counter of the kernel tells by network namespace.
 *
 * One object for all labs. Whose packet it is says the cookie of its network namespace; namespaces that are no lab's cost a
 * look-up and nothing more. The sampler reads the slots as memory (BPF_F_MMAPABLE): no system call per sample. No packet is
 * changed and none is looked into. The layout is known to netlab/host/counters/slots.py.
 */
#include "kernel.h"

char LICENSE[] SEC("license") = "GPL";

#define SLOTS 2048		/* the sampler asks for fewer where there is little memory */
#define ROWS 64			/* a power of two */
#define PROBES 16
#define PLACES 1024
#define PLACE_CHARS 48
#define PAGE_POOL_HOLD 0x80000000u
#define PAGE_POOL_RELEASE 0x80000001u
#define REFDST_POINTER (~1ul)
#define AF_UNIX 1
#define AF_NETLINK 16

/* The order is that of slots.EVENTS. */
enum event {
	TCP_RETRANSMITS, TCP_RESETS_SENT, TCP_RESETS_RECEIVED, UDP_QUEUE_FAILURES, RECEIVE_QUEUE_FULL, ICMP_SENT,
	NEIGHBOUR_UPDATES, XDP_EXCEPTIONS, XDP_REDIRECTS, XDP_REDIRECT_ERRORS, XDP_DEVMAP_SENT, XDP_DEVMAP_DROPS,
	EVENTS = 14,
};

/* What happened so often: a drop's reason, or a page pool's side. A row is whole once its place is there. */
struct row {
	__u64 tag;
	__u64 count;
	__u32 ifindex;
	__u32 what;
	__u64 place;
};

struct slot {
	__u64 changes;		/* grows with everything else: a reader who knows it need not read on */
	__u64 without_row;	/* drops that found none free */
	__u64 events[EVENTS];
	struct row rows[ROWS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

/* A namespace's cookie, which is never given again, and its slot. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * SLOTS);
	__type(key, __u64);
	__type(value, __u32);
} numbers SEC(".maps");

/* The kernel's name of each place that a drop was seen at. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PLACES);
	__type(key, __u64);
	__type(value, char[PLACE_CHARS]);
} places SEC(".maps");

static __always_inline int is_kernel_address(const void *pointer)
{
	return (long)pointer < 0;
}

static __always_inline __u64 cookie_of_device(const struct net_device *device)
{
	return is_kernel_address(device) ? BPF_CORE_READ(device, nd_net.net, net_cookie) : 0;
}

static __always_inline __u64 cookie_of_socket(const struct sock *sk)
{
	return is_kernel_address(sk) ? BPF_CORE_READ(sk, __sk_common.skc_net.net, net_cookie) : 0;
}

/* What local sockets say to each other is made of the same buffers, but no packet. */
static __always_inline int is_local(const struct sock *sk)
{
	__u16 family = is_kernel_address(sk) ? BPF_CORE_READ(sk, __sk_common.skc_family) : 0;

	return family == AF_UNIX || family == AF_NETLINK;
}

static __always_inline struct slot *slot_of(__u64 cookie)
{
	__u32 *number = bpf_map_lookup_elem(&numbers, &cookie);

	return number ? bpf_map_lookup_elem(&slots, number) : 0;
}

static __always_inline void count_event(struct slot *slot, enum event event, __u64 by)
{
	if (!slot)
		return;
	__sync_fetch_and_add(&slot->events[event], by);
	__sync_fetch_and_add(&slot->changes, 1);
}

/* skb->dev shares its room with UDP's notes on a queued packet; what it was routed to is the next best. */
static __always_inline struct net_device *device_of(const struct sk_buff *skb)
{
	struct net_device *device = BPF_CORE_READ(skb, dev);
	struct dst_entry *dst;

	if (is_kernel_address(device))
		return device;
	dst = (struct dst_entry *)(BPF_CORE_READ(skb, _skb_refdst) & REFDST_POINTER);
	return is_kernel_address(dst) ? BPF_CORE_READ(dst, dev) : 0;
}

static __always_inline struct slot *slot_of_packet(const struct sk_buff *skb)
{
	struct slot *slot = slot_of(cookie_of_device(device_of(skb)));

	return slot ? slot : slot_of(cookie_of_socket(BPF_CORE_READ(skb, sk)));
}

/* The name is the kernel's own (%ps): nobody has to read /proc/kallsyms. */
static __noinline int name_place(__u64 place)
{
	static const char format[] = "%ps";
	char name[PLACE_CHARS] = {};
	__u64 words[] = { place };

	if (!bpf_map_lookup_elem(&places, &place)) {
		bpf_snprintf(name, sizeof(name), format, words, sizeof(words));
		bpf_map_update_elem(&places, &place, name, BPF_NOEXIST);
	}
	return 0;
}

/* A row is looked for from where its tag says, so one that the sampler has emptied may make a second of the same: it adds up. */
static __always_inline void count_row(struct slot *slot, __u32 ifindex, __u32 what, __u64 place)
{
	__u64 tag = ((place ^ (__u64)what << 40) * 0x9e3779b97f4a7c15ull + ifindex) * 0xbf58476d1ce4e5b9ull | 1;
	__u32 first = tag >> 32, i;
	struct row *row;
	__u64 there;

	for (i = 0; i < PROBES; i++) {
		row = &slot->rows[(first + i) & (ROWS - 1)];
		there = row->tag;
		if (!there)
			there = __sync_val_compare_and_swap(&row->tag, 0, tag);
		if (there == tag)
			goto count;
		if (!there)
			goto take;
	}
	__sync_fetch_and_add(&slot->without_row, 1);
	goto out;
take:
	row->ifindex = ifindex;
	row->what = what;
	if (what < PAGE_POOL_HOLD)
		name_place(place);	/* before anybody sees the row and asks for the name */
	barrier();
	row->place = place;
count:
	__sync_fetch_and_add(&row->count, 1);
out:
	__sync_fetch_and_add(&slot->changes, 1);
}

static __always_inline int count_drop(const struct sk_buff *skb, __u64 place, __u32 reason, const struct sock *receiver)
{
	struct net_device *device = device_of(skb);
	__u64 of_device = cookie_of_device(device);
	__u64 cookie = cookie_of_socket(receiver);
	const struct sock *sender;
	struct slot *slot;

	if (!cookie)
		cookie = of_device;
	if (!of_device) {
		sender = BPF_CORE_READ(skb, sk);
		if (is_local(sender) || is_local(receiver))
			return 0;
		if (!cookie)
			cookie = cookie_of_socket(sender);
	}
	slot = slot_of(cookie);
	if (slot)
		count_row(slot, of_device == cookie ? BPF_CORE_READ(device, ifindex) : 0, reason, place);
	return 0;
}

SEC("raw_tp/kfree_skb")
int drop(struct bpf_raw_tracepoint_args *ctx)
{
	return count_drop((void *)ctx->args[0], ctx->args[1], ctx->args[2], (void *)ctx->args[3]);
}

/* Before Linux 6.11 the kernel does not say whose socket it was for. */
SEC("raw_tp/kfree_skb")
int drop_of_old_kernel(struct bpf_raw_tracepoint_args *ctx)
{
	return count_drop((void *)ctx->args[0], ctx->args[1], ctx->args[2], 0);
}

SEC("raw_tp/tcp_retransmit_skb")
int tcp_retransmit(struct bpf_raw_tracepoint_args *ctx)
{
	count_event(slot_of(cookie_of_socket((void *)ctx->args[0])), TCP_RETRANSMITS, 1);
	return 0;
}

/* Without a socket it answers a packet that nobody waited for. */
SEC("raw_tp/tcp_send_reset")
int tcp_reset_sent(struct bpf_raw_tracepoint_args *ctx)
{
	struct slot *slot = slot_of(cookie_of_socket((void *)ctx->args[0]));

	if (!slot && ctx->args[1])
		slot = slot_of_packet((void *)ctx->args[1]);
	count_event(slot, TCP_RESETS_SENT, 1);
	return 0;
}

SEC("raw_tp/tcp_receive_reset")
int tcp_reset_received(struct bpf_raw_tracepoint_args *ctx)
{
	count_event(slot_of(cookie_of_socket((void *)ctx->args[0])), TCP_RESETS_RECEIVED, 1);
	return 0;
}

SEC("raw_tp/udp_fail_queue_rcv_skb")
int udp_queue_failed(struct bpf_raw_tracepoint_args *ctx)
{
	count_event(slot_of(cookie_of_socket((void *)ctx->args[1])), UDP_QUEUE_FAILURES, 1);
	return 0;
}

SEC("raw_tp/sock_rcvqueue_full")
int receive_queue_full(struct bpf_raw_tracepoint_args *ctx)
{
	count_event(slot_of(cookie_of_socket((void *)ctx->args[0])), RECEIVE_QUEUE_FULL, 1);
	return 0;
}

SEC("raw_tp/icmp_send")
int icmp_sent(struct bpf_raw_tracepoint_args *ctx)
{
	count_event(slot_of_packet((void *)ctx->args[0]), ICMP_SENT, 1);
	return 0;
}

SEC("raw_tp/neigh_update")
int neighbour_updated(struct bpf_raw_tracepoint_args *ctx)
{
	struct neighbour *neighbour = (void *)ctx->args[0];

	count_event(slot_of(cookie_of_device(BPF_CORE_READ(neighbour, dev))), NEIGHBOUR_UPDATES, 1);
	return 0;
}

SEC("raw_tp/xdp_exception")
int xdp_exception(struct bpf_raw_tracepoint_args *ctx)
{
	count_event(slot_of(cookie_of_device((void *)ctx->args[0])), XDP_EXCEPTIONS, 1);
	return 0;
}

SEC("raw_tp/xdp_redirect")
int xdp_redirect(struct bpf_raw_tracepoint_args *ctx)
{
	count_event(slot_of(cookie_of_device((void *)ctx->args[0])), XDP_REDIRECTS, 1);
	return 0;
}

SEC("raw_tp/xdp_redirect_err")
int xdp_redirect_failed(struct bpf_raw_tracepoint_args *ctx)
{
	count_event(slot_of(cookie_of_device((void *)ctx->args[0])), XDP_REDIRECT_ERRORS, 1);
	return 0;
}

/* Counted where the packets arrive: what a devmap is for is to leave a node. */
SEC("raw_tp/xdp_devmap_xmit")
int xdp_devmap_sent(struct bpf_raw_tracepoint_args *ctx)
{
	struct slot *slot = slot_of(cookie_of_device((void *)ctx->args[1]));
	int sent = ctx->args[2], drops = ctx->args[3];

	if (sent > 0)
		count_event(slot, XDP_DEVMAP_SENT, sent);
	if (drops > 0)
		count_event(slot, XDP_DEVMAP_DROPS, drops);
	return 0;
}

/* A veth's pool knows its device by the `struct device` inside it alone. */
static __always_inline int count_page(const struct page_pool *pool, __u32 what)
{
	struct device *inside = BPF_CORE_READ(pool, p.dev);
	struct net_device *device;
	struct slot *slot;

	if (!is_kernel_address(inside))
		return 0;
	device = (void *)inside - bpf_core_field_offset(struct net_device, dev);
	slot = slot_of(cookie_of_device(device));
	if (slot)
		count_row(slot, BPF_CORE_READ(device, ifindex), what, 1);
	return 0;
}

SEC("raw_tp/page_pool_state_hold")
int page_held(struct bpf_raw_tracepoint_args *ctx)
{
	return count_page((void *)ctx->args[0], PAGE_POOL_HOLD);
}

SEC("raw_tp/page_pool_state_release")
int page_released(struct bpf_raw_tracepoint_args *ctx)
{
	return count_page((void *)ctx->args[0], PAGE_POOL_RELEASE);
}
