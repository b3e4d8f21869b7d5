// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	volatile __u32 sum = 0;

	for (int i = 0; i < 2000000; i++) /* here */
		sum += i;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
