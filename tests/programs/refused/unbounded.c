// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u64 *header;

	if (data + 34 > data_end)
		return XDP_PASS;
	header = data + *(__u32 *)data; /* here */
	if ((void *)(header + 1) > data_end)
		return XDP_PASS;
	return *header ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
