// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "talk.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct talk);
} total SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024);
	__type(key, __be32);
	__type(value, struct talk);
} talkers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __be32);
	__type(value, __u64);
} blocked SEC(".maps");

static __always_inline void count(struct talk *talk, struct iphdr *ip)
{
	talk->packets++;
	talk->bytes += bpf_ntohs(ip->tot_len);
}

SEC("xdp")
int xdp_talk(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	void *at = (void *)(long)ctx->data;
	struct ethhdr *eth = at;
	struct iphdr *ip;
	__u32 first = 0;
	__u64 *drops;
	struct talk nothing = {};
	struct talk *talk;
	__be32 from;

	at += sizeof(*eth);
	if (at > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = at;
	at += sizeof(*ip);
	if (at > end)
		return XDP_PASS;

	talk = bpf_map_lookup_elem(&total, &first);
	if (!talk)
		return XDP_PASS;
	count(talk, ip);

	from = ip->saddr;
	talk = bpf_map_lookup_elem(&talkers, &from);
	if (!talk) {
		bpf_map_update_elem(&talkers, &from, &nothing, BPF_NOEXIST);
		talk = bpf_map_lookup_elem(&talkers, &from);
		if (!talk)
			return XDP_PASS;
	}
	count(talk, ip);

	drops = bpf_map_lookup_elem(&blocked, &from);
	if (drops) {
		__sync_fetch_and_add(drops, 1);
		return XDP_DROP;
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
