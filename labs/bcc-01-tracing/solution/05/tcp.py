"""The states of TCP connections, of both ends.

	python3 -u tcp.py | tee /tmp/tcp.txt
"""

from bcc import BPF

STATES = [
    "?", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK",
    "LISTEN", "CLOSING", "NEW_SYN_RECV",
]  # include/net/tcp_states.h

TEXT = """
struct change {
	u64 ns;
	u16 sport, dport, before, after;
};

BPF_HASH(since, u64, u64);		/* socket -> when it came to its state */
BPF_RINGBUF_OUTPUT(changes, 16);

TRACEPOINT_PROBE(sock, inet_sock_set_state)
{
	struct change change = { .sport = args->sport, .dport = args->dport };
	u64 sk = (u64)args->skaddr, now = bpf_ktime_get_ns(), *before;

	if (args->protocol != 6)		/* TCP */
		return 0;
	change.before = args->oldstate;
	change.after = args->newstate;
	before = since.lookup(&sk);
	if (before)
		change.ns = now - *before;
	since.update(&sk, &now);
	return changes.ringbuf_output(&change, sizeof(change), 0);
}
"""

b = BPF(text=TEXT)


def tell(_, data, size):
    change = b["changes"].event(data)
    after = f" after {change.ns / 1e6:.1f} ms" if change.ns else ""
    print(f"{change.sport:5} to {change.dport:5}  {STATES[change.before]} -> {STATES[change.after]}{after}")


b["changes"].open_ring_buffer(tell)
print("Ready. Ctrl-C ends it.")
while True:
    try:
        b.ring_buffer_poll()
    except KeyboardInterrupt:
        break
