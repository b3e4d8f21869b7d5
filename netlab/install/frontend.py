"""The front-end build with the Node.js of the Python environment. Called by `make up` and `make test`.

`npm ci` runs when the package lock has changed, `npm run build` when anything of the sources has.
"""

import os
from collections.abc import Mapping

from netlab.install import environment
from netlab.install.digests import Stamp, digest_files, walk
from netlab.install.instance import TOP
from netlab.install.progress import Step

FRONTEND = TOP / "frontend"
MODULES_STAMP = Stamp(FRONTEND / "node_modules" / ".netlab-lock")
BUILD_STAMP = Stamp(FRONTEND / "dist" / ".netlab-sources")
NOT_SOURCES = ("node_modules", "dist", "coverage", "test-results", ".vite")


def ensure(step: Step) -> None:
    step.hint = "Look whether this machine reaches its npm registry (`npm config get registry`), then run the command again."
    environ = {**os.environ, "PATH": environment.tool_path(), "CI": "1", "NO_COLOR": "1"}
    installed = ensure_modules(step, environ)
    sources = digest_files(walk(FRONTEND, NOT_SOURCES), FRONTEND)
    if BUILD_STAMP.holds(sources):
        step.note = "unchanged"
        return
    BUILD_STAMP.remove()
    step.hint = "The front end's sources do not build: look at the errors above, or go back to a version that does."
    step.run(["npm", "run", "build"], cwd=FRONTEND, env=environ)
    BUILD_STAMP.write(sources)
    step.note = "packages installed, built" if installed else "built"


def ensure_modules(step: Step, environ: Mapping[str, str]) -> bool:
    """node_modules as the lock says. True: it was made anew."""
    lock = digest_files([FRONTEND / "package.json", FRONTEND / "package-lock.json"], FRONTEND)
    if MODULES_STAMP.holds(lock):
        return False
    MODULES_STAMP.remove()
    step.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=FRONTEND, env=environ)
    MODULES_STAMP.write(lock)
    return True
