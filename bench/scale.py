"""Everything at once: 500 namespaces with 2,500 interfaces, traffic in all, 500 browsers at 10 Hz; then labs that come and go
beside them; then 1,000 namespaces: `make bench-scale`.

Starts a netlab of its own (`make up` as instance `scale`) with one lab of four nodes, 125 times; browsers and traffic are
processes of their own. ARGS='--namespaces 40' makes it small. What is measured: docs/performance.md.
"""

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgpack

from bench import scale_lab
from bench.attendee import Attendee
from bench.counters import figure
from bench.scale_seen import Key, Pace, Seen, pace
from bench.start import percentile
from netlab.host.counters.reader import READ_BYTES, parse_net_dev
from netlab.host.kernel.machine_load import process
from netlab.host.kernel.syscalls import inside_netns
from netlab.host.nsworker.places import RunDir
from netlab.wire.counters import FAST_TICK_S
from tests import stack as stacks

NAMESPACES, VIEWERS, PPS = 500, 500, 10
INSTANCE = "scale"
SETTINGS = {
    "NETLAB_MEMORY_BUDGET_MB": "1000000", "NETLAB_CPU_BUDGET_PERCENT": "1000000", "NETLAB_WISHES_PER_MINUTE": "6000",
    "NETLAB_GUEST_DIR": "/nonexistent",
}
"""No VMs, whose templates would be baked meanwhile. Everything else as an operator gets it: TLS, one web process, nodes shut in
as for strangers."""
SEATS = "from netlab.workshops.models import Workshop; Workshop.objects.update(seats=1000)"
AT_ONCE = 8
START_LIMIT_S = 240
SETTLE_S, LOAD_S, CHURN_S, BIG_S, DRAIN_S, FLOOR_S = 12, 30, 20, 20, 2.5, 5
SETTLE_AFTER_S = 1.0
"""What was under way is counted by then; neighbours are asked for once more five seconds after the last packet."""
CHURNERS = 2
Value = tuple[str, Key, int]
"""Run, counter, value."""
COMPARED = ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes")


@dataclass
class Lab:
    """One attendee's run."""

    attendee: Attendee
    run: str
    netns: list[Path]

    @property
    def cookie(self) -> str:
        return "; ".join(f"{c.name}={c.value}" for c in self.attendee.http.cookies.jar)


@dataclass
class Bench:
    stack: stacks.Stack
    workshop: str = ""
    labs: list[Lab] = field(default_factory=list)

    async def grow(self, count: int) -> None:
        """To so many labs, several at a time."""
        room, began = asyncio.Semaphore(AT_ONCE), time.monotonic()

        async def one() -> None:
            async with room:
                attendee = await self.joined()
                self.labs.append(Lab(attendee, run := await self.started(attendee), self._places(run)))
                if len(self.labs) % 25 == 0:
                    say(f"{len(self.labs)} labs run after {time.monotonic() - began:.0f} s")

        await asyncio.gather(*(one() for _ in range(count - len(self.labs))))

    async def joined(self) -> Attendee:
        attendee = Attendee(self.stack.url)
        self.workshop = await attendee.join(self.stack.code, f"viewer {secrets.token_hex(4)}")
        return attendee

    async def started(self, attendee: Attendee) -> str:
        run: str = (await attendee.start(self.workshop, scale_lab.ID))["id"]
        await attendee.wait_for_state(run, "running", START_LIMIT_S, every_s=0.5)
        return run

    def _places(self, run: str) -> list[Path]:
        there = RunDir(Path(f"/run/netlab/{self.stack.instance}"), run)
        return [there.node(f"n{at}").netns for at in range(scale_lab.NODES)]

    def pids(self) -> dict[str, int]:
        agent = self.stack.pid("agent")
        children = Path(f"/proc/{agent}/task/{agent}/children").read_text().split()
        words = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
        sampler = next(int(pid) for pid, line in words.items() if b"netlab.host.counters.sampler" in line)
        return {"agent": agent, "sampler": sampler} | {name: self.stack.pid(name) for name in ("web", "redis", "projector")}

    async def close(self) -> None:
        for lab in self.labs:
            await lab.attendee.http.aclose()


class Child:
    """A process of this bench that is told lines and answers lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def tell(self, line: str, answer: str = "") -> str:
        """Raises RuntimeError when the answer is another one than expected."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()
        said = (await self._process.stdout.readline()).decode().strip()
        if answer and said != answer:
            raise RuntimeError(f"a process of the bench said {said[:300]!r} instead of {answer!r}")
        return said


@asynccontextmanager
async def child(module: str, wanted: Mapping[str, object]) -> AsyncIterator[Child]:
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=64 << 20,
    )
    try:
        one = Child(started)
        await one.tell(json.dumps(wanted), "ready")
        yield one
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.kill()
        await started.wait()


