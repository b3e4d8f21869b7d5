// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "talk.h"

SEC("xdp")
int xdp_talk(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	void *at = (void *)(long)ctx->data;
	struct ethhdr *eth = at;
	struct iphdr *ip;

	at += sizeof(*eth);
	if (at > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = at;
	at += sizeof(*ip);
	if (at > end)
		return XDP_PASS;

	/* Here you know who talks (ip->saddr), and how much (ip->tot_len). */
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
