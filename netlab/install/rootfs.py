"""The root file system of sandboxed nodes: built once by guest/rootfs/build.sh, kept by the digest of its recipe.

`make up` and `make test` start `python3 -m netlab.install.rootfs` beside their other steps and wait for it later. The
finished tree appears by one rename; a tree that was cut off is removed by the next build. Never touches a finished tree.
"""

import os
import subprocess
import sys
from pathlib import Path

from netlab.install.digests import digest_files, walk
from netlab.install.failure import Failed
from netlab.install.instance import TOP
from netlab.install.locks import alone
from netlab.install.progress import Step, how_it_ended, last_line, stop_group

RECIPE = TOP / "guest" / "rootfs"
DIGEST_CHARS = 16


def cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netlab" / "rootfs"


def tree() -> Path:
    """Where the tree of this checkout's recipe is, or will be."""
    return cache_dir() / digest_files(walk(RECIPE), RECIPE)[:DIGEST_CHARS]


class Build:
    """The build beside other steps: started early, waited for when it is needed."""

    def __init__(self, log: Path) -> None:
        self.tree, self.log = tree(), log
        self.process: subprocess.Popen[bytes] | None = None
        if not self.tree.is_dir():
            with log.open("wb") as out:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "netlab.install.rootfs"],
                    cwd=TOP,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )

    def wait(self, step: Step) -> Path:
        if self.process is None:
            step.note = f"unchanged: {self.tree}"
            return self.tree
        while True:
            try:
                code = self.process.wait(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                step.doing = last_line(self.log, 0)
        if code != 0:
            raise Failed(
                f"the build {how_it_ended(code)}", "Look whether this machine's Debian mirror has the suite trixie.", self.log
            )
        step.note = f"built: {self.tree}"
        return self.tree

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            stop_group(self.process)


def main() -> int:
    """Build the tree unless it is there. Two at once: the second waits for the first."""
    target = tree()
    partial = target.with_name(f"{target.name}.partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    with alone(target.parent):
        if target.is_dir():
            return 0
        remove_partial(partial)
        code = subprocess.run([RECIPE / "build.sh", partial], stdin=subprocess.DEVNULL, check=False).returncode
        if code != 0:
            remove_partial(partial)
            return code
        partial.rename(target)
    return 0


def remove_partial(partial: Path) -> None:
    """What a build that was cut off has left: its mounts first, for below them is the machine's own /proc and /sys."""
    inside = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for target in sorted((path for path in inside if path.startswith(f"{partial}/")), reverse=True):
        subprocess.run(["umount", target], check=True)
    if partial.exists():
        subprocess.run(["rm", "-rf", "--one-file-system", partial], check=True)


if __name__ == "__main__":
    sys.exit(main())
