// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum action { PASSED, DROPPED, ACTIONS };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ACTIONS);
	__type(key, enum action);
	__type(value, __u64);
} gate SEC(".maps");

static __always_inline int decide(enum action action)
{
	__u64 *packets = bpf_map_lookup_elem(&gate, &action);

	if (packets)
		(*packets)++;
	return action == DROPPED ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

/* Asked for every packet that comes in. It lets no ping through. */
SEC("tc")
int tc_gate(struct __sk_buff *skb)
{
	void *end = (void *)(long)skb->data_end;
	void *data = (void *)(long)skb->data;
	struct iphdr *ip = data + sizeof(struct ethhdr);

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return decide(PASSED);
	if ((void *)(ip + 1) > end)
		return decide(PASSED);
	if (ip->protocol == IPPROTO_ICMP)
		return decide(DROPPED);
	return decide(PASSED);
}

char _license[] SEC("license") = "GPL";
