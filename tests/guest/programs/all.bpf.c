/* One program for each place at which a guest's kernel runs BPF; each counts in its own slot of `hits`. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} hits SEC(".maps");

static __always_inline void hit(__u32 key)
{
	__u64 *count = bpf_map_lookup_elem(&hits, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
}

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	hit(0);
	return XDP_PASS;
}

SEC("tc")
int classify(struct __sk_buff *skb)
{
	hit(1);
	return TC_ACT_OK;
}

SEC("tcx/ingress")
int tcx(struct __sk_buff *skb)
{
	hit(2);
	return TCX_NEXT;
}

SEC("netkit/primary")
int netkit(struct __sk_buff *skb)
{
	hit(3);
	return TCX_PASS;
}

SEC("kprobe/ip_rcv")
int kprobe(struct pt_regs *ctx)
{
	hit(4);
	return 0;
}

SEC("fentry/ip_rcv")
int BPF_PROG(fentry)
{
	hit(5);
	return 0;
}

SEC("tp/net/netif_receive_skb")
int tracepoint(void *ctx)
{
	hit(6);
	return 0;
}

SEC("cgroup_skb/egress")
int cgroup(struct __sk_buff *skb)
{
	hit(7);
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
