"""What does it cost to drop a packet? Runs on the sender, and keeps a table in result.txt.

	python3 -B measure.py NAME [--skb]

Sends datagrams to port 9 of the receiver. flood says how long each took: a veth pair has no hardware that works on its own, so
all that is done with a packet, up to its end, is done within the sender's system call.

Datagrams to port 1 are dropped by the program of card, right behind the wire. What these take is sending and the wire, and is
subtracted: the rest is the receiver's. With --skb, when card is a router, nothing is subtracted.
"""

import json
import os
import subprocess
import sys

RECEIVER, DROPPED_BY_CARD, DROPPED_BY_RECEIVER = "10.0.2.2", "1", "9"
RATE, ROUNDS = "40000", 2
NUMBERS, TABLE = "/tmp/measured.json", "/lab/result.txt"
NATIVE, NATIVE_SKB = "native", "native-skb"


def nanoseconds(port: str) -> int:
    done = subprocess.run(["flood", RECEIVER, "--udp", port, "--pps", RATE, "--seconds", "1"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return int(done.stdout.rpartition(" ns each")[0].split()[-1])


def measure(with_skb: bool) -> int:
    """The best of two rounds: what else the machine does can only make it slower."""
    if with_skb:
        return min(nanoseconds(DROPPED_BY_RECEIVER) for _ in range(ROUNDS))
    rounds = [(nanoseconds(DROPPED_BY_CARD), nanoseconds(DROPPED_BY_RECEIVER)) for _ in range(ROUNDS)]
    base = min(ns for ns, _ in rounds)
    return max(1, min(ns for _, ns in rounds) - base)


def show(measured: dict[str, int]) -> str:
    lines = [f"{'':16}{'ns a drop':>10}{'drops per CPU-second':>22}"]
    for name, ns in measured.items():
        bar = "#" * min(60, round(10 * measured.get(NATIVE, max(measured.values())) / ns))
        lines.append(f"{name:16}{ns:>10}{10**9 // ns:>22,}   {bar}")
    lines += [
        f"{fast} drops {measured[slow] / measured[fast]:.1f} times as many as {slow}"
        for fast, slow in ((NATIVE, "generic"), (NATIVE, "tc"), (NATIVE, "nft"), ("tc-skb", NATIVE_SKB))
        if fast in measured and slow in measured
    ]
    return "\n".join(lines) + "\n"


if len(sys.argv) < 2:
    sys.exit(__doc__)
name = sys.argv[1]
measured = {}
if os.path.exists(NUMBERS):
    with open(NUMBERS) as file:
        measured = json.load(file)
measured[name] = measure("--skb" in sys.argv)
with open(NUMBERS, "w") as file:
    json.dump(measured, file)
text = show(measured)
print(text, end="")
with open(TABLE, "w") as file:
    file.write(text)
