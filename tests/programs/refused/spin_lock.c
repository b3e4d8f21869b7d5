// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct value {
	struct bpf_spin_lock lock;
	__u64 count;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct value);
} counts SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct value *value = bpf_map_lookup_elem(&counts, &key);

	if (!value)
		return XDP_PASS;
	bpf_spin_lock(&value->lock); /* here */
	value->count++;
	bpf_spin_unlock(&value->lock);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
