"""How long packets wait in queues, as a histogram in a map that has a name in the BPF file system.

	python3 -u waits.py
"""

import os
import time

from bcc import BPF

PIN = "/sys/fs/bpf/waits"  # the C text has it as well

TEXT = """
BPF_HASH(queued, u64, u64);		/* packet -> when it came to its queue */
BPF_TABLE_PINNED("array", int, u64, waits, 32, "/sys/fs/bpf/waits");

TRACEPOINT_PROBE(net, net_dev_queue)
{
	u64 skb = (u64)args->skbaddr, now = bpf_ktime_get_ns();

	queued.update(&skb, &now);
	return 0;
}

TRACEPOINT_PROBE(net, net_dev_start_xmit)
{
	u64 skb = (u64)args->skbaddr, *since;

	/* The driver gets it now. */
	since = queued.lookup(&skb);
	if (!since)
		return 0;
	waits.increment(bpf_log2l((bpf_ktime_get_ns() - *since) / 1000));
	queued.delete(&skb);
	return 0;
}
"""

if os.path.exists(PIN):
    os.unlink(PIN)
b = BPF(text=TEXT)
print("Ready. Ctrl-C shows what it has seen.")
try:
    while True:
        time.sleep(1)
except KeyboardInterrupt:
    b["waits"].print_log2_hist("us")
