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

SEC("xdp")
int xdp_parse(struct xdp_md *ctx)
{
	count(OTHER);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
