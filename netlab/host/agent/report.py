"""What this host says of itself every few seconds: abilities, budgets, runs, leftovers. Told by the agent.

Abilities are found once, by the probe in a process of its own, while the agent already serves.
"""

import asyncio
import logging
import os
import sys
import time
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

import netlab
from netlab.config import Config
from netlab.host.agent.redis_bridge import AWAY
from netlab.host.kernel import modules
from netlab.host.kernel.process import run
from netlab.host.runtimes.base import Runtime
from netlab.wire.host_report import AbilityReport, HostReport
from netlab.wire.redis_names import REPORT_EVERY_S
from netlab.wire.streams import HostStreams

log = logging.getLogger(__name__)

PROBE_LIMIT_S = 120
LEFTOVERS_EVERY_S = 60
"""Looking for leftovers walks mounts and cgroups: not with every report."""
MEMORY_SHARE_PERCENT = 70
CPU_OVERCOMMIT = 20

_abilities: TypeAdapter[list[AbilityReport]] = TypeAdapter(list[AbilityReport])


class HostReporter:
    def __init__(self, config: Config, streams: HostStreams, runtime: Runtime) -> None:
        self._streams, self._runtime = streams, runtime
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

    async def tell(self) -> None:
        report = self._report
        report.at, report.load_1m, report.runs = time.time(), os.getloadavg()[0], self._runtime.runs()
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
