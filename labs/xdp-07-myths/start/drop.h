/* SPDX-License-Identifier: GPL-2.0 */
/* The same question for XDP and for tc: is this a datagram to port 9? */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

static __always_inline int is_unwanted(void *at, void *end)
{
	struct ethhdr *eth = at;
	struct iphdr *ip = at + sizeof(*eth);
	struct udphdr *udp = at + sizeof(*eth) + sizeof(*ip);

	if (at + sizeof(*eth) + sizeof(*ip) + sizeof(*udp) > end)
		return 0;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_UDP)
		return 0;
	return udp->dest == bpf_htons(9);
}