@dataclass
class Load:
    """Browsers and traffic on some labs, and what the processes have used since `begin`."""

    bench: Bench
    labs: list[Lab]
    viewers: Child
    traffic: Child
    to: Path
    seen: list[Seen]
    began: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)

    def begin(self) -> None:
        self.began, self.spent = time.time(), self._spent_s()

    def _spent_s(self) -> dict[str, float]:
        pids = self.bench.pids() | {"viewers": self.viewers.pid, "traffic": self.traffic.pid}
        return {name: process(pid)[0] for name, pid in pids.items()}

    def percent(self) -> dict[str, float]:
        """Of a core, by process, since `begin`."""
        elapsed_s, now = time.time() - self.began, self._spent_s()
        return {name: (now[name] - before) / elapsed_s * 100 for name, before in self.spent.items()}

    async def look(self) -> None:
        """Take over what has arrived. Costs seconds of a core: not while something is measured."""
        await self.viewers.tell(str(self.to), "written")
        for seen, arrived in zip(self.seen, msgpack.unpackb(self.to.read_bytes()), strict=True):
            seen.take(arrived)

    async def quiet(self) -> list[tuple[int, float]]:
        """Traffic ends; its marks."""
        marks: list[tuple[int, float]] = json.loads(await self.traffic.tell(""))
        await asyncio.sleep(SETTLE_AFTER_S)
        return marks


@asynccontextmanager
async def load(bench: Bench, folder: Path, viewers: int) -> AsyncIterator[Load]:
    labs, there = list(bench.labs), urlsplit(bench.stack.url)
    chosen = [labs[at % len(labs)] for at in range(viewers)]
    sockets = [{"run": lab.run, "cookie": lab.cookie} for lab in chosen]
    browsers = {"host": there.hostname, "port": there.port, "tls": there.scheme == "https", "sockets": sockets}
    netns = [[str(path) for path in lab.netns] for lab in labs]
    async with (
        child("bench.scale_traffic", {"netns": netns, "pps": PPS}) as traffic,
        child("bench.scale_viewers", browsers) as open_viewers,
    ):
        one = Load(bench, labs, open_viewers, traffic, folder / "seen", [Seen(lab.run) for lab in chosen])
        say(f"{viewers} browsers look at {len(labs)} labs")
        await asyncio.sleep(SETTLE_S)
        yield one


async def measured(bench: Bench, folder: Path, viewers: int, load_s: float, size: int, *, churn: bool) -> None:
    async with load(bench, folder, viewers) as one:
        one.begin()
        await asyncio.sleep(load_s)
        percent, end = one.percent(), time.time()
        resident = {name: resident_mb(pid) for name, pid in bench.pids().items()}
        floor = await floor_percent(one.labs)
        churned = await churning(bench) if churn else 0
        churn_end = time.time()
        marks = await one.quiet()
        truth = still_values(one.labs)
        await asyncio.sleep(DRAIN_S)
        await one.look()
        truth &= still_values(one.labs)
    tell_load(size, percent, resident, len(one.labs))
    figure(f"scale_{size}_floor_percent", floor, "%")
    figure(f"scale_{size}_ratio_floor", (percent["agent"] + percent["sampler"]) / floor, "x")
    tell_seen(size, one, [mark for mark in marks if one.began <= mark[1] <= end], truth)
    tell_pace(str(size), pace(one.seen, one.began, end))
    if churn:
        figure("churn_labs", churned, "labs")
        tell_pace("churn", pace(one.seen, end, churn_end))


async def floor_percent(labs: list[Lab]) -> float:
    """Of a core, for nothing but reading all counters ten times a second as long as this traffic goes on: system calls alone."""
    descriptors = []
    try:
        for path in [path for lab in labs for path in lab.netns]:
            with inside_netns(path):
                descriptors.append(os.open("/proc/thread-self/net/dev", os.O_RDONLY))
        began, spent_s, ticks = time.monotonic(), 0.0, round(FLOOR_S / FAST_TICK_S)
        for tick in range(ticks):
            await asyncio.sleep(max(0.0, began + tick * FAST_TICK_S - time.monotonic()))
            before_s = time.process_time()
            for descriptor in descriptors:
                os.pread(descriptor, READ_BYTES, 0)
            spent_s += time.process_time() - before_s
        return spent_s / (ticks * FAST_TICK_S) * 100
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


async def churning(bench: Bench) -> int:
    """Labs are started and stopped in a loop; how many."""
    attendees = [await bench.joined() for _ in range(CHURNERS)]
    ends = time.monotonic() + CHURN_S

    async def loop(attendee: Attendee) -> int:
        count = 0
        while time.monotonic() < ends:
            run = await bench.started(attendee)
            await attendee.api("POST", f"/runs/{run}/stop")
            await attendee.wait_for_state(run, "stopped", START_LIMIT_S, every_s=0.3)
            count += 1
        await attendee.http.aclose()
        return count

    return sum(await asyncio.gather(*(loop(attendee) for attendee in attendees)))


