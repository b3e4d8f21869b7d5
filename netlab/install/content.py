"""Database, static files, first instructor and demo workshop: netlab's own management commands, run as the web user.

Called by `make up`; skipped by digest.
"""

import json
import os
import pwd
import secrets
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

from netlab.install import code_folder
from netlab.install.digests import Stamp, digest_files, walk
from netlab.install.frontend import BUILD_STAMP
from netlab.install.instance import TOP, Instance, write_private
from netlab.install.progress import Step
from netlab.install.users import WEB_USER

INSTRUCTOR = "instructor"
DATABASE = "netlab.sqlite3"
PASSWORD_BYTES = 12


@dataclass(frozen=True)
class SignIn:
    """What the operator is shown: the first instructor's name and password, the demo workshop's join code."""

    name: str
    password: str
    code: str


def manage(step: Step, instance: Instance, folder: Path, *words: str) -> str:
    """Run `manage.py` as the web user and give back what it printed."""
    env = {
        "NETLAB_ENV_FILE": str(instance.web_env_file),
        "LANG": "C.UTF-8",
        "HOME": "/nonexistent",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }
    return step.output([folder / ".venv" / "bin" / "python", "manage.py", *words], env=env, cwd=folder, user=WEB_USER)


def ensure_database(step: Step, instance: Instance, folder: Path) -> None:
    """Migrate and collect when code or front end have changed, or the database is gone."""
    stamp, is_there = Stamp(instance.stamps_dir / "database"), (instance.state_dir / "web" / DATABASE).exists()
    digest = f"{code_folder.digest()} {BUILD_STAMP.path.read_text().strip()}"
    if stamp.holds(digest) and is_there:
        step.note = "unchanged"
        return
    stamp.remove()
    if is_there:
        hand_over_database(instance.state_dir / "web", pwd.getpwnam(WEB_USER))
    else:
        Stamp(instance.stamps_dir / "sign-in").remove()
    step.doing = "migrating the database"
    manage(step, instance, folder, "migrate", "--no-input", "--verbosity", "0")
    step.doing = "collecting static files"
    manage(step, instance, folder, "collectstatic", "--no-input", "--clear", "--verbosity", "0")
    stamp.write(digest)
    step.note = "migrated, static files collected"


def hand_over_database(folder: Path, web: pwd.struct_passwd) -> None:
    """Root's own database, made by a command of `manage.py` before the first `make up`, becomes the web user's.

    The web user may write into the folder: what it has put there in the file's place is left alone.
    """
    for path in folder.glob(f"{DATABASE}*"):
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
        try:
            there = os.fstat(descriptor)
            if stat.S_ISREG(there.st_mode) and there.st_uid == 0 and there.st_nlink == 1:
                os.chown(f"/proc/self/fd/{descriptor}", web.pw_uid, web.pw_gid)
        finally:
            os.close(descriptor)


def ensure_sign_in(step: Step, instance: Instance, folder: Path) -> SignIn:
    """The account is made once; the demo workshop is given the labs that have come since.

    The file is written before the account, so that no interruption leaves an account whose password nobody has.
    """
    stamp = Stamp(instance.stamps_dir / "sign-in")
    digest = f"{code_folder.digest()} {digest_files(walk(TOP / 'labs'), TOP)}"
    known = read_sign_in(instance)
    if known and known.code and stamp.holds(digest):
        step.note = "unchanged"
        return known
    is_new = known is None or not stamp.path.exists()
    sign_in = known or SignIn(INSTRUCTOR, secrets.token_urlsafe(PASSWORD_BYTES), "")
    if is_new:
        write_sign_in(instance, sign_in)
        set_password(step, instance, folder, sign_in)
    answer = json.loads(manage(step, instance, folder, "demo_workshop", "--instructor", sign_in.name, "--json"))
    sign_in = SignIn(sign_in.name, sign_in.password, str(answer["code"]))
    write_sign_in(instance, sign_in)
    stamp.write(digest)
    step.note = f"made, kept in {instance.sign_in_file}" if is_new else "the demo workshop has the labs of now"
    return sign_in


def set_password(step: Step, instance: Instance, folder: Path, sign_in: SignIn) -> None:
    """The account with this name and password; passed through a file that only the web user can read."""
    web = pwd.getpwnam(WEB_USER)
    file = instance.state_dir / "first-password"
    try:
        write_private(file, sign_in.password + "\n", 0o400, web.pw_uid, web.pw_gid)
        manage(step, instance, folder, "make_instructor", sign_in.name, "--operator", "--password-file", str(file))
    finally:
        file.unlink(missing_ok=True)


def read_sign_in(instance: Instance) -> SignIn | None:
    if not instance.sign_in_file.exists():
        return None
    return SignIn(**json.loads(instance.sign_in_file.read_text()))


def write_sign_in(instance: Instance, sign_in: SignIn) -> None:
    write_private(instance.sign_in_file, json.dumps(asdict(sign_in), indent=1) + "\n", 0o600)
