// SPDX-License-Identifier: GPL-2.0
#include "drop.h"

SEC("xdp")
int xdp_drop(struct xdp_md *ctx)
{
	if (is_unwanted((void *)(long)ctx->data, (void *)(long)ctx->data_end))
		return XDP_PASS;	/* here */
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
