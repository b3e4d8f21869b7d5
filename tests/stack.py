"""The real stack for tests and benches: `make up` with an instance, a port and folders of its own, and `make down` after.

Used by fixtures; nothing in it is a stand-in: supervisord, Redis, web, workers, agent, as an operator gets them.
"""

import json
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.attendee import Attendee
from netlab.install.instance import load_instance
from netlab.install.processes import states

TOP = Path(__file__).resolve().parents[1]
OF_THE_SESSION = ("NETLAB_TEST_SESSION", "NETLAB_GUEST_DIR", "NETLAB_TEMPLATES_DIR")
"""What `make test` has found or made for all stacks."""
UP_LIMIT_S = 600
DOWN_LIMIT_S = 120


class StackFailed(Exception):
    """`make up` or `make down` of the tests' own instance did not work; the message is what it printed."""


@dataclass(frozen=True)
class Stack:
    """A running netlab. `url` is on this machine's own name; `code` is the demo workshop's."""

    instance: str
    url: str
    code: str
    instructor: str
    password: str
    env: dict[str, str]

    @property
    def state_dir(self) -> Path:
        return Path(f"/var/lib/netlab/{self.instance}")

    def attendee(self) -> Attendee:
        return Attendee(self.url)

    def manage(self, *words: str) -> str:
        """Run a management command in this instance as root; its output."""
        env = {**self.env, "NETLAB_ENV_FILE": str(self.state_dir / "web.env")}
        done = subprocess.run(
            [TOP / ".venv/bin/python", "manage.py", *words], cwd=TOP, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StackFailed(done.stdout + done.stderr)
        return done.stdout

    def pid(self, process: str) -> int:
        """Of one of netlab's processes, as supervisord knows it; 0 while it does not run."""
        instance = load_instance({"NETLAB_INSTANCE": self.instance})
        return next((int(p["pid"]) for p in states(instance) if p["name"] == process), 0)

    def down(self) -> None:
        said = _install("down", self.env, DOWN_LIMIT_S)
        shutil.rmtree(self.state_dir, ignore_errors=True)
        if said.returncode:
            raise StackFailed(said.stdout)


def running(instance: str) -> Stack:
    """One that somebody has started by hand, to write a test against without waiting; never stopped by tests."""
    lines = Path(f"/var/lib/netlab/{instance}/netlab.env").read_text().splitlines()
    port = next(line.partition("=")[2].strip('"') for line in lines if line.startswith("NETLAB_LISTEN_PORT="))
    return _stack(instance, port, {**os.environ, "NETLAB_INSTANCE": instance, "NETLAB_LISTEN_PORT": port})


def start(instance: str, **more: str) -> Stack:
    """Install what is missing and start, with `more` settings; raises StackFailed with what was printed."""
    settings = {"NETLAB_INSTANCE": instance, "NETLAB_LISTEN_PORT": str(_free_port()), "NETLAB_HOST_NAME": "local", **more}
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NETLAB_") or k in OF_THE_SESSION}
    env = {**inherited, **settings}
    said = _install("up", env, UP_LIMIT_S)
    if said.returncode:
        _install("down", env, DOWN_LIMIT_S)
        raise StackFailed(said.stdout)
    return _stack(instance, settings["NETLAB_LISTEN_PORT"], env)


def _stack(instance: str, port: str, env: dict[str, str]) -> Stack:
    sign_in = json.loads(Path(f"/var/lib/netlab/{instance}/instructor").read_text())
    return Stack(instance, f"https://localhost:{port}", sign_in["code"], sign_in["name"], sign_in["password"], env)


def _install(command: str, env: dict[str, str], limit_s: float) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/usr/bin/python3", "-m", "netlab.install", command],
        cwd=TOP, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=limit_s, check=False,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
