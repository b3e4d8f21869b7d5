// SPDX-License-Identifier: GPL-2.0
/* For step 6, at the provider: a veth takes what its other end sends by XDP_TX only while it runs a program itself. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int xdp_uplink(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
