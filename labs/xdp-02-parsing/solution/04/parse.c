// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* What a packet can be. One packet may be several: IPV4, and ICMP in it. */
enum kind {
	OTHER, SHORT, ARP, VLAN, QINQ, IPV4, OPTIONS,
	IPV6, ICMP, ICMPV6, TCP, UDP, KINDS
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KINDS);
	__type(key, enum kind);
	__type(value, __u64);
} seen SEC(".maps");

/* A VLAN tag: it stands where the EtherType stood, and brings the real one. */
struct vlan_tag {
	__be16 id;
	__be16 proto;
};

/* How ICMP and ICMPv6 both begin when they ask for an echo. */
#define ICMP_ECHO	8
#define ICMPV6_ECHO	128

struct echo {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 id;
	__be16 sequence;
};

static __always_inline void count(enum kind kind)
{
	__u64 *packets = bpf_map_lookup_elem(&seen, &kind);

	if (packets)
		(*packets)++;
}

static __always_inline void count_protocol(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_ICMP:
		count(ICMP);
		break;
	case IPPROTO_ICMPV6:
		count(ICMPV6);
		break;
	case IPPROTO_TCP:
		count(TCP);
		break;
	case IPPROTO_UDP:
		count(UDP);
		break;
	default:
		count(OTHER);
	}
}

SEC("xdp")
int xdp_parse(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	void *at = (void *)(long)ctx->data;
	struct ethhdr *eth = at;
	struct ipv6hdr *ip6;
	struct iphdr *ip;
	__be16 proto;
	int tags;

	at += sizeof(*eth);
	if (at > end)
		goto cut;
	proto = eth->h_proto;

	for (tags = 0; tags < 2; tags++) {
		struct vlan_tag *tag = at;

		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		at += sizeof(*tag);
		if (at > end)
			goto cut;
		count(tags ? QINQ : VLAN);
		proto = tag->proto;
	}

	switch (proto) {
	case bpf_htons(ETH_P_ARP):
		count(ARP);
		break;
	case bpf_htons(ETH_P_IP):
		ip = at;
		at += sizeof(*ip);
		if (at > end)
			goto cut;
		count(IPV4);
		if (ip->ihl != 5)
			break;
		count_protocol(ip->protocol);
		break;
	case bpf_htons(ETH_P_IPV6):
		ip6 = at;
		at += sizeof(*ip6);
		if (at > end)
			goto cut;
		count(IPV6);
		count_protocol(ip6->nexthdr);
		break;
	default:
		count(OTHER);
	}
	return XDP_PASS;

cut:
	count(SHORT);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
