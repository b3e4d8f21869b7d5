// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct value { __u8 bytes[16]; };
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct value);
} values SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct value *value = bpf_map_lookup_elem(&values, &key);

	if (!value)
		return XDP_PASS;
	return value->bytes[ctx->rx_queue_index & 31]; /* here */
}

char _license[] SEC("license") = "GPL";
