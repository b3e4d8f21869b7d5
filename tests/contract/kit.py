"""A runtime with everything real around it, and the words in which the contract's tests speak about it."""

import asyncio
import secrets
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from netlab.config import Config, load_config
from netlab.domain.ids import new_command_id, new_run_id, new_terminal_id
from netlab.domain.lab import Isolation, LabSpec, RuntimeName
from netlab.domain.lifecycle import RunState
from netlab.host.counters.client import Sampler
from netlab.host.kernel import uid_slots
from netlab.host.nodes.sandboxed import SandboxedNodes
from netlab.host.nsworker.client import NsWorker
from netlab.host.programs.compiler import SandboxCompiler
from netlab.host.programs.service import Programs
from netlab.host.runtimes.namespaces import NamespacesRuntime
from netlab.host.runtimes.several import SeveralRuntimes
from netlab.host.vm.acceleration import REMEMBERED
from netlab.host.vm_runs.assemble import assemble
from netlab.wire.commands import Command, CommandBase, LabFile, StartRun, StopRun
from netlab.wire.counters import CounterSchema
from netlab.wire.events import Event, EventBase, RunStateChanged
from netlab.wire.terminals import TerminalAck, TerminalInput, TerminalResize
from tests.waiting import until

E = TypeVar("E", bound=EventBase)
WITHIN_S = 40.0
LOOK_EVERY_S = 0.1
"""Not all that is waited for is told to an outlet."""
BOOT_WITHIN_S = 240.0
PATIENCE = 3.0
"""A guest's processor is a program on a machine that has other things to do."""

PASS_C = """#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
"""


def lab(**more: Any) -> LabSpec:
    """client:eth0 - server:eth0, a terminal on each, one program, one step with two checks."""
    return LabSpec.model_validate({
        "id": "contract", "title": "The contract's lab", "summary": "Two nodes and a wire between them.",
        "topic": "xdp", "minutes": 5,
        "nodes": [
            {"name": "client", "interfaces": [{"name": "eth0", "addresses": ["10.0.0.1/24"]}]},
            {"name": "server", "interfaces": [{"name": "eth0", "addresses": ["10.0.0.2/24"]}]},
        ],
        "links": [{"ends": ["client:eth0", "server:eth0"]}],
        "terminals": [{"node": "client"}, {"node": "server", "title": "The server"}],
        "programs": [{
            "name": "pass", "source": "pass.bpf.c", "function": "pass", "attach": {"node": "server", "interface": "eth0"},
        }],
        "steps": [
            {"id": "attach", "title": "Attach it", "text": "steps/01.md", "checks": [
                _check("attached", "A program is attached", kind="xdp", node="server", interface="eth0"),
                _check("noted", "A note was made", kind="file", path="note.txt", contains="done"),
            ]},
            {"id": "mtu", "title": "Change the MTU", "text": "steps/02.md", "checks": [
                _check("mtu", "The MTU is 1400", kind="interface", node="client", interface="eth0", mtu=1400),
            ]},
        ],
        **more,
    })


def _check(name: str, title: str, **probe: Any) -> dict[str, Any]:
    return {"id": name, "title": title, "probe": probe}


