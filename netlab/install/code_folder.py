"""Where netlab's unprivileged processes read its code: the checkout, or a read-only bind mount when its folder is closed to them.

A clone below /root is closed to everybody else. `make up` calls find(), `make down` calls release().
"""

import os
import subprocess
from pathlib import Path

from netlab.install.digests import digest_files, walk
from netlab.install.failure import Failed
from netlab.install.instance import TOP, Instance
from netlab.install.progress import Step, identity
from netlab.install.users import WEB_USER

MUST_READ = ("manage.py", "netlab/settings.py", ".venv/bin/python")


def digest() -> str:
    """Over all that running processes have read: code and templates."""
    files = [path for path in walk(TOP / "netlab", ("__pycache__", "install")) if path.suffix != ".pyc"]
    return digest_files([*files, TOP / "requirements" / "base.txt"], TOP)


def find(step: Step, instance: Instance) -> Path:
    """A folder with the code in it that the web user can read."""
    if readable(TOP):
        return TOP
    mounted = instance.run_dir / "code"
    if not os.path.ismount(mounted):
        mounted.mkdir(exist_ok=True)
        step.run(["mount", "--bind", TOP, mounted])
        step.run(["mount", "-o", "remount,bind,ro", mounted])
    if not readable(mounted):
        raise Failed(
            f"the user {WEB_USER} cannot read the files in {TOP}",
            f"They were checked out with a tight umask: chmod -R go+rX {TOP}, then run the command again.",
        )
    return mounted


def release(instance: Instance) -> None:
    mounted = instance.run_dir / "code"
    if os.path.ismount(mounted):
        subprocess.run(["umount", mounted], check=True)
    if mounted.is_dir():
        mounted.rmdir()


def readable(folder: Path) -> bool:
    """Tried as that user, which knows best about modes, lists and links."""
    files = [str(folder / name) for name in MUST_READ]
    program = "import sys; [open(name, 'rb').close() for name in sys.argv[1:]]"
    tried = subprocess.run(
        ["/usr/bin/python3", "-c", program, *files], cwd="/", capture_output=True, check=False, **identity(WEB_USER)
    )
    return tried.returncode == 0
