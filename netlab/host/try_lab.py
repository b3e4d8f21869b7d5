"""`python -m netlab.host.try_lab FOLDER...`: starts labs for real and proves their checks and solutions, step by step.

For every step that has checks: they are not all green before its solution, and all green after it. A lab is tried everywhere
it may run on this host: on the host's kernel in every isolation it allows, and in a VM. It runs the engine itself (no Redis, no
web) under an instance id of its own, so it can be used beside a running netlab. Needs root.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from netlab.config import Config, load_config
from netlab.domain.errors import NetlabError
from netlab.domain.ids import new_command_id, new_run_id, new_terminal_id
from netlab.domain.lab import Isolation, LabSpec, RuntimeName, StepSpec
from netlab.domain.lab_file import Lab, LabProblems, Solution, load_lab
from netlab.domain.lifecycle import RunState
from netlab.domain.placement import can_run, no_vms
from netlab.host.counters.client import Sampler
from netlab.host.kernel import process, uid_slots
from netlab.host.nodes.sandboxed import SandboxedNodes
from netlab.host.nsworker.client import NsWorker
from netlab.host.programs.compiler import SandboxCompiler
from netlab.host.programs.service import Programs
from netlab.host.runtimes.base import Runtime
from netlab.host.runtimes.namespaces import NamespacesRuntime
from netlab.host.vm_runs.assemble import Vms, assemble
from netlab.wire.commands import ApplySolution, Command, LabFile, OpenStep, RunCheck, StartRun, StopRun
from netlab.wire.counters import CounterSchema
from netlab.wire.events import CheckResult, CheckVerdict, CommandDone, CommandFailed, Event, RunStateChanged
from netlab.wire.host_report import AbilityReport

Place = tuple[RuntimeName, Isolation]

START_LIMIT_S = 30.0
VM_START_LIMIT_S = 180.0
"""The first start of a lab in a VM makes its template."""
GUEST_LIMIT_S = 180.0
GUEST_POLL_S = 0.2
PROBE_LIMIT_S = 60.0
SOLUTION_LIMIT_S = 120.0
CHECK_LIMIT_S = 20.0
GREEN_WITHIN_S = 8.0
"""Counters are sampled once a second and rates look back two: a check may need a moment to see what was done."""
AGAIN_AFTER_S = 0.5
VM_PATIENCE = 3
"""A guest's processor may be a program, on a machine that has other things to do."""

_reports: TypeAdapter[list[AbilityReport]] = TypeAdapter(list[AbilityReport])


class TrialFailed(Exception):
    """The lab cannot be tried to its end: one sentence."""


@dataclass(frozen=True)
class StepTrial:
    """One line of the table."""

    step: str
    before: str
    after: str
    seconds: float
    problems: tuple[str, ...] = ()


@dataclass
class InProcessOutlet:
    """Outlet of `runtimes.base` that keeps events for whoever waits for them."""

    events: list[Event] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def event(self, event: Event) -> None:
        self.events.append(event)
        self.arrived.set()

    def terminal_output(self, terminal: str, end_offset: int, data: bytes) -> None:
        pass

    def counter_schema(self, schema: CounterSchema) -> None:
        pass

    def counters(self, bodies: dict[str, bytes]) -> None:
        pass

    def counter_history(self, bodies: dict[str, bytes]) -> None:
        pass

    def blob(self, command: str, data: bytes) -> None:
        pass

    async def wait(self, fits: Callable[[Event], bool], limit_s: float, what: str) -> Event:
        """The first event that fits, also one that has come already."""
        seen, deadline = 0, time.monotonic() + limit_s
        while True:
            for event in self.events[seen:]:
                if fits(event):
                    return event
            seen = len(self.events)
            self.arrived.clear()
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await self.arrived.wait()
            except TimeoutError:
                raise TrialFailed(f"{what} took longer than {limit_s:.0f} s") from None


