// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define TTL	42
#define IP_AT	sizeof(struct ethhdr)

/* Asked for every packet that goes out. */
SEC("tc")
int tc_ttl(struct __sk_buff *skb)
{
	void *end = (void *)(long)skb->data_end;
	void *data = (void *)(long)skb->data;
	struct iphdr *ip = data + IP_AT;
	__u8 ttl = TTL;
	__be16 before, after;

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	if ((void *)(ip + 1) > end)
		return TC_ACT_OK;

	before = bpf_htons(ip->ttl << 8 | ip->protocol);
	after = bpf_htons(TTL << 8 | ip->protocol);
	bpf_skb_store_bytes(skb, IP_AT + offsetof(struct iphdr, ttl), &ttl, sizeof(ttl), 0);
	bpf_l3_csum_replace(skb, IP_AT + offsetof(struct iphdr, check), before, after, 2);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
