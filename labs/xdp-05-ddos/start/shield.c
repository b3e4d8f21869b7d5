// SPDX-License-Identifier: GPL-2.0
#include "shield.h"

SEC("xdp")
int xdp_shield(struct xdp_md *ctx)
{
	struct packet p;

	if (!is_syn(ctx, &p))
		return XDP_PASS;
	/* Here: who may connect? */
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
