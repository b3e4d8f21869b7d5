// SPDX-License-Identifier: GPL-2.0
/*
 * How long packets of one run take for each stage of their way, in powers of two of a nanosecond, by node. Packets of other
 * namespaces cost a look-up each and nothing more. Read once a second by bcc_process.py; STAGES are in its order.
 */
#define FORGET_AFTER_NS 10000000000ull	/* a stamp that old is of another packet with the same headers */

enum stage { QUEUE, WIRE, STACK, FORWARD, WHOLE, STAGES };

struct flight {
	u64 first, queued, sent, received;
	u32 receiver;
};

BPF_TABLE("lru_hash", u64, struct flight, flights, 16384);
BPF_ARRAY(counts, u64, NODES * STAGES * BUCKETS);

static inline void count(u32 node, enum stage stage, u64 since, u64 now)
{
	u64 took = now - since;
	u32 at, bucket = 0;
	u64 *times;

	if (!since || node >= NODES || took > FORGET_AFTER_NS)
		return;
	bucket = bpf_log2l(took);		/* 1 for 1 ns */
	if (bucket >= BUCKETS)
		bucket = BUCKETS - 1;
	at = (node * STAGES + stage) * BUCKETS + bucket;
	times = counts.lookup(&at);
	if (times)
		__sync_fetch_and_add(times, 1);
}

int nl_queue(struct bpf_raw_tracepoint_args *ctx)
{
	u64 skb = ctx->args[0], now = bpf_ktime_get_ns();
	u32 node = node_of_device(FIELD(u64, skb, OFFSET_SKB_DEV));
	struct flight *known, new = {};
	struct packet packet = {};

	if (node == NODE_NONE)
		return 0;
	identify(skb, 0, &packet);
	known = flights.lookup(&packet.key);
	if (known && known->received && known->receiver == node) {
		count(node, FORWARD, known->received, now);
		known->received = 0;
		known->queued = now;
		return 0;
	}
	new.first = new.queued = now;
	flights.update(&packet.key, &new);
	return 0;
}

int nl_xmit(struct bpf_raw_tracepoint_args *ctx)
{
	u64 now = bpf_ktime_get_ns();
	u32 node = node_of_device(ctx->args[1]);
	struct packet packet = {};
	struct flight *known;

	if (node == NODE_NONE)
		return 0;
	identify(ctx->args[0], 0, &packet);
	known = flights.lookup(&packet.key);
	if (!known || known->received)
		return 0;
	count(node, QUEUE, known->queued, now);
	known->sent = now;
	return 0;
}

int nl_receive(struct bpf_raw_tracepoint_args *ctx)
{
	u64 skb = ctx->args[0], now = bpf_ktime_get_ns();
	u32 node = node_of_device(FIELD(u64, skb, OFFSET_SKB_DEV));
	struct packet packet = {};
	struct flight *known;

	if (node == NODE_NONE)
		return 0;
	identify(skb, 1, &packet);
	known = flights.lookup(&packet.key);
	if (!known || known->received)
		return 0;
	count(node, WIRE, known->sent, now);
	known->sent = 0;
	known->received = now;
	known->receiver = node;
	arrive(node, &packet);
	return 0;
}

static inline void arrived(u64 key)
{
	struct flight *known = flights.lookup(&key);
	u64 now = bpf_ktime_get_ns();

	if (!known || !known->received)
		return;
	count(known->receiver, STACK, known->received, now);
	count(known->receiver, WHOLE, known->first, now);
	flights.delete(&key);
}

/* Copied to a program, or used up by the kernel itself: an echo request, a TCP acknowledgement. */
static inline int taken(u64 skb)
{
	struct packet packet = {};

	if (is_foreign(FIELD(u64, skb, OFFSET_SKB_DEV)) || is_tap(skb))
		return 0;
	identify(skb, 0, &packet);
	arrived(packet.key);
	return 0;
}

int nl_copied(struct bpf_raw_tracepoint_args *ctx)
{
	return taken(ctx->args[0]);
}

int nl_consumed(struct bpf_raw_tracepoint_args *ctx)
{
	return taken(ctx->args[0]);
}

int nl_read(struct bpf_raw_tracepoint_args *ctx)
{
	u32 node = (int)ctx->args[1] < 0 ? NODE_NONE : node_of_socket(ctx->args[0]);

	if (node != NODE_NONE)
		arrived(read_from(ctx->args[0], node));
	return 0;
}

/* What a raw socket was given a copy of may be dropped and taken all the same; a datagram that is dropped will not be read. */
int nl_dropped(struct bpf_raw_tracepoint_args *ctx)
{
	struct packet packet = {};
	struct flight *known;

	if (is_foreign(FIELD(u64, ctx->args[0], OFFSET_SKB_DEV)) || is_tap(ctx->args[0]))
		return 0;
	identify(ctx->args[0], 0, &packet);
	known = flights.lookup(&packet.key);
	if (known && known->received)
		forget(known->receiver, &packet);
	return 0;
}
