"""One trace of one run: compiles a C text with bcc, attaches it to tracepoints, writes what it sees as lines of JSON.

A program of its own, started by `process` with the system's Python, which has bcc; only the standard library beside. The job is
the first line of its input; the end of its input is its end. Its programs are attached by descriptors, so the kernel takes them
off however this process ends. Only C text of netlab's own is compiled here.
"""

import ctypes
import json
import os
import select
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TEXTS = {"latency": ("packet.h", "latency.bcc.c"), "way": ("packet.h", "way.bcc.c")}
STAGES = ("queue", "wire", "stack", "forward", "whole")
BUCKETS = 36
POINTS = ("queued", "qdisc_in", "qdisc_out", "sent", "handed_over", "received", "copied", "consumed", "dropped")
NEEDED = {
    "net_dev_queue": "nl_queue", "net_dev_start_xmit": "nl_xmit", "netif_receive_skb": "nl_receive",
    "consume_skb": "nl_consumed",
}
"""Tracepoints without which a trace tells nothing."""
EXTRA = {"skb_copy_datagram_iovec": "nl_copied", "sock_recv_length": "nl_read", "kfree_skb": "nl_dropped"}
EXTRA_OF_WAY = {
    "qdisc_enqueue": "nl_qdisc_in", "qdisc_dequeue": "nl_qdisc_out", "netif_rx": "nl_handed_over",
}
BETTER_OF_WAY = {"consume_skb": "nl_consumed_at"}
"""Instead of what is needed, on a kernel whose tracepoint says that much."""
HISTOGRAM_EVERY_S = 1.0
POLL_MS = 100
ERROR_CHARS = 2000
OOM_SCORE, FIRST_TO_GO = Path("/proc/self/oom_score_adj"), "1000"
"""Where memory is short, a compiler is what can be missed; in a guest it may be a third of it."""

Job = dict[str, Any]


class Step(ctypes.Structure):
    """struct step of way.bcc.c."""

    _fields_ = (
        ("at", ctypes.c_uint64), ("place", ctypes.c_uint64), ("number", ctypes.c_uint32), ("point", ctypes.c_uint32),
        ("node", ctypes.c_uint32), ("reason", ctypes.c_uint32), ("bytes", ctypes.c_uint32), ("protocol", ctypes.c_uint32),
        ("transport", ctypes.c_uint32), ("device", ctypes.c_char * 16),
    )


def main() -> None:
    OOM_SCORE.write_text(FIRST_TO_GO)
    job: Job = json.loads(sys.stdin.buffer.readline())
    try:
        bpf = compiled(job)
        missing = attach(bpf, job["mode"])
    except Exception as error:  # bcc raises nothing narrower; whoever looks is told what it said
        tell(error=str(error)[-ERROR_CHARS:])
        sys.exit(1)
    enter_nodes(bpf, job["cookies"])
    tell(ready=True, missing=missing)
    {"latency": measure, "way": follow}[job["mode"]](bpf, job)


