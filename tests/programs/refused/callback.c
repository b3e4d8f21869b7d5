// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

static long each(__u32 at, void *unused)
{
	return 0;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	bpf_loop(16, each, 0, 0); /* here */
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