class Trial:
    """One run of one lab, from start to its last step."""

    def __init__(self, runtime: Runtime, outlet: InProcessOutlet, lab: Lab, place: Place) -> None:
        self._runtime, self._outlet, self._lab, self._place = runtime, outlet, lab, place
        self._run = new_run_id()
        self._patience = VM_PATIENCE if place[0] is RuntimeName.VM else 1

    async def steps(self) -> AsyncIterator[StepTrial]:
        """Starts the lab and yields a line a step. The lab is stopped whatever happens."""
        try:
            await self._start()
            for step in self._lab.spec.steps:
                yield await self._step(step)
        finally:
            await self._stop()

    async def _start(self) -> None:
        spec, (runtime, isolation) = self._lab.spec, self._place
        await self._runtime.handle(StartRun(
            id=new_command_id(), run=self._run, generation=1, lab=spec, lab_digest=self._lab.digest,
            files=[LabFile(path=path, content=text, version=1) for path, text in self._lab.files.items()],
            runtime=runtime, isolation=isolation, terminals=[new_terminal_id() for _ in spec.terminals],
        ))
        limit_s = VM_START_LIMIT_S if runtime is RuntimeName.VM else START_LIMIT_S
        event = await self._outlet.wait(self._state_is(RunState.RUNNING, RunState.FAILED), limit_s, "the start")
        if isinstance(event, RunStateChanged) and event.state is RunState.FAILED:
            raise TrialFailed(event.error.message if event.error else "the lab failed to start")
        self._runtime.set_watched({self._run})

    async def _stop(self) -> None:
        await self._runtime.handle(StopRun(id=new_command_id(), run=self._run, generation=2))
        with suppress(TrialFailed):
            await self._outlet.wait(self._state_is(RunState.STOPPED), START_LIMIT_S, "the stop")

    def _state_is(self, *states: RunState) -> Callable[[Event], bool]:
        return lambda e: isinstance(e, RunStateChanged) and e.run == self._run and e.state in states

    async def _step(self, step: StepSpec) -> StepTrial:
        began = time.monotonic()
        solution = self._lab.solution(step.id)
        await self._runtime.handle(OpenStep(id=new_command_id(), run=self._run, generation=1, step=step.id))
        before = await self._check(step) if step.checks else []
        problems = ["all its checks are green before its solution"] if step.checks and all(v.passed for v in before) else []
        if solution:
            problems += await self._solve(solution)
        after = await self._green_soon(step) if step.checks else []
        problems += [f"{v.check}: there is {v.observed}; there should be {v.expected}" for v in after if not v.passed]
        return StepTrial(step.id, _share(before), _share(after), time.monotonic() - began, tuple(problems))

    async def _green_soon(self, step: StepSpec) -> list[CheckVerdict]:
        deadline = time.monotonic() + GREEN_WITHIN_S * self._patience
        while True:
            verdicts = await self._check(step)
            if all(v.passed for v in verdicts) or time.monotonic() > deadline:
                return verdicts
            await asyncio.sleep(AGAIN_AFTER_S)

    async def _check(self, step: StepSpec) -> list[CheckVerdict]:
        command = RunCheck(id=new_command_id(), run=self._run, generation=1, step=step.id)
        event = await self._ask(command, CHECK_LIMIT_S * self._patience)
        if isinstance(event, CommandFailed):
            raise TrialFailed(f"the checks of {step.id}: {event.error.message} {event.error.hint}")
        verdicts = event.verdicts if isinstance(event, CheckResult) else []
        missing = {c.id for c in step.checks} - {v.check for v in verdicts}
        why = "no verdict: the check broke, see the log"
        return [*verdicts, *(CheckVerdict(check=m, passed=False, observed=why, expected="one") for m in sorted(missing))]

    async def _solve(self, solution: Solution) -> list[str]:
        files = [LabFile(path=path, content=text, version=1 + solution.number) for path, text in solution.files.items()]
        command = ApplySolution(
            id=new_command_id(), run=self._run, generation=1, step=solution.step, actions=list(solution.spec.actions),
            files=files,
        )
        event = await self._ask(command, SOLUTION_LIMIT_S * self._patience)
        return [f"solution/{solution.number:02d}: {event.error.message}"] if isinstance(event, CommandFailed) else []

    async def _ask(self, command: Command, limit_s: float) -> Event:
        """Send a command and wait for the event that ends it."""
        ends = CheckResult if isinstance(command, RunCheck) else CommandDone
        await self._runtime.handle(command)
        answers = lambda e: e.command == command.id and isinstance(e, ends | CommandFailed)  # noqa: E731
        return await self._outlet.wait(answers, limit_s, command.kind)


def _share(verdicts: list[CheckVerdict]) -> str:
    return f"{sum(v.passed for v in verdicts)} of {len(verdicts)}" if verdicts else "-"


@asynccontextmanager
async def shared_kernel(config: Config) -> AsyncIterator[tuple[Runtime, InProcessOutlet]]:
    """The engine with all its real parts and nothing around it."""
    outlet, worker = InProcessOutlet(), NsWorker()
    runtime: NamespacesRuntime

    def storm(run: str, node: str, interface: str, pps: int, limit_pps: int) -> None:
        print(f"the storm guard stopped {node}:{interface}: {pps} packets a second, {limit_pps} are allowed")
        runtime.storm(run, node, interface, pps, limit_pps)

    sampler = Sampler(config, outlet.counters, outlet.counter_history, outlet.counter_schema, storm)
    nodes = SandboxedNodes(config, worker)
    runtime = NamespacesRuntime(config, nodes, sampler, Programs(config, nodes), outlet)
    await worker.start()
    await sampler.open()
    try:
        await runtime.open()
        yield runtime, outlet
        await runtime.close()
    finally:
        await sampler.close()
        await worker.close()


@asynccontextmanager
async def machines(config: Config) -> AsyncIterator[tuple[Vms, InProcessOutlet]]:
    """The `vm` runtime with real machines. None of them is left when this ends."""
    outlet, worker = InProcessOutlet(), NsWorker()
    await worker.start()
    vms = assemble(config, worker, SandboxCompiler(config), outlet, _from_the_start)
    try:
        vms.runtime.load()
        await vms.runtime.open()
        vms.runtime.watch_guest()
        yield vms, outlet
    finally:
        await vms.runtime.close()
        for run in await vms.machines.owned_runs():
            await vms.machines.remove(run)
            uid_slots.release(config.instance, run)
        await vms.close()
        await worker.close()


