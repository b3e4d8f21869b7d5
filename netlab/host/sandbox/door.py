"""The one door to containers: command lines for crun, or runc where there is no crun. Called by `nodes.sandboxed`.

It builds arguments and reads what the runtime left in its state folder; the fork server starts the processes.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CONTAINER_RUNTIMES = ("crun", "runc")
"""In the order of preference: crun starts in half the time."""


class NoContainerRuntime(Exception):
    """Neither crun nor runc is installed."""


@dataclass(frozen=True)
class ContainerDoor:
    program: Path
    state_dir: Path
    """The runtime's --root: a folder a container, named by its id."""

    @classmethod
    def find(cls, state_dir: Path, names: Sequence[str] = CONTAINER_RUNTIMES) -> "ContainerDoor":
        """Without names, for nodes that are no containers, a door to nothing."""
        if not names:
            return cls(Path(os.devnull), state_dir)
        for name in names:
            if found := shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"):
                return cls(Path(found), state_dir)
        raise NoContainerRuntime("install crun (or runc): " + ", ".join(names) + " was not found")

    @property
    def is_crun(self) -> bool:
        return self.program.name == "crun"

    @staticmethod
    def container_id(run: str, node: str) -> str:
        return f"{run}.{node}"

    def run(self, container: str, bundle: Path, pid_file: Path) -> list[str]:
        """Create and start, detached."""
        return [*self._base(), "run", "--detach", "--pid-file", str(pid_file), "--bundle", str(bundle), container]

    def execute(
        self, container: str, process: Path, pid_file: Path, *, console: Path | None = None, detach: bool = False
    ) -> list[str]:
        """`exec --process` only: plain `exec` of crun does not inherit no_new_privs."""
        options = ["--detach"] if detach else []
        if console:
            options += ["--console-socket", str(console)]
        return [*self._base(), "exec", *options, "--process", str(process), "--pid-file", str(pid_file), container]

    def containers(self, run: str = "") -> list[str]:
        """Ids of which the runtime keeps state, of one run or of all."""
        prefix = f"{run}." if run else ""
        try:
            return sorted(p.name for p in self.state_dir.iterdir() if p.name.startswith(prefix) and "." in p.name)
        except FileNotFoundError:
            return []

    def forget(self, run: str, node: str = "") -> None:
        """Remove the runtime's state of containers whose processes are gone."""
        for container in self.containers(run):
            if not node or container == self.container_id(run, node):
                shutil.rmtree(self.state_dir / container, ignore_errors=True)

    def _base(self) -> list[str]:
        manager = ["--cgroup-manager=cgroupfs"] if self.is_crun else []
        return [str(self.program), "--root", str(self.state_dir), *manager]
