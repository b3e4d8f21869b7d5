"""What this host says of itself every few seconds: abilities, budgets, runs, leftovers, its VMs. Told by the agent.

Abilities are found once, by the probe in a process of its own, while the agent already serves.
"""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

import netlab
from netlab.config import Config
from netlab.host.agent.load import LoadMeter
from netlab.host.agent.redis_bridge import AWAY
from netlab.host.kernel import modules
from netlab.host.kernel.process import run
from netlab.host.runtimes.several import SeveralRuntimes
from netlab.wire.host_report import AbilityReport, HostReport, StoppedStorm
from netlab.wire.redis_names import REPORT_EVERY_S
from netlab.wire.streams import HostStreams

log = logging.getLogger(__name__)

PROBE_LIMIT_S = 120
LEFTOVERS_EVERY_S = 60
"""Looking for leftovers walks mounts and cgroups: not with every report."""
MEMORY_SHARE_PERCENT = 70
CPU_OVERCOMMIT = 20

STORMS_KEPT = 50

_abilities: TypeAdapter[list[AbilityReport]] = TypeAdapter(list[AbilityReport])


class HostReporter:
    def __init__(
        self, config: Config, streams: HostStreams, runtime: SeveralRuntimes, processes: Callable[[], Mapping[str, int | None]]
    ) -> None:
        """`processes`: netlab's own, pid by name."""
        self._streams, self._runtime, self._processes = streams, runtime, processes
        self._meter = LoadMeter(config.instance)
        self._report = HostReport(
            host=config.host_name, at=time.time(), started_at=time.time(), abilities=[],
            memory_budget_mb=memory_budget_mb(config), cpu_budget_percent=cpu_budget_percent(config), kernel=os.uname().release,
        )
        self._looked_at = float("-inf")
        self._dedicated = config.dedicated_host

    async def probe(self) -> None:
        """Find out what this kernel can do; the next report says it."""
        environment = {name: value for name, value in os.environ.items() if name.startswith("NETLAB_")}
        environment["PYTHONPATH"] = str(Path(netlab.__file__).resolve().parent.parent)
        finished = await run([sys.executable, "-m", "netlab.host", "probe", "--json"], timeout_s=PROBE_LIMIT_S, env=environment)
        try:
            self._report.abilities = _abilities.validate_json(finished.stdout)
        except ValidationError:
            log.error("the probe did not answer: %s", finished.stderr[-2000:].decode(errors="replace"))
            return
        if self._dedicated:
            modules.end_loading()
        await self.tell()

    async def keep_telling(self) -> None:
        """Ends never. While Redis is away nobody can be told, which says it as well."""
        while True:
            await self.tell()
            await asyncio.sleep(REPORT_EVERY_S)

    def storm(self, run: str, node: str, interface: str, pps: int, limit_pps: int) -> None:
        """The guard has seen one: it is among those that the next report tells."""
        lab = next((one.lab for one in self._runtime.runs() if one.run == run), "")
        storm = StoppedStorm(at=time.time(), run=run, lab=lab, node=node, interface=interface, pps=pps, limit_pps=limit_pps)
        self._report.storms = [*self._report.storms, storm][-STORMS_KEPT:]
        self._report.storms_stopped += 1

    async def tell(self) -> None:
        report = self._report
        report.at, report.load_1m = time.time(), os.getloadavg()[0]
        report.load, report.runs = self._meter.look(self._runtime.runs(), self._processes())
        report.guest = self._runtime.guest_report()
        if time.monotonic() - self._looked_at > LEFTOVERS_EVERY_S:
            self._looked_at = time.monotonic()
            report.leftovers = await self._runtime.leftovers()
        try:
            await self._streams.report(report)
        except AWAY as error:
            log.info("the report could not be told: %s", error)


def memory_budget_mb(config: Config) -> int:
    if config.memory_budget_mb:
        return config.memory_budget_mb
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return total * MEMORY_SHARE_PERCENT // 100 // (1 << 20)


def cpu_budget_percent(config: Config) -> int:
    return config.cpu_budget_percent or CPU_OVERCOMMIT * 100 * (os.cpu_count() or 1)
