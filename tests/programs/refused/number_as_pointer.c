// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u64 *at = (__u64 *)(long)ctx->rx_queue_index;

	return *at; /* here */
}

char _license[] SEC("license") = "GPL";
