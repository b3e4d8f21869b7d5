"""System users and folders with tight modes. Called by `make up`; every call brings owners and modes back to what is here."""

import grp
import os
import pwd
from collections.abc import Callable
from pathlib import Path

from netlab.install.failure import Failed
from netlab.install.instance import Instance
from netlab.install.progress import Step

GROUP = "netlab"
"""May read the settings and reach Redis and the agent's socket."""
WEB_USER = "netlab-web"
WORKER_USER = "netlab-worker"


def ensure_users(step: Step) -> None:
    made = []
    if not _has(grp.getgrnam, GROUP):
        step.run(["groupadd", "--system", GROUP])
    for user in (WEB_USER, WORKER_USER):
        if not _has(pwd.getpwnam, user):
            step.run(
                [
                    "useradd",
                    "--system",
                    "--gid",
                    GROUP,
                    "--no-create-home",
                    "--home-dir",
                    "/nonexistent",
                    "--shell",
                    "/usr/sbin/nologin",
                    user,
                ]
            )
            made.append(user)
    step.note = f"made {' and '.join(made)}" if made else "unchanged"


def ensure_folders(instance: Instance) -> None:
    """The web user may write only into folders of its own: what root reads back must not be replaceable by it."""
    group, web = grp.getgrnam(GROUP).gr_gid, pwd.getpwnam(WEB_USER).pw_uid
    for parent in (instance.state_dir.parent, instance.run_dir.parent):
        _folder(parent, 0o711, 0, 0, keep=True)
    state, run = instance.state_dir, instance.run_dir
    for path, mode, uid, gid in (
        (state, 0o750, 0, group),
        (state / "web", 0o700, web, group),
        (state / "redis", 0o700, web, group),
        (state / "tls", 0o750, 0, group),
        (state / "log", 0o700, 0, 0),
        (state / "stamps", 0o700, 0, 0),
        (run, 0o711, 0, 0),
        (run / "redis", 0o750, web, group),
        (run / "supervisor", 0o700, 0, 0),
    ):
        _folder(path, mode, uid, gid)


def _folder(path: Path, mode: int, uid: int, gid: int, keep: bool = False) -> None:
    there = path.is_dir()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise Failed(
            f"{path} is in the way: it is not a folder", "Move it away, or set NETLAB_STATE_DIR or NETLAB_RUN_DIR."
        ) from error
    if there and keep:
        return
    os.chown(path, uid, gid, follow_symlinks=False)
    path.chmod(mode)


def _has(look_up: Callable[[str], object], name: str) -> bool:
    try:
        look_up(name)
    except KeyError:
        return False
    return True
