"""One packet's way through the functions of the kernel, over all nodes.

	python3 -u way.py | tee /tmp/way.txt
"""

from bcc import BPF

FUNCTIONS = [  # all get the packet as their first argument
    "__dev_queue_xmit", "veth_xmit", "ip_rcv", "ip_forward", "ip_local_deliver", "icmp_rcv",
]
END = "consume_skb"

TEXT = """
#include <uapi/linux/ptrace.h>

struct step {
	u64 skb, ns, function, over;
};

BPF_HASH(began, u64, u64);		/* packet -> when it was first seen */
BPF_RINGBUF_OUTPUT(steps, 16);

int seen(struct pt_regs *ctx, u64 skb)
{
	u64 now = bpf_ktime_get_ns(), *first = began.lookup_or_try_init(&skb, &now);
	struct step step = { .skb = skb, .function = PT_REGS_IP(ctx) };

	if (!first)
		return 0;
	step.ns = now - *first;
	return steps.ringbuf_output(&step, sizeof(step), 0);
}

int over(struct pt_regs *ctx, u64 skb)
{
	u64 *first = began.lookup(&skb);
	struct step step = { .skb = skb, .function = PT_REGS_IP(ctx), .over = 1 };

	if (!first)
		return 0;
	step.ns = bpf_ktime_get_ns() - *first;
	began.delete(&skb);
	return steps.ringbuf_output(&step, sizeof(step), 0);
}
"""

b = BPF(text=TEXT)
for function in FUNCTIONS:
    b.attach_kprobe(event=function, fn_name="seen")
b.attach_kprobe(event=END, fn_name="over")
ways: dict[int, list[str]] = {}


def tell(_, data, size):
    step = b["steps"].event(data)
    function = b.ksym(step.function).decode()
    ways.setdefault(step.skb, []).append(f"{step.ns / 1000:10.1f} us  {function}")
    if step.over:
        print(f"packet {step.skb:x}", *ways.pop(step.skb), sep="\n")


b["steps"].open_ring_buffer(tell)
print("Ready. Ctrl-C ends it.")
while True:
    try:
        b.ring_buffer_poll()
    except KeyboardInterrupt:
        break
