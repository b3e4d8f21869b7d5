"""The operator's tools beside a running agent: remove everything of an instance, list what exists of it.

`clean` is for `make down`, when no agent runs any more; it needs neither Redis nor the database.
"""

import logging
import re

from netlab.config import Config
from netlab.host.engine.state import RunStore
from netlab.host.kernel import sysctls, uid_slots
from netlab.host.nodes.sandboxed import SandboxedNodes
from netlab.host.nsworker.client import NsWorker
from netlab.host.programs.build_sandbox import BuildSandbox
from netlab.host.runtimes.vm import STATE_FOLDER
from netlab.host.vm_runs.assemble import machines_of
from netlab.host.vm_runs.record import VmStore
from netlab.wire.host_report import Leftover

log = logging.getLogger(__name__)

RUN_ID = re.compile(r"r[0-9a-z]{10}")
"""Machines with other names are nobody's: they are made to bake a template, or to try the guest."""


async def clean(config: Config) -> list[Leftover]:
    """All runs and leftovers of this instance go; files of attendees are in the database and stay. Returns what would not go."""
    worker = NsWorker()
    await worker.start()
    try:
        await _remove_machines(config, worker)
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
        left = [*await nodes.leftovers(set()), *await machines_of(config, worker).leftovers(set())]
    finally:
        await worker.close()
    sysctls.put_back(config.instance)
    return left


async def _remove_machines(config: Config, worker: NsWorker) -> None:
    """Before nodes are looked for, who would find machines' groups and uid slots; and what paused runs have on disk."""
    machines, store = machines_of(config, worker), VmStore(config.state_dir / STATE_FOLDER)
    known = {record.run for record in store.load_all()}
    for run in sorted(await machines.owned_runs() | known | store.memories()):
        try:
            await machines.remove(run)
            uid_slots.release(config.instance, run)
            store.drop_memory(run)
            store.delete(run)
        except Exception:  # one that will not go must not keep the others
            log.exception("removing the machine of run %s", run)


async def inventory(config: Config) -> list[str]:
    """One line a run: what is wanted, whether anything of it exists; then what belongs to nobody."""
    worker = NsWorker()
    await worker.start()
    try:
        nodes, machines = SandboxedNodes(config, worker), machines_of(config, worker)
        made = await machines.owned_runs()
        with_machine = {name for name in made if RUN_ID.fullmatch(name)}
        existing = (await nodes.owned_runs() - made) | with_machine
        lines = []
        stores = (RunStore(config.state_dir / "runs"), VmStore(config.state_dir / STATE_FOLDER))
        records = {record.run: record for store in stores for record in store.load_all()}
        for run in sorted(existing | {r for r, record in records.items() if record.active}):
            record = records.get(run)
            what = f"{record.state.value} {record.lab.id if record.lab else ''}".strip() if record else "unknown"
            exists = "a machine exists" if run in with_machine else "exists" if run in existing else "nothing of it exists"
            lines.append(f"run {run}: {what}, {exists}")
        active = {run for run, record in records.items() if record.active}
        lines += [f"machine {name}: the guest is tried, or a template is made" for name in sorted(made - with_machine)]
        strays = [*await nodes.leftovers(active | made), *await machines.leftovers(active | (made - with_machine))]
        lines += [f"leftover {left.kind}: {left.name}" for left in strays]
    finally:
        await worker.close()
    return lines or ["nothing of this instance exists"]
