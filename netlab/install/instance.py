"""Which netlab is meant and where it is: settings of the command line and of /etc, paths of state and run folders.

Every command of the installer starts here. It knows no setting's meaning; netlab.config checks them once there is a
Python environment (check_settings.py).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from netlab.install.failure import Failed

TOP = Path(__file__).resolve().parents[2]
VENV = TOP / ".venv"
PYTHON = VENV / "bin" / "python"
PREFIX = "NETLAB_"
NOT_SETTINGS = {"NETLAB_ENV_FILE", "NETLAB_TEST_SESSION", "NETLAB_CHECK_LEFTOVERS", "NETLAB_URL", "NETLAB_CODE"}
"""Variables with our prefix that belong to the installer, the tests and the benches."""


@dataclass(frozen=True)
class Instance:
    """One netlab on this machine. `settings` are those that somebody has given, by variable name."""

    name: str
    state_dir: Path
    run_dir: Path
    settings: Mapping[str, str]

    @property
    def env_file(self) -> Path:
        """All settings as the host's processes and the workers read them; no secret is in it."""
        return self.state_dir / "netlab.env"

    @property
    def web_env_file(self) -> Path:
        """The same and the secret key: for the processes that sign and check sessions."""
        return self.state_dir / "web.env"

    @property
    def log_dir(self) -> Path:
        return self.state_dir / "log"

    @property
    def sign_in_file(self) -> Path:
        """The first instructor's name and password and the demo workshop's code; root's alone."""
        return self.state_dir / "instructor"

    @property
    def redis_socket(self) -> Path:
        return self.run_dir / "redis" / "redis.sock"

    @property
    def supervisor_socket(self) -> Path:
        return self.run_dir / "supervisor" / "supervisor.sock"

    @property
    def stamps_dir(self) -> Path:
        """Digests of what was done, so that it is not done twice."""
        return self.state_dir / "stamps"

    def setting(self, name: str, default: str) -> str:
        return self.settings.get(PREFIX + name.upper(), default)


def load_instance(environ: Mapping[str, str] | None = None) -> Instance:
    """The command line wins over /etc/netlab.env (for another instance: /etc/netlab-<instance>.env)."""
    environ = os.environ if environ is None else environ
    given = {key: value for key, value in environ.items() if key.startswith(PREFIX) and key not in NOT_SETTINGS}
    name = given.get("NETLAB_INSTANCE", "main")
    if not (name.isalnum() and name.isascii() and name == name.lower() and len(name) <= 8):
        raise Failed(f"NETLAB_INSTANCE is {name!r}", "An instance's name has 1 to 8 lower-case letters and digits.")
    lasting = Path("/etc/netlab.env" if name == "main" else f"/etc/netlab-{name}.env")
    settings = {**(read_env_file(lasting) if lasting.exists() else {}), **given}
    return Instance(
        name,
        Path(settings.get("NETLAB_STATE_DIR", f"/var/lib/netlab/{name}")),
        Path(settings.get("NETLAB_RUN_DIR", f"/run/netlab/{name}")),
        settings,
    )


def read_env_file(path: Path) -> dict[str, str]:
    """NAME=value lines; comments and empty lines are skipped, one pair of quotes is taken off."""
    values = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise Failed(f"{path}, line {number}: this is not NAME=value", f"Correct the line in {path}.")
        values[name.strip()] = value.strip().strip("'\"")
    return values


def write_private(path: Path, text: str, mode: int, uid: int = 0, gid: int = 0) -> None:
    """Write a file at once and whole, never readable by more than it should be, not even for a moment."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    partial.replace(path)