def tell_load(size: int, percent: dict[str, float], resident: dict[str, float], labs: int) -> None:
    figure(f"labs_{size}", labs, "labs")
    figure(f"agent_cpu_percent_{size}", percent["agent"] + percent["sampler"], "%")
    for name in ("sampler", "agent", "redis", "projector", "viewers", "traffic"):
        figure(f"scale_{size}_{name}_percent", percent[name], "%")
    figure(f"sampler_rss_mb_{size}", resident["sampler"], "MB")
    figure(f"scale_{size}_agent_rss_mb", resident["agent"], "MB")
    figure(f"web_cpu_percent_{size}", percent["web"], "%")
    figure(f"scale_{size}_web_rss_mb", resident["web"], "MB")


def tell_seen(size: int, one: Load, marks: list[tuple[int, float]], truth: set[Value]) -> None:
    sent: defaultdict[str, list[float]] = defaultdict(list)
    for lab, at in marks:
        sent[one.labs[lab].run].append(at)
    lags_ms = [lag * 1000 for seen in one.seen for lag in seen.mark_lags_s(sent[seen.run])]
    frames_ms = [lag * 1000 for seen in one.seen for at, lag in zip(seen.sampled, seen.lags_s, strict=True) if at >= one.began]
    suffix = "" if size == NAMESPACES else f"_{size}"
    figure(f"packet_to_browser_p50_ms{suffix}", percentile(lags_ms, 50), "ms")
    figure(f"packet_to_browser_p99_ms{suffix}", percentile(lags_ms, 99), "ms")
    figure(f"scale_{size}_marks", len(lags_ms), "packets seen")
    figure(f"scale_{size}_sample_to_browser_p50_ms", percentile(frames_ms, 50), "ms")
    figure(f"scale_{size}_sample_to_browser_p99_ms", percentile(frames_ms, 99), "ms")
    figure(f"latest_values_lost{suffix}", lost(one, truth), "values")
    figure(f"scale_{size}_latest_values", len(truth), "values")
    figure(f"scale_{size}_browsers_without_frames", sum(not seen.sampled for seen in one.seen), "browsers")
    figure(f"scale_{size}_browsers_not_whole", sum(not seen.values for seen in one.seen), "browsers")
    for seen in one.seen:
        if not seen.values:
            say(f"not whole: {seen.story()}")
    figure(f"scale_{size}_gaps", sum(seen.gaps for seen in one.seen), "frames")


def tell_pace(what: str, one: Pace) -> None:
    figure(f"ticks_per_s_{what}", one.per_s, "1/s")
    figure(f"ticks_late_percent_{what}", one.late_percent, "%")
    figure(f"tick_gap_max_ms_{what}", one.longest_ms, "ms")


def lost(one: Load, truth: set[Value]) -> int:
    """What the kernel has counted and a viewer's newest values do not say."""
    viewers: defaultdict[str, list[Seen]] = defaultdict(list)
    for seen in one.seen:
        viewers[seen.run].append(seen)
    return sum(seen.value(key) != value for run, key, value in truth for seen in viewers[run])


def still_values(labs: list[Lab]) -> set[Value]:
    """Of all interfaces; those that a second look finds as well have not moved in between."""
    return {(lab.run, key, value) for lab in labs for key, value in kernel_values(lab).items()}


def kernel_values(lab: Lab) -> dict[Key, int]:
    values: dict[Key, int] = {}
    for at, netns in enumerate(lab.netns):
        with inside_netns(netns):
            devices = parse_net_dev(Path("/proc/thread-self/net/dev").read_bytes())
        for device, counters in devices.items():
            if device != b"lo":
                values |= {(f"n{at}", device.decode(), name): getattr(counters, name) for name in COMPARED}
    return values


def resident_mb(pid: int) -> float:
    """Resident memory, with what it shares."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024 / 1e6


def say(text: str) -> None:
    sys.stderr.write(f"bench-scale: {text}\n")


async def run(namespaces: int, viewers: int) -> None:
    with tempfile.TemporaryDirectory(prefix="netlab-scale-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        scale_lab.write_lab(folder / "labs")
        say("starting a netlab of its own")
        bench = Bench(stacks.start(INSTANCE, NETLAB_LABS_DIR=str(folder / "labs"), **SETTINGS))
        try:
            bench.stack.manage("shell", "-c", SEATS)
            await bench.grow(namespaces // scale_lab.NODES)
            await measured(bench, folder, viewers, LOAD_S, namespaces, churn=True)
            await bench.grow(2 * namespaces // scale_lab.NODES)
            await measured(bench, folder, viewers, BIG_S, 2 * namespaces, churn=False)
        finally:
            await bench.close()
            say("taking it away")
            bench.stack.down()


def main() -> None:
    words = argparse.ArgumentParser(prog="make bench-scale")
    words.add_argument("--namespaces", type=int, default=NAMESPACES)
    words.add_argument("--viewers", type=int, default=VIEWERS)
    given = words.parse_args()
    asyncio.run(run(given.namespaces, given.viewers))


if __name__ == "__main__":
    main()