def tell(**words: Any) -> None:
    sys.stdout.write(json.dumps(words, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def compiled(job: Job) -> Any:
    """bcc's object, its programs loaded. Raises RuntimeError with what the compiler or the kernel's verifier wrote."""
    os.environ["BCC_KERNEL_SOURCE"] = str(HERE / "headers")
    defined = {**job["offsets"], **job["defines"], "BUCKETS": BUCKETS, "NODES": len(job["cookies"])}
    text = "\n".join((HERE / "bpf" / name).read_text() for name in TEXTS[job["mode"]])
    flags = [f"-D{name}={int(value)}" for name, value in defined.items()]
    with tempfile.TemporaryFile() as said:
        before = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            from bcc import BPF  # here, so that its absence is told as well

            bpf = BPF(text=text, cflags=flags)
            for function in (*functions(job["mode"]).values(), *better(job["mode"]).values()):
                bpf.load_func(function, BPF.RAW_TRACEPOINT)
            return bpf
        except Exception as error:  # likewise
            said.seek(0)
            words = said.read().decode(errors="replace").strip()
            raise RuntimeError(f"{error}: {words[-ERROR_CHARS:]}" if words else str(error)) from None
        finally:
            os.dup2(before, 2)
            os.close(before)


def functions(mode: str) -> dict[str, str]:
    return {**NEEDED, **EXTRA, **(EXTRA_OF_WAY if mode == "way" else {})}


def better(mode: str) -> dict[str, str]:
    return BETTER_OF_WAY if mode == "way" else {}


def attach(bpf: Any, mode: str) -> list[str]:
    """Returns the tracepoints that this kernel does not have."""
    missing = []
    for tracepoint, function in functions(mode).items():
        preferred = better(mode).get(tracepoint)
        refused = attach_one(bpf, tracepoint, [preferred, function] if preferred else [function])
        if refused is not None and tracepoint in NEEDED:
            raise refused
        if refused is not None:
            missing.append(tracepoint)
    return missing


def attach_one(bpf: Any, tracepoint: str, candidates: list[str]) -> Exception | None:
    """The first that this kernel takes; what it said of the last when it takes none."""
    refused = None
    for function in candidates:
        try:
            bpf.attach_raw_tracepoint(tracepoint, function)
            return None
        except Exception as error:  # likewise
            refused = error
    return refused


def enter_nodes(bpf: Any, cookies: list[int]) -> None:
    nodes = bpf["nodes"]
    for number, cookie in enumerate(cookies):
        nodes[ctypes.c_uint64(cookie)] = ctypes.c_uint32(number)


def is_over(wait_s: float) -> bool:
    """Nobody wants it any more: nothing but the end of the input comes after the job."""
    return bool(select.select([sys.stdin], [], [], wait_s)[0])


def measure(bpf: Any, job: Job) -> None:
    """A histogram once a second when it has changed: [node, stage, the first bucket that is not empty, counts]."""
    before: list[list[Any]] = []
    while not is_over(HISTOGRAM_EVERY_S):
        cells = [
            [node, stage, *found]
            for (node, stage), counts in read_counts(bpf, len(job["cookies"])).items() if (found := trimmed(counts))
        ]
        if cells != before:
            tell(cells=cells)
            before = cells


def read_counts(bpf: Any, nodes: int) -> dict[tuple[int, str], list[int]]:
    flat = [0] * (nodes * len(STAGES) * BUCKETS)
    for key, value in bpf["counts"].items_lookup_batch():
        flat[getattr(key, "value", key)] = getattr(value, "value", value)
    rows = [(node, stage) for node in range(nodes) for stage in STAGES]
    return {row: flat[number * BUCKETS : (number + 1) * BUCKETS] for number, row in enumerate(rows)}


def trimmed(counts: list[int]) -> list[Any]:
    there = [bucket for bucket, times in enumerate(counts) if times]
    return [there[0], counts[there[0] : there[-1] + 1]] if there else []


def follow(bpf: Any, job: Job) -> None:
    """Each step as it happens."""

    def take(_: object, data: int, __: int) -> None:
        step = ctypes.cast(data, ctypes.POINTER(Step)).contents
        tell(
            number=step.number, at=step.at, point=POINTS[step.point], node=step.node, bytes=step.bytes, protocol=step.protocol,
            transport=step.transport, device=step.device.decode(errors="replace"), reason=step.reason,
            place=place(bpf.ksym(step.place)) if step.place else "",
        )

    bpf["steps"].open_ring_buffer(take)
    poll: Callable[..., None] = bpf.ring_buffer_poll
    while not is_over(0):
        poll(POLL_MS)


def place(symbol: bytes) -> str:
    """The kernel's function, without what the compiler has put behind its name."""
    name = symbol.decode(errors="replace").split(" ")[0].split(".")[0]
    return "" if name == "[unknown]" else name


if __name__ == "__main__":
    main()
