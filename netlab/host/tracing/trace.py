"""One trace of a run: what its process tells, put into the words of the event. Made by the engine; ends at its limits.

It decides nothing about packets: what is a drop and why comes from the kernel, the words from `domain.drop_reasons`.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from netlab.domain.drop_reasons import drop_name, is_hidden, label
from netlab.host.counters.slots import reason_names
from netlab.host.tracing.process import TraceProcess, make_job
from netlab.wire.commands import StartTrace
from netlab.wire.traces import CELLS_MAX, STEPS_MAX, TRACE_S_MAX, End, LatencyCell, Point, TracedPacket, TraceSeen, TraceStep

PROTOCOLS = {"any": -1, "icmp": 1, "tcp": 6, "udp": 17, "arp": 0x0806}
IP_WORDS = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 41: "IPv6 in IP", 47: "GRE", 58: "ICMPv6", 132: "SCTP"}
ETHERNET_WORDS = {0x0806: "ARP", 0x8100: "VLAN", 0x88A8: "VLAN (QinQ)", 0x88CC: "LLDP"}
IPV4, IPV6 = 0x0800, 0x86DD
XDP_PLACES: dict[str, Point] = {
    "skb_pp_cow_data": "xdp_copied", "veth_convert_skb_to_xdp_buff": "xdp_copied", "veth_xdp_rcv_skb": "xdp_taken",
}
"""Who consumes a packet is more than its end: a program in native mode gets a copy to write to, or sends on what it got."""
QUIET_S = 1.5
"""After so long without a step, a packet's way is taken to be over."""
BROKE = "it broke; begin again"


@dataclass
class Way:
    """One packet's steps so far, as the process told them."""

    first_at: int
    what: str
    bytes: int
    steps: list[tuple[int, TraceStep]] = field(default_factory=list)

    def packet(self, number: int) -> TracedPacket:
        steps = [step.model_copy(update={"after_ns": max(0, at - self.first_at)}) for at, step in sorted(self.steps, key=_at)]
        return TracedPacket(number=number, what=self.what, bytes=self.bytes, steps=steps, end=_end(steps))


class Trace:
    """Of packets, by bcc."""

    seconds_max = TRACE_S_MAX
    is_large = False
    """What it has seen is much to tell."""

    def __init__(self, command: StartTrace, nodes: Sequence[str], changed: Callable[[], None]) -> None:
        self.id = command.id
        self._command, self._nodes, self._changed = command, list(nodes), changed
        self._started_at = time.time()
        self.ready, self.running, self._ended, self._problem = False, True, "", ""
        self._missing: list[str] = []
        self._cells: list[LatencyCell] = []
        self._ways: dict[int, Way] = {}
        self._process: TraceProcess | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._process.pid if self._process else None

    def seen(self) -> TraceSeen:
        command = self._command
        return TraceSeen(
            id=self.id, mode=command.mode, node=command.node or "", protocol=command.protocol, packets_wanted=command.packets,
            started_at=self._started_at, ready=self.ready, running=self.running, ended=self._ended, problem=self._problem,
            missing=self._missing, cells=self._cells, packets=[way.packet(n) for n, way in sorted(self._ways.items())],
        )

    async def run(self, cookies: Sequence[int]) -> None:
        """Until a limit is reached or its process ends; nothing is attached any more when this returns, or is cancelled."""
        try:
            self._process = await self._start(cookies)
            async with asyncio.timeout(self.seconds_max):
                await self._read(self._process)
        except TimeoutError:
            self.end(f"{self.seconds_max // 60} minutes are over")
        except OSError as error:
            self._problem = str(error)
            self.end(BROKE)
        finally:
            if self._process is not None:
                await asyncio.shield(self._end_process(self._process))
                self._process = None

    async def _start(self, cookies: Sequence[int]) -> TraceProcess:
        command = self._command
        defines = {
            "WANTED_NODE": self._nodes.index(command.node) if command.node else -1,
            "WANTED_PROTOCOL": PROTOCOLS[command.protocol], "WANTED_PACKETS": command.packets,
        }
        return await TraceProcess.start(await asyncio.to_thread(make_job, command.mode, cookies, defines))

    async def _end_process(self, process: TraceProcess) -> None:
        """Nothing is attached when this returns."""
        await process.end()

    def end(self, why: str) -> None:
        """What is told from now on. The process is ended by whoever cancels `run`."""
        if self.running:
            self.running, self._ended = False, why
            self._changed()

    async def _read(self, process: TraceProcess) -> None:
        lines = aiter(process.lines())
        reading: asyncio.Task[dict[str, Any]] | None = None
        try:
            while self.running:
                reading = reading or asyncio.ensure_future(_next(lines))
                done, _ = await asyncio.wait({reading}, timeout=QUIET_S)
                if not done:
                    self._look_whether_all_came()
                    continue
                line, reading = reading.result(), None
                if not line:
                    return self.end(BROKE)
                self._take(line)
                self._changed()
        finally:
            if reading is not None:
                reading.cancel()

    def _take(self, line: dict[str, Any]) -> None:
        if "error" in line:
            self._problem = line["error"]
            self.end("this host's kernel or bcc refused it")
        elif "ready" in line:
            self.ready, self._missing = True, line["missing"]
        elif "cells" in line:
            self._cells = [
                LatencyCell(node=self._nodes[node], stage=stage, first=first, counts=counts)
                for node, stage, first, counts in line["cells"][:CELLS_MAX]
            ]
        else:
            self._step(line)

    def _step(self, line: dict[str, Any]) -> None:
        reason, why = "", ""
        if line["point"] == "dropped":
            name = _reasons().get(line["reason"], f"REASON_{line['reason']}")
            if is_hidden(name, line["place"]):
                return
            reason = drop_name(name, line["place"])
            why = label(reason)
        way = self._ways.setdefault(line["number"], Way(line["at"], _what(line["protocol"], line["transport"]), line["bytes"]))
        way.first_at = min(way.first_at, line["at"])
        point = XDP_PLACES.get(line["place"], "consumed") if line["point"] == "consumed" else line["point"]
        step = TraceStep(
            after_ns=0, point=point, node=self._nodes[line["node"]], device=line["device"], bytes=line["bytes"],
            reason=reason, words=why, place=line["place"],
        )
        if len(way.steps) < STEPS_MAX:
            way.steps.append((line["at"], step))

    def _look_whether_all_came(self) -> None:
        """It is quiet."""
        if len(self._ways) >= self._command.packets:
            self.end("all its packets have been followed")


def _at(step: tuple[int, TraceStep]) -> int:
    return step[0]


def _end(steps: list[TraceStep]) -> End:
    """Of a packet that a program has read, other copies may have been given up. An XDP program's packet may have come again."""
    points = {step.point for step in steps}
    if "copied" in points:
        return "copied"
    if "dropped" in points:
        return "dropped"
    ends: dict[Point, End] = {"consumed": "consumed", "xdp_taken": "taken"}
    return ends.get(steps[-1].point, "")


def _what(protocol: int, transport: int) -> str:
    if protocol in (IPV4, IPV6):
        return IP_WORDS.get(transport, f"IP protocol {transport}")
    return ETHERNET_WORDS.get(protocol, f"EtherType {protocol:#06x}")


async def _next(lines: Any) -> dict[str, Any]:
    """{}: there are no more."""
    line: dict[str, Any] = await anext(lines, {})
    return line


@lru_cache
def _reasons() -> dict[int, str]:
    return reason_names()