async def _from_the_start(terminal: str) -> int:
    return 0


@asynccontextmanager
async def engine(config: Config, place: Place) -> AsyncIterator[tuple[Runtime, InProcessOutlet]]:
    """Whoever carries out runs of that place. Raises TrialFailed where it cannot."""
    if place[0] is RuntimeName.NAMESPACES:
        async with shared_kernel(config) as engine:
            yield engine
    else:
        async with machines(config) as (vms, outlet):
            await _guest_boots(vms)
            yield vms.runtime, outlet


async def _guest_boots(vms: Vms) -> None:
    for _ in range(int(GUEST_LIMIT_S / GUEST_POLL_S)):
        if vms.runtime.guest_report().state != "trying":
            break
        await asyncio.sleep(GUEST_POLL_S)
    obstacle = no_vms(vms.runtime.guest_report())
    if obstacle is not None:
        raise TrialFailed(f"no VM runs here: {obstacle.why}. {obstacle.fix}")


@asynccontextmanager
async def own_config() -> AsyncIterator[Config]:
    """This machine's configuration under another instance id, with folders that are gone afterwards."""
    base = load_config()
    instance = f"t{os.getpid() % 36**5:x}"[:8]
    run_dir, state_dir = Path("/run/netlab") / instance, Path(tempfile.mkdtemp(prefix="netlab-try-"))
    run_dir.mkdir(parents=True, exist_ok=True)
    run_dir.chmod(0o711)
    try:
        yield base.model_copy(update={"instance": instance, "run_dir": run_dir, "state_dir": state_dir})
    finally:
        for folder in (run_dir, state_dir):
            shutil.rmtree(folder, ignore_errors=True)


async def try_lab(folder: Path, isolations: list[Isolation] | None = None) -> bool:
    """Prints a table for each place; True when every step did what it should in all of them."""
    try:
        lab = load_lab(folder)
    except LabProblems as error:
        print(error, file=sys.stderr)
        return False
    places = await places_of(lab.spec, list(Isolation) if isolations is None else isolations)
    results = [await _try_place(lab, place) for place in places]
    return all(results)


async def places_of(lab: LabSpec, isolations: list[Isolation]) -> list[Place]:
    """Where an attendee's run of it could go. What the host's kernel lacks sends it to a VM, which is one of them."""
    wanted = [i for i in lab.isolations if i in isolations]
    places: list[Place] = []
    shared = [i for i in wanted if i is not Isolation.PRIVATE and RuntimeName.NAMESPACES in lab.runtimes]
    abilities = await _abilities() if shared else {}
    on_the_host = lab.model_copy(update={"runtimes": [RuntimeName.NAMESPACES]})
    for isolation in shared:
        placement = can_run(on_the_host, isolation, abilities)
        if placement.ok:
            places.append((RuntimeName.NAMESPACES, isolation))
        else:
            print(f"\n{lab.id}, {isolation.value}: not on this host's kernel: {placement.why}")
    if Isolation.PRIVATE in wanted and RuntimeName.VM in lab.runtimes:
        places.append((RuntimeName.VM, Isolation.PRIVATE))
    if not places:
        print(f"{lab.id}: there is nothing to try here")
    return places


async def _abilities() -> dict[str, AbilityReport]:
    """Of the host's kernel. Whether guests boot is not asked: the `vm` runtime tries it itself."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("NETLAB_")}
    environment |= {"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "NETLAB_GUEST_DIR": "/nonexistent"}
    argv = [sys.executable, "-m", "netlab.host", "probe", "--json"]
    finished = await process.run(argv, timeout_s=PROBE_LIMIT_S, env=environment)
    return {report.ability: report for report in _reports.validate_json(finished.stdout)}


async def _try_place(lab: Lab, place: Place) -> bool:
    runtime, isolation = place
    print(f"\n{lab.spec.id}, {isolation.value}{', in a VM' if runtime is RuntimeName.VM else ''}")
    print(f"  {'step':<28} {'before':>8} {'after':>8} {'seconds':>8}", flush=True)
    well = True
    async with own_config() as config:
        try:
            async with engine(config, place) as (carrier, outlet):
                async for line in Trial(carrier, outlet, lab, place).steps():
                    _print_line(line)
                    well = well and not line.problems
        except (TrialFailed, NetlabError) as error:
            print(f"  FAILED: {error}")
            well = False
    return well


def _print_line(line: StepTrial) -> None:
    result = "FAILED" if line.problems else "ok"
    print(f"  {line.step:<28} {line.before:>8} {line.after:>8} {line.seconds:>8.1f}  {result}", flush=True)
    for problem in line.problems:
        print(f"      {problem}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m netlab.host.try_lab", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--isolation", action="append", type=Isolation, choices=list(Isolation), help="only this one; may be repeated",
    )
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        print("Labs are made of namespaces and machines, which only root can make. Run it again as root.", file=sys.stderr)
        return 2
    results = [asyncio.run(try_lab(folder, arguments.isolation)) for folder in arguments.folders]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
