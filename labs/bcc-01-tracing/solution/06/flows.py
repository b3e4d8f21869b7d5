"""What TCP knows of each connection that sends, in a map that has a name in the BPF file system.

	python3 -u flows.py
"""

import os
import time

from bcc import BPF

PIN = "/sys/fs/bpf/flows"  # the C text has it as well

TEXT = """
struct flow {
	u64 retransmits;
	u32 srtt_us, cwnd;
};

BPF_TABLE_PINNED("hash", u16, struct flow, flows, 64, "/sys/fs/bpf/flows");

TRACEPOINT_PROBE(tcp, tcp_probe)
{
	struct flow *flow, nothing = {};
	u16 port = args->sport;

	if (args->dport != 5201)		/* of iperf3's server */
		return 0;
	flow = flows.lookup_or_try_init(&port, &nothing);
	if (!flow)
		return 0;
	flow->srtt_us = args->srtt;
	flow->cwnd = args->snd_cwnd;
	return 0;
}

TRACEPOINT_PROBE(tcp, tcp_retransmit_skb)
{
	u16 port = args->sport;
	struct flow *flow = flows.lookup(&port);

	if (flow)
		flow->retransmits++;
	return 0;
}
"""

if os.path.exists(PIN):
    os.unlink(PIN)
b = BPF(text=TEXT)
print("Ready. Ctrl-C ends it.")
try:
    while True:
        time.sleep(1)
except KeyboardInterrupt:
    pass
