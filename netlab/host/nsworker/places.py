"""Where the parts of a run are on the host. Pure paths; used by the fork server, by `nodes` and by whoever looks.

    <run_dir>/runs               a small tmpfs, shared, so that the crun view of the mounts sees what comes and goes
    <run_dir>/runs/<run>         one more tmpfs: unmounting it takes all that is mounted below it in one system call
        mark.json                the ownership mark
        image  lab  programs  nodes/<node>/{netns,userns,mntns,utsns,root,bpffs,config.json}
    /run/netns/nl.<instance>.<run>.<node>   a link to the node's netns, so that `ip -n` works for the operator
"""

from dataclasses import dataclass
from pathlib import Path

NAMED_NETNS_DIR = Path("/run/netns")


def named_prefix(instance: str, run: str = "") -> str:
    return f"nl.{instance}.{run}." if run else f"nl.{instance}."


@dataclass(frozen=True)
class NodeDir:
    path: Path

    @property
    def netns(self) -> Path:
        return self.path / "netns"

    @property
    def userns(self) -> Path:
        return self.path / "userns"

    @property
    def mntns(self) -> Path:
        return self.path / "mntns"

    @property
    def utsns(self) -> Path:
        return self.path / "utsns"

    @property
    def root(self) -> Path:
        return self.path / "root"

    @property
    def bpffs(self) -> Path:
        return self.path / "bpffs"

    @property
    def config(self) -> Path:
        return self.path / "config.json"


@dataclass(frozen=True)
class RunDir:
    """`base` is the instance's run_dir."""

    base: Path
    run: str

    @property
    def path(self) -> Path:
        return self.base / "runs" / self.run

    @property
    def mark(self) -> Path:
        return self.path / "mark.json"

    @property
    def image(self) -> Path:
        return self.path / "image"

    @property
    def lab(self) -> Path:
        return self.path / "lab"

    @property
    def programs(self) -> Path:
        """netlab's own programs, as sandboxed shells get them."""
        return self.path / "programs"

    def node(self, name: str) -> NodeDir:
        return NodeDir(self.path / "nodes" / name)
