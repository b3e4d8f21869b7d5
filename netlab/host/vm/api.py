"""The contract between the `vm` runtime, which speaks with guests, and what makes machines, which never listens to them.

Implemented by `machines` and `templates`; called by `netlab.host.runtimes.vm`, the probe and the benches. Everything here
is found again after the agent was killed: QEMU goes on, its sockets and its mark are under `run_dir/vms/<run>`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from netlab.host.steps import Steps
from netlab.wire.host_report import Leftover

Acceleration = Literal["kvm", "tcg"]


@dataclass(frozen=True)
class GuestImage:
    """What `make guest` made: <guest_dir>/{bzImage,root.squashfs,app.squashfs,manifest.json}."""

    folder: Path
    digest: str
    kernel_release: str

    @property
    def kernel(self) -> Path:
        return self.folder / "bzImage"

    @property
    def root(self) -> Path:
        return self.folder / "root.squashfs"

    @property
    def app(self) -> Path:
        return self.folder / "app.squashfs"


@dataclass(frozen=True)
class Shape:
    """What a machine is given."""

    memory_mb: int
    cpus: int = 1


@dataclass(frozen=True)
class Ending:
    """Why a machine is not there any more (or of no use): `why` completes 'Your lab's own kernel is not there any more: ...'"""

    cause: Literal["stopped", "killed", "panicked", "powered_off", "rebooted", "qemu_failed", "agent_ended"]
    why: str


class Machine(Protocol):
    """One QEMU process, running. Its port and its monitor are sockets that outlive the agent."""

    run: str
    pid: int
    shape: Shape
    ended: "asyncio.Future[Ending]"
    """Done when the process has ended or the guest has panicked or reset itself; a panicked guest is stopped, not gone."""

    async def open_port(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The guest's port. One connection at a time; a new one ends the old."""

    async def kill(self) -> None:
        """End it and take away everything of it. Idempotent."""

    async def console(self) -> str:
        """The end of what the guest has printed, for our logs; '' when nobody answers. Text of strangers: never told as ours."""

    async def suspend(self, folder: Path) -> None:
        """Write its whole state to the folder and end it. Raises OSError (disk full): then it goes on running."""


Bake = Callable[[Machine], Awaitable[None]]
"""Brings a machine that was cloned from the base template (or just booted) to where the new template is to begin, and lets
go of its port. Raises what it likes: no template is made then."""


@dataclass(frozen=True)
class Template:
    """A stopped machine to be cloned: `memory` (mapped copy-on-write by every clone, never written again) and `state`."""

    key: str
    folder: Path
    shape: Shape

    @property
    def memory(self) -> Path:
        return self.folder / "memory"

    @property
    def state(self) -> Path:
        return self.folder / "state"


class Templates(Protocol):
    """The store under `templates_dir`, shared by all instances of this machine; keyed by digests of everything that matters
    (image, QEMU, acceleration, shape, lab). Two that want the same template: one bakes, the other waits."""

    async def base(self, shape: Shape, greet: Bake) -> Template:
        """The booted guest with its agent up. `greet` waits until the agent has said so."""

    async def get(self, lab_digest: str, shape: Shape, greet: Bake, bake: Bake, steps: Steps) -> Template:
        """The lab's template, baked from a clone of the base when there is none (a visible step of `steps`)."""

    def has(self, lab_digest: str, shape: Shape) -> bool: ...

    async def condemn(self, template: Template) -> None:
        """Clones of it do not live: away with it. The next `get` bakes anew."""


class Machines(Protocol):
    async def clone(self, run: str, template: Template, uid: int) -> Machine:
        """A running clone of the template. Raises OSError, MachineFailed; then nothing of it is left."""

    async def resume(self, run: str, folder: Path, template: Template, uid: int) -> Machine:
        """What `suspend` wrote runs again."""

    async def adopt(self, run: str) -> Machine | None:
        """The run's machine after a restart of the agent; None when it has ended (then `remove` what is left)."""

    async def remove(self, run: str) -> None:
        """Everything of the run's machine: process, cgroup, sockets, folder. Idempotent."""

    async def owned_runs(self) -> set[str]: ...

    async def leftovers(self, known: set[str]) -> list[Leftover]: ...


class MachineFailed(Exception):
    """QEMU did not come up: one sentence, with what it said last."""
