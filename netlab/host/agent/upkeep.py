"""The operator's tools beside a running agent: remove everything of an instance, list what exists of it.

`clean` is for `make down`, when no agent runs any more; it needs neither Redis nor the database.
"""

import logging

from netlab.config import Config
from netlab.host.engine.state import RunStore
from netlab.host.kernel import sysctls
from netlab.host.nodes.sandboxed import SandboxedNodes
from netlab.host.nsworker.client import NsWorker
from netlab.host.programs.build_sandbox import BuildSandbox
from netlab.wire.host_report import Leftover

log = logging.getLogger(__name__)


async def clean(config: Config) -> list[Leftover]:
    """All runs and leftovers of this instance go; files of attendees are in the database and stay. Returns what would not go."""
    worker = NsWorker()
    await worker.start()
    try:
        nodes = SandboxedNodes(config, worker)
        store = RunStore(config.state_dir / "runs")
        known = {record.run for record in store.load_all()}
        for run in sorted(await nodes.owned_runs() | known):
            try:
                await nodes.remove(run)
                store.delete(run)
            except Exception:  # one that will not go must not keep the others
                log.exception("removing run %s", run)
        await nodes.tidy()
        await BuildSandbox(config).clear()
        left = await nodes.leftovers(set())
    finally:
        await worker.close()
    sysctls.put_back(config.instance)
    return left


async def inventory(config: Config) -> list[str]:
    """One line a run: what is wanted, whether anything of it exists; then what belongs to nobody."""
    worker = NsWorker()
    await worker.start()
    try:
        nodes = SandboxedNodes(config, worker)
        existing = await nodes.owned_runs()
        lines = []
        records = {record.run: record for record in RunStore(config.state_dir / "runs").load_all()}
        for run in sorted(existing | {r for r, record in records.items() if record.active}):
            record = records.get(run)
            what = f"{record.state.value} {record.lab.id if record.lab else ''}".strip() if record else "unknown"
            lines.append(f"run {run}: {what}, {'exists' if run in existing else 'nothing of it exists'}")
        active = {run for run, record in records.items() if record.active}
        lines += [f"leftover {left.kind}: {left.name}" for left in await nodes.leftovers(active)]
    finally:
        await worker.close()
    return lines or ["nothing of this instance exists"]
