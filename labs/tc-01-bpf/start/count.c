// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum protocol { OTHER, ARP, IPV4, IPV6, PROTOCOLS };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PROTOCOLS);
	__type(key, enum protocol);
	__type(value, __u64);
} came SEC(".maps");

/* Asked for every packet that comes in. It looks, and has no opinion. */
SEC("tc")
int tc_count(struct __sk_buff *skb)
{
	enum protocol protocol = OTHER;
	__u64 *packets;

	packets = bpf_map_lookup_elem(&came, &protocol);
	if (packets)
		(*packets)++;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
