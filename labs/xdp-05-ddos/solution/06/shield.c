// SPDX-License-Identifier: GPL-2.0
#include "shield.h"

#define COST_NS 1000000000ULL	/* a SYN costs a second */
#define SAVED_MAX_NS (4 * COST_NS)

struct bucket {
	__u64 drops;
	__u64 at;	/* when it was filled up last */
	__u64 saved_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u64);
} blocked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __be32);
	__type(value, struct bucket);
} buckets SEC(".maps");

/* May this address open one more connection? */
static __always_inline int pays(__be32 address)
{
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &address);
	__u64 now = bpf_ktime_get_ns();
	__u64 saved_ns;

	if (!bucket) {
		struct bucket full = { .at = now, .saved_ns = SAVED_MAX_NS - COST_NS };

		bpf_map_update_elem(&buckets, &address, &full, BPF_ANY);
		return 1;
	}
	saved_ns = bucket->saved_ns + now - bucket->at;
	if (saved_ns > SAVED_MAX_NS)
		saved_ns = SAVED_MAX_NS;
	bucket->at = now;
	if (saved_ns < COST_NS) {
		bucket->saved_ns = saved_ns;
		bucket->drops++;
		return 0;
	}
	bucket->saved_ns = saved_ns - COST_NS;
	return 1;
}

/* Answer in the server's stead; the server learns of the connection when the client does. */
static __always_inline int answer(struct xdp_md *ctx, struct packet *p)
{
	struct bpf_sock_tuple way = {};
	struct bpf_sock *listener;
	__s64 cookie;

	if (p->tcp->doff != SYN_TCP_BYTES / 4)
		return XDP_PASS;
	way.ipv4.saddr = p->ip->saddr;
	way.ipv4.daddr = p->ip->daddr;
	way.ipv4.sport = p->tcp->source;
	way.ipv4.dport = p->tcp->dest;
	listener = bpf_skc_lookup_tcp(ctx, &way, sizeof(way.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (!listener)
		return XDP_PASS;
	cookie = bpf_tcp_gen_syncookie(listener, p->ip, sizeof(*p->ip), p->tcp, SYN_TCP_BYTES);
	bpf_sk_release(listener);
	if (cookie < 0)
		return XDP_PASS;
	make_synack(p, cookie, cookie >> 32);
	return XDP_TX;
}

SEC("xdp")
int xdp_shield(struct xdp_md *ctx)
{
	struct prefix who = { .prefixlen = 32 };
	struct packet p;
	__u64 *drops;

	if (!is_syn(ctx, &p))
		return XDP_PASS;
	who.address = p.ip->saddr;
	drops = bpf_map_lookup_elem(&blocked, &who);
	if (drops) {
		__sync_fetch_and_add(drops, 1);
		return XDP_DROP;
	}
	if (!pays(p.ip->saddr))
		return XDP_DROP;
	return answer(ctx, &p);
}

char _license[] SEC("license") = "GPL";
