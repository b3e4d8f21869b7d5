// SPDX-License-Identifier: GPL-2.0
#include "shield.h"

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u64);
} blocked SEC(".maps");

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
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
