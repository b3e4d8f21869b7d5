/* For netdevsim's hardware. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int offload(struct xdp_md *ctx)
{
	return XDP_PASS;
}

