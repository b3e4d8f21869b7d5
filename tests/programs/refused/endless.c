// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	volatile int i = 0;

	while (i < 10)
		i = 1; /* here */
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
