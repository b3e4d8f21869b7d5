"""Packets that the kernel gives up: where, and why.

	python3 -u drops.py | tee /tmp/drops.txt
"""

import re
from pathlib import Path

from bcc import BPF

FORMAT = Path("/sys/kernel/tracing/events/skb/kfree_skb/format").read_text()
NAMES = {int(number): name for number, name in re.findall(r'\{ (\d+), "(\w+)" \}', FORMAT)}

TEXT = """
#include <net/dropreason-core.h>

struct drop {
	u64 place;
	u32 reason;
};

BPF_RINGBUF_OUTPUT(drops, 16);

TRACEPOINT_PROBE(skb, kfree_skb)
{
	struct drop drop = {};

	drop.place = (u64)args->location;
	drop.reason = args->reason;
	return drops.ringbuf_output(&drop, sizeof(drop), 0);
}
"""

b = BPF(text=TEXT)


def tell(_, data, size):
    drop = b["drops"].event(data)
    print(f"given up in {b.ksym(drop.place).decode()}: {NAMES.get(drop.reason, drop.reason)}")


b["drops"].open_ring_buffer(tell)
print("Ready. Ctrl-C ends it.")
while True:
    try:
        b.ring_buffer_poll()
    except KeyboardInterrupt:
        break
