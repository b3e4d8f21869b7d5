"""One trace of a kernel's functions: follows the next calls of one function by ftrace, writes them as lines of JSON.

`python -m netlab.host.tracing.graph_process`, started by `process` in a guest. The job is the first line of its input; the end of
its input is its end. It traces in a tracefs instance of its own, which it removes; were it killed, its agent does.
"""

import heapq
import json
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from netlab.host.tracing import tracefs
from netlab.host.tracing.call_graphs import FRAME_NUMBERS, Graph, Graphs
from netlab.host.tracing.ring_pages import GAP, Layout, Record, records

POLL_S, TELL_EVERY_S = 0.1, 0.4
PAGE_BYTES = 4096
PAGES_AT_ONCE = 64
FORMATS = "events/ftrace/funcgraph_{}/format"
IDLE = "idle"
CPUS = Path("/proc/cpuinfo")
EMULATED = ("model name\t: QEMU", "model name\t: Hammer")
"""QEMU's own processor; where it has no name, Linux calls one of its family Hammer (arch/x86/kernel/cpu/amd.c)."""

Job = dict[str, Any]


def main() -> None:
    job: Job = json.loads(sys.stdin.buffer.readline())
    try:
        follow(job)
    except tracefs.Taken as taken:
        tell(error=str(taken), taken=True)
    except (OSError, ValueError) as error:
        tell(error=str(error))
    finally:
        with suppress(OSError):  # its agent tries again, and says so
            tracefs.clear()


def tell(**words: Any) -> None:
    sys.stdout.write(json.dumps(words, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def follow(job: Job) -> None:
    tracefs.check_free()
    functions = list(tracefs.traceable())
    starts = tracefs.named(functions, job["function"])
    if not starts:
        raise ValueError(f"this kernel has no function {job['function']} of its network stack that can be traced")
    layout = Layout.parse(*(tracefs.TRACEFS.joinpath(FORMATS.format(which)).read_text() for which in ("entry", "exit")))
    instance = tracefs.Instance()
    buffers = instance.open(function.number for function in functions)
    try:
        reader = Reader(
            buffers, layout, Graphs({f.address for f in starts}, job["depth"], job["frames_of_a_call"]), tracefs.Names(functions),
        )
        reader.read(instance, job["calls"], job["frames"])
    finally:
        for buffer in buffers:
            os.close(buffer)


def is_emulated(cpus: str) -> bool:
    return any(name in cpus for name in EMULATED)


def is_over(wait_s: float) -> bool:
    """Nobody wants it any more: nothing but the end of the input comes after the job."""
    return bool(select.select([sys.stdin], [], [], wait_s)[0])


class Reader:
    """Reads until enough is seen, or nobody wants it any more."""

    def __init__(self, buffers: list[int], layout: Layout, graphs: Graphs, names: tracefs.Names) -> None:
        self._buffers, self._layout, self._graphs, self._names = buffers, layout, graphs, names
        self._numbers: dict[int, int] = {}
        self._new_names: list[str] = []
        self._new: list[dict[str, Any]] = []
        self._told_at = 0.0
        self._lost = 0

    def read(self, instance: tracefs.Instance, calls: int, frames: int) -> None:
        instance.turn(on=True)
        tell(ready=True, emulated=is_emulated(CPUS.read_text()))
        while calls > 0 and frames > 0 and not is_over(POLL_S):
            for graph in self._graphs_now(instance):
                self._keep(graph)
                calls -= 1
                frames -= len(graph.frames) // FRAME_NUMBERS
                if calls <= 0 or frames <= 0:
                    instance.turn(on=False)
                    break
            self._tell(now=False)
        self._tell(now=True)
        if calls <= 0 or frames <= 0:
            tell(over="calls" if calls <= 0 else "frames")

    def _graphs_now(self, instance: tracefs.Instance) -> Iterator[Graph]:
        """What has become whole. Where more comes than is read, what is in the buffer is read in peace before it goes on."""
        paused = False
        while pages := [page for number, buffer in enumerate(self._buffers) for page in _pages(number, buffer)]:
            for record, processor in self._in_order(pages):
                if record.function == GAP:
                    self._graphs.forget()
                    self._lost += 1
                    instance.turn(on=False)
                    paused = True
                elif (graph := self._graphs.take(record, processor)) is not None:
                    yield graph
        if paused:
            self._graphs.forget()
            instance.turn(on=True)

    def _in_order(self, pages: list[tuple[int, bytes]]) -> Iterator[tuple[Record, int]]:
        of: dict[int, list[bytes]] = {}
        for processor, page in pages:
            of.setdefault(processor, []).append(page)
        streams = [
            ((record, processor) for page in found for record in records(page, self._layout)) for processor, found in of.items()
        ]
        return heapq.merge(*streams, key=lambda each: each[0].at)

    def _keep(self, graph: Graph) -> None:
        for place in range(1, len(graph.frames), FRAME_NUMBERS):
            graph.frames[place] = self._number(graph.frames[place])
        self._new.append({
            "began": graph.began, "took": graph.took_ns, "cpu": graph.processor, "process": graph.process,
            "task": task(graph.process), "left_out": graph.left_out, "frames": graph.frames,
        })

    def _number(self, address: int) -> int:
        """Of a function's name in all that has been told."""
        if address not in self._numbers:
            self._numbers[address] = len(self._numbers)
            self._new_names.append(self._names.at(address))
        return self._numbers[address]

    def _tell(self, *, now: bool) -> None:
        if not self._new or (not now and time.monotonic() - self._told_at < TELL_EVERY_S):
            return
        tell(names=self._new_names, calls=self._new, lost=self._lost)
        self._new_names, self._new, self._told_at = [], [], time.monotonic()


def _pages(processor: int, buffer: int) -> Iterator[tuple[int, bytes]]:
    for _ in range(PAGES_AT_ONCE):
        try:
            page = os.read(buffer, PAGE_BYTES)
        except BlockingIOError:
            return
        if len(page) <= 16:
            return
        yield processor, page


def task(process: int) -> str:
    """What a process is called; on whose back a softirq runs says little, but nothing else is known of it."""
    if process == 0:
        return IDLE
    try:
        return Path(f"/proc/{process}/comm").read_text(errors="replace").strip()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