class Recorder:
    """An outlet that keeps everything, and can wait for it."""

    def __init__(self, patience: float = 1.0) -> None:
        self.events: list[Event] = []
        self._patience = patience
        self.output: defaultdict[str, bytearray] = defaultdict(bytearray)
        self.first_offset: dict[str, int] = {}
        self.end_offset: defaultdict[str, int] = defaultdict(int)
        self.schemas: dict[str, CounterSchema] = {}
        self.bodies: defaultdict[str, int] = defaultdict(int)
        self.blobs: dict[str, bytes] = {}
        self._changed = asyncio.Event()

    def event(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    def terminal_output(self, terminal: str, end_offset: int, data: bytes) -> None:
        start = end_offset - len(data)
        assert self.end_offset.setdefault(terminal, start) == start, "offsets neither repeat nor leave gaps"
        self.first_offset.setdefault(terminal, start)
        self.end_offset[terminal] = end_offset
        self.output[terminal] += data
        self._changed.set()

    def counter_schema(self, schema: CounterSchema) -> None:
        self.schemas[schema.run] = schema
        self._changed.set()

    def counters(self, bodies: dict[str, bytes]) -> None:
        for run in bodies:
            self.bodies[run] += 1
        self._changed.set()

    def counter_history(self, bodies: dict[str, bytes]) -> None:
        pass

    def blob(self, command: str, data: bytes) -> None:
        self.blobs[command] = data
        self._changed.set()

    async def until(self, condition: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> Any:
        """What `condition` returns as soon as that is true."""
        within_s *= self._patience
        deadline = time.monotonic() + within_s
        while not (found := condition()):
            left = deadline - time.monotonic()
            assert left > 0, f"waited {within_s} s for {what}; the last: {self.events[-4:]} {self._last_output()}"
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), min(left, LOOK_EVERY_S))
            except TimeoutError:
                continue
        return found

    def _last_output(self) -> dict[str, bytes]:
        return {terminal: bytes(data[-300:]) for terminal, data in self.output.items()}

    def of(self, kind: type[E], **fields: Any) -> list[E]:
        return [cast(E, e) for e in self.events if isinstance(e, kind) and all(getattr(e, k) == v for k, v in fields.items())]

    async def told(self, kind: type[E], *, after: int = 0, within_s: float = WITHIN_S, **fields: Any) -> E:
        """The first such event from position `after` on."""
        def first() -> Any:
            found = (e for e in self.events[after:] if isinstance(e, kind) and all(getattr(e, k) == v for k, v in fields.items()))
            return next(found, None)

        return cast(E, await self.until(first, f"{kind.__name__} {fields}", within_s))

    async def said(self, terminal: str, what: bytes, *, after: int = 0, within_s: float = WITHIN_S) -> None:
        """`what` in a terminal's output, from position `after` of what was recorded on."""
        await self.until(lambda: what in self.output[terminal][after:], f"{what!r} on terminal {terminal}", within_s)


_hypervisor: list[bytes] = []
"""How guests run on this host: found out by the first test, so that not every one boots a guest that does not come up."""


def give_hypervisor(config: Config) -> None:
    if _hypervisor:
        config.run_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
        (config.run_dir / REMEMBERED).write_bytes(_hypervisor[0])


def keep_hypervisor(config: Config) -> None:
    _hypervisor[:] = [(config.run_dir / REMEMBERED).read_bytes()]


class Kit:
    """A host without Redis: runtimes, nodes, machines, sampler, programs, as the agent puts them together.

    `runtime_name` is the runtime of the runs that it starts. What differs between the runtimes is said here, by name.
    """

    def __init__(self, config: Config, runtime_name: RuntimeName) -> None:
        self.config, self.runtime_name = config, runtime_name
        self.is_vm = runtime_name is RuntimeName.VM
        self.isolation = Isolation.PRIVATE if self.is_vm else Isolation.STRANGERS
        self.out = Recorder(PATIENCE if self.is_vm else 1.0)

    async def open(self) -> None:
        self.worker = NsWorker()
        await self.worker.start()
        self.nodes = SandboxedNodes(self.config, self.worker)
        self.sampler = Sampler(
            self.config, self.out.counters, self.out.counter_history, self.out.counter_schema, lambda *a: self.runtime.storm(*a),
        )
        await self.sampler.open()
        compiler = SandboxCompiler(self.config)
        self.vms = assemble(self.config, self.worker, compiler, self.out, self._end_offset)
        self.machines = self.vms.machines
        give_hypervisor(self.config)
        namespaces = NamespacesRuntime(
            self.config, self.nodes, self.sampler, Programs(self.config, self.nodes), self.out,
            end_offset=self._end_offset, others=self.vms.runtime.machines_names,
        )
        self.runtime = SeveralRuntimes(namespaces, self.vms.runtime)
        await self.runtime.open()
        if self.is_vm:
            await self._guest_boots()

    async def _guest_boots(self) -> None:
        """The first test on a machine boots the guest once; the template is there for all that follow."""
        def settled() -> bool:
            return self.runtime.guest_report().state not in ("trying", "building")

        await until(settled, "the guest's first boot", BOOT_WITHIN_S)
        report = self.runtime.guest_report()
        assert report.state == "ready", f"no VM runs here ({report.state}): {report.doing}"
        keep_hypervisor(self.config)

    async def close(self) -> None:
        """As an agent that ends: every run goes on."""
        await self.runtime.close()
        await self.vms.close()
        await self.sampler.close()
        await self.worker.close()

    async def _end_offset(self, terminal: str) -> int:
        return self.out.end_offset.get(terminal, 0)

    async def end(self) -> None:
        """Nothing of this instance may stay, whatever the test has done."""
        await self.runtime.close()
        for run in await self.machines.owned_runs():
            await self.machines.remove(run)
            uid_slots.release(self.config.instance, run)
        await self.vms.close()
        await self.sampler.close()
        for run in await self.nodes.owned_runs():
            await self.nodes.remove(run)
        await self.worker.close()

    async def what_is_left(self) -> list[object]:
        """Of all runs, in the kernel and of machines."""
        return [*await self.nodes.owned_runs(), *await self.machines.owned_runs(), *await self.runtime.leftovers()]

    def typed_and_not_taken(self, run: "Run", terminal: str) -> int:
        """Bytes of input that this process keeps for a shell that does not read; in a guest, the guest keeps the most."""
        if self.is_vm:
            return self.vms.runtime.backlog_bytes(run.id)
        waiting = self.runtime.namespaces.terminals(run.id)
        return next(t.waiting_bytes for t in waiting if t.id == terminal)

    async def start(
        self, spec: LabSpec | None = None, *, files: dict[str, str] | None = None, wait: bool = True, **more: Any
    ) -> "Run":
        spec = spec or lab()
        run = Run(self, new_run_id(), [new_terminal_id() for _ in spec.terminals])
        given = {"pass.bpf.c": PASS_C} if files is None else files
        await run.send_start(
            spec, files=[LabFile(path=p, content=c, version=1) for p, c in given.items()], terminals=run.terminals, **more,
        )
        if wait:
            await run.is_now(RunState.RUNNING)
        return run


