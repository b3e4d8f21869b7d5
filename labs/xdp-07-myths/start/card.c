// SPDX-License-Identifier: GPL-2.0
/*
 * Makes a network card of a node: what comes in at wire leaves at card as bare
 * frames, without an sk_buff. Datagrams to port 1 end here: they measure the way.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

static const unsigned char receiver[ETH_ALEN] = { 0x02, 0x4e, 0x4c, 0x00, 0x03, 0x00 };

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} out SEC(".maps");

SEC("xdp")
int xdp_card(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	void *at = (void *)(long)ctx->data;
	struct ethhdr *eth = at;
	struct iphdr *ip = at + sizeof(*eth);
	struct udphdr *udp = at + sizeof(*eth) + sizeof(*ip);

	if (at + sizeof(*eth) + sizeof(*ip) + sizeof(*udp) > end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	if (udp->dest == bpf_htons(1))
		return XDP_DROP;
	__builtin_memcpy(eth->h_dest, receiver, ETH_ALEN);
	return bpf_redirect_map(&out, 0, XDP_PASS);
}

char _license[] SEC("license") = "GPL";
