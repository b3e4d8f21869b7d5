// SPDX-License-Identifier: GPL-2.0
/*
 * The way of the next few packets that somebody wants to see: where the kernel tells of them, when, and how it ended. A packet
 * is chosen where it is first seen (WANTED_NODE, WANTED_PROTOCOL; -1: any); then it is known wherever it goes in the run.
 */
#define STEPS_MAX 64
#define ETH_P_ARP 0x0806
#define NAME_CHARS 16

/* In bcc_process.py's order. */
enum point { QUEUED, QDISC_IN, QDISC_OUT, SENT, HANDED_OVER, RECEIVED, COPIED, CONSUMED, DROPPED };

struct followed {
	u32 number, node, steps;
};

struct step {
	u64 at, place;
	u32 number, point, node, reason, bytes, protocol, transport;
	char device[NAME_CHARS];
};

BPF_HASH(packets, u64, struct followed, 256);
BPF_ARRAY(chosen, u32, 1);
BPF_HASH(given, u32, u32, WANTED_PACKETS);
BPF_RINGBUF_OUTPUT(steps, 64);

static inline int is_wanted(struct packet *packet, u32 node)
{
	if (WANTED_NODE >= 0 && node != (u32)WANTED_NODE)
		return 0;
	if (WANTED_PROTOCOL < 0)
		return 1;
	if (WANTED_PROTOCOL == ETH_P_ARP)
		return packet->protocol == ETH_P_ARP;
	if (WANTED_PROTOCOL == 1 && packet->transport == 58)	/* ICMPv6 */
		return 1;
	return packet->transport == WANTED_PROTOCOL && packet->protocol != ETH_P_ARP;
}

/* The number of a new one, from 1; 0: there are enough. Two processors may want the same: a number is given out once. */
static inline u32 choose(void)
{
	u32 *last, zero = 0, one = 1, i;

	last = chosen.lookup(&zero);
	if (!last || *last >= WANTED_PACKETS)
		return 0;
	for (i = 1; i <= WANTED_PACKETS; i++) {
		u32 number = i;		/* the loop's own is kept in a register, where every verifier sees it grow */

		if (!given.insert(&number, &one)) {
			*last = i;
			return i;
		}
	}
	return 0;
}

static inline int tell(u64 skb, enum point point, u64 device, int at_data, u32 reason, u64 place)
{
	struct packet packet = {};
	struct followed *known, new = {};
	struct step step = {};
	u32 node;

	node = node_of_device(device);
	if ((node == NODE_NONE && is_kernel(device)) || is_tap(skb))
		return 0;
	step.at = bpf_ktime_get_ns();
	identify(skb, at_data, &packet);
	known = packets.lookup(&packet.key);
	if (point == RECEIVED && node != NODE_NONE)
		arrive(node, &packet);
	if (point == DROPPED && node != NODE_NONE)
		forget(node, &packet);
	if (!known) {
		if ((point != QUEUED && point != RECEIVED) || node == NODE_NONE || !is_wanted(&packet, node))
			return 0;
		new.number = choose();
		if (!new.number)
			return 0;
		new.node = node;
		packets.update(&packet.key, &new);
		known = packets.lookup(&packet.key);
		if (!known)
			return 0;
	}
	if (known->steps >= STEPS_MAX)
		return 0;
	known->steps++;
	if (node == NODE_NONE) {	/* a waiting packet's device may be written over; it is where it was */
		node = node_of_socket(FIELD(u64, skb, OFFSET_SKB_SK));
		if (node == NODE_NONE)
			node = known->node;
	} else {
		bpf_probe_read_kernel(step.device, sizeof(step.device), (void *)(device + OFFSET_DEVICE_NAME));
	}
	known->node = node;
	step.number = known->number;
	step.point = point;
	step.node = node;
	step.reason = reason;
	step.place = place;
	step.bytes = FIELD(u32, skb, OFFSET_SKB_LEN);
	step.protocol = packet.protocol;
	step.transport = packet.transport;
	steps.ringbuf_output(&step, sizeof(step), 0);
	return 0;
}

#define DEVICE(skb) FIELD(u64, skb, OFFSET_SKB_DEV)

int nl_queue(struct bpf_raw_tracepoint_args *ctx)
{
	return tell(ctx->args[0], QUEUED, DEVICE(ctx->args[0]), 0, 0, 0);
}

int nl_qdisc_in(struct bpf_raw_tracepoint_args *ctx)
{
	return tell(ctx->args[2], QDISC_IN, DEVICE(ctx->args[2]), 0, 0, 0);
}

int nl_qdisc_out(struct bpf_raw_tracepoint_args *ctx)
{
	return ctx->args[3] ? tell(ctx->args[3], QDISC_OUT, DEVICE(ctx->args[3]), 0, 0, 0) : 0;
}

int nl_xmit(struct bpf_raw_tracepoint_args *ctx)
{
	return tell(ctx->args[0], SENT, ctx->args[1], 0, 0, 0);
}

int nl_handed_over(struct bpf_raw_tracepoint_args *ctx)
{
	return tell(ctx->args[0], HANDED_OVER, DEVICE(ctx->args[0]), 1, 0, 0);
}

int nl_receive(struct bpf_raw_tracepoint_args *ctx)
{
	return tell(ctx->args[0], RECEIVED, DEVICE(ctx->args[0]), 1, 0, 0);
}

int nl_copied(struct bpf_raw_tracepoint_args *ctx)
{
	return tell(ctx->args[0], COPIED, DEVICE(ctx->args[0]), 0, 0, 0);
}

int nl_consumed(struct bpf_raw_tracepoint_args *ctx)
{
	return tell(ctx->args[0], CONSUMED, DEVICE(ctx->args[0]), 0, 0, 0);
}

/* Newer kernels say who has consumed it, too. */
int nl_consumed_at(struct bpf_raw_tracepoint_args *ctx)
{
	return tell(ctx->args[0], CONSUMED, DEVICE(ctx->args[0]), 0, 0, ctx->args[1]);
}

int nl_dropped(struct bpf_raw_tracepoint_args *ctx)
{
	return tell(ctx->args[0], DROPPED, DEVICE(ctx->args[0]), 0, ctx->args[2], ctx->args[1]);
}

int nl_read(struct bpf_raw_tracepoint_args *ctx)
{
	u32 node = (int)ctx->args[1] < 0 ? NODE_NONE : node_of_socket(ctx->args[0]);
	u64 key = node == NODE_NONE ? 0 : read_from(ctx->args[0], node);
	struct followed *known = packets.lookup(&key);
	struct step step = {};

	if (!known || known->steps >= STEPS_MAX)
		return 0;
	known->steps++;
	step.at = bpf_ktime_get_ns();
	step.number = known->number;
	step.point = COPIED;
	step.node = node;
	step.bytes = ctx->args[1];
	step.protocol = ETH_P_IP;
	step.transport = IPPROTO_UDP;
	steps.ringbuf_output(&step, sizeof(step), 0);
	return 0;
}
