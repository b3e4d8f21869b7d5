"""Debian packages: installs what packages.txt names and the machine lacks. Called by `make up`, `test` and `bench-*`.

Services that the packages bring are neither started nor enabled: netlab runs its own Redis and no other.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from netlab.install.failure import Failed
from netlab.install.locks import alone
from netlab.install.progress import Step

LIST = Path(__file__).with_name("packages.txt")
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\n# netlab: no service starts while its packages are installed; removed afterwards\nexit 101\n"
SERVICES = {"redis-server": "redis-server.service"}
"""Packages of ours that bring a system service which nobody asked for."""
LOCK_WAIT_S = 300
DPKG = Path("/var/lib/dpkg")
"""Whose lock two installers share; dpkg's own is a file in it."""
APT = ("apt-get", "-y", "-o", f"DPkg::Lock::Timeout={LOCK_WAIT_S}", "-o", "APT::Status-Fd=2", "-o", "Dpkg::Use-Pty=0")


def listed(groups: Sequence[str]) -> list[str]:
    """The packages of these groups of packages.txt."""
    found, group = [], ""
    for line in LIST.read_text().splitlines():
        text = line.split("#")[0].strip()
        if text.startswith("["):
            group = text.strip("[]")
        elif text and group in groups:
            found.append(text)
    return found


def missing(packages: Sequence[str]) -> list[str]:
    """Those that are not installed and configured."""
    answer = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    there = {line.split()[0] for line in answer.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in packages if name not in there]


def install(step: Step, groups: Sequence[str]) -> None:
    """Install what is missing of these groups; without anything missing no program but dpkg-query is started."""
    wanted = missing(listed(groups))
    if not wanted:
        step.note = "nothing missing"
        return
    if os.geteuid() != 0:
        raise Failed(f"Debian packages are missing: {' '.join(wanted)}", "Run this as root once, or install them yourself.")
    step.hint = "Look whether this machine reaches its Debian mirror (`apt-get update`), then run the command again."
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    shown = f"{len(wanted)} packages"
    with alone(DPKG), services_off():
        _finish_interrupted(step, env)
        step.doing = f"{shown}: fetching the lists"
        step.run([*APT, "update"], env=env, watch=lambda: f"{shown}: fetching the lists")
        step.run([*APT, "install", "--no-install-recommends", *wanted], env=env, watch=lambda: f"{shown}: {_percent(step.log)}")
        for package, service in SERVICES.items():
            if package in wanted:
                step.run(["systemctl", "disable", "--quiet", service], env=env)
    step.note = f"installed {' '.join(wanted)}"


def _finish_interrupted(step: Step, env: dict[str, str]) -> None:
    """An installation that was cut off before: dpkg says so and knows how to go on."""
    if subprocess.run(["dpkg", "--audit"], capture_output=True, text=True, check=False).stdout.strip():
        step.run(["dpkg", "--configure", "--pending", "--force-confold"], env=env)


def _percent(log: Path) -> str:
    """apt's own progress: 'dlstatus:1:12.5:Retrieving file' and 'pmstatus:crun:40.0:Unpacking crun'."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
        lines = file.read().decode(errors="replace").splitlines()
    for line in reversed(lines):
        parts = line.split(":", 3)
        if len(parts) == 4 and parts[0] in ("dlstatus", "pmstatus"):
            return f"{float(parts[2]):.0f} % {'fetched' if parts[0] == 'dlstatus' else 'installed'}, {parts[3]}"
    return "starting"


@contextmanager
def services_off() -> Iterator[None]:
    """Keep packages from starting services. A policy of somebody else's is left alone; one that we left behind is not."""
    ours = not POLICY.exists() or POLICY.read_text() == POLICY_TEXT
    if ours:
        POLICY.write_text(POLICY_TEXT)
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)