class Run:
    """One run of the kit, and what a test does with it."""

    def __init__(self, kit: Kit, run: str, terminals: list[str]) -> None:
        self.kit, self.id, self.terminals, self.generation = kit, run, terminals, 1

    def command(self, kind: type[CommandBase], *, generation: int | None = None, **fields: Any) -> Command:
        return cast(Command, kind(id=new_command_id(), run=self.id, generation=generation or self.generation, **fields))

    async def send(self, kind: type[CommandBase], *, generation: int | None = None, **fields: Any) -> Command:
        command = self.command(kind, generation=generation, **fields)
        await self.kit.runtime.handle(command)
        return command

    async def send_start(self, spec: LabSpec | None = None, **more: Any) -> Command:
        fields = {"files": [], **more}
        return await self.send(
            StartRun, lab=spec or lab(), lab_digest="d", runtime=self.kit.runtime_name, isolation=self.kit.isolation, **fields,
        )

    async def stop(self) -> None:
        self.generation += 1
        await self.send(StopRun)
        await self.is_now(RunState.STOPPED)

    async def is_now(self, state: RunState, *, after: int = 0, within_s: float = WITHIN_S) -> RunStateChanged:
        """As soon as it is; a start that has failed is not waited for."""
        waited = {state, RunState.FAILED} if state is RunState.RUNNING else {state}

        def reached() -> RunStateChanged | None:
            told = self.kit.out.events[after:]
            return next((e for e in told if isinstance(e, RunStateChanged) and e.run == self.id and e.state in waited), None)

        event = cast(RunStateChanged, await self.kit.out.until(reached, f"{self.id} to be {state}", within_s))
        assert event.state is state, f"{self.id} has failed: {event.error}"
        return event

    @property
    def states(self) -> list[RunState]:
        return [e.state for e in self.kit.out.of(RunStateChanged, run=self.id)]

    def type(self, terminal: str, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        self.kit.runtime.terminal(TerminalInput(run=self.id, terminal=terminal, data=data))

    def ack(self, terminal: str, offset: int) -> None:
        self.kit.runtime.terminal(TerminalAck(run=self.id, terminal=terminal, offset=offset))

    def resize(self, terminal: str, rows: int, cols: int) -> None:
        self.kit.runtime.terminal(TerminalResize(run=self.id, terminal=terminal, rows=rows, cols=cols))

    async def prompt(self, terminal: str) -> None:
        await self.kit.out.said(terminal, b"# ")

    async def shell(self, terminal: str, line: str, expect: str) -> None:
        """Type a line; wait for what it prints. `expect` must not be part of the line itself."""
        assert expect not in line
        before = len(self.kit.out.output[terminal])
        self.type(terminal, line + "\n")
        await self.kit.out.said(terminal, expect.encode(), after=before)
        self.ack(terminal, self.kit.out.end_offset[terminal])


@contextmanager
def own_config(state: Path) -> Iterator[Config]:
    """An instance that nobody else has: its folders go whatever the test has done."""
    instance = f"ct{secrets.token_hex(2)}"
    run_dir = Path("/run/netlab") / instance
    try:
        yield load_config().model_copy(update={"instance": instance, "run_dir": run_dir, "state_dir": state, "worker_uid": 65534})
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)
