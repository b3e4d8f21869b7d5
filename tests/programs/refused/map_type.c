// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4);
	__type(value, __u32);
} queue SEC(".maps"); /* here */

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 value = 1;

	bpf_map_push_elem(&queue, &value, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
