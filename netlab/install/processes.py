"""netlab's processes under supervisord: which there are, as which user, how they are started, asked and stopped.

`make up` writes the configuration and starts or refreshes; `down` stops; `status` asks. Talks XML-RPC over supervisord's
unix socket, so answers are numbers and fields, never text to be matched.
"""

import http.client
import os
import resource
import signal
import socket
import time
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netlab.install.certificate import Tls
from netlab.install.failure import Failed
from netlab.install.instance import Instance, write_private
from netlab.install.progress import Step
from netlab.install.users import WEB_USER, WORKER_USER

RUNNING = 20
STOPPING = 40
FATAL = 200
"""supervisor.states.ProcessStates."""
STOP_WAIT_S = 20
ORDER = {"redis": 10, "holder": 20, "agent": 30, "web": 50}
ORDER_OF_THE_REST = 40
"""When a process is started; in reverse when it is stopped."""
DESCRIPTORS = 65536
"""Wanted for every process; as many as the machine's hard limit allows."""
GUEST = "guest"
KEPT_ON_UPDATE = {"redis", "holder"}
"""Restarted by `make down` alone: messages wait in one, shells live in the other."""


@dataclass(frozen=True)
class Program:
    """One process: what it is called, how it is started, as whom. `once`: it does something and ends."""

    name: str
    command: str
    user: str
    once: bool = False


def programs(
    instance: Instance, code: Path, host_name: str, tls: Tls, listen: tuple[str, int], web_processes: int
) -> list[Program]:
    python = f"{code}/.venv/bin/python"
    celery = f"{python} -m celery --quiet -A"
    worker = "worker --without-gossip --without-mingle --loglevel"
    secure = f" --ssl-certfile {tls.certificate} --ssl-keyfile {tls.key}" if tls.certificate else ""
    web = (
        f"{python} -m uvicorn netlab.asgi:application --host {listen[0]} --port {listen[1]}{secure} --workers {web_processes}"
        " --ws netlab.live.ws_protocol:WebSockets --loop uvloop --ws-per-message-deflate false --ws-max-size 131072"
        " --ws-ping-interval 20 --no-access-log --no-proxy-headers --no-server-header --lifespan off"
        " --timeout-graceful-shutdown 3"
    )
    control, work = f"host.{host_name}.control", f"host.{host_name}.work"
    commands = {
        "redis": (f"/usr/bin/redis-server {instance.state_dir}/redis.conf", WEB_USER),
        "holder": (f"{python} -m netlab.host holder", "root"),
        "agent": (f"{python} -m netlab.host agent", "root"),
        "projector": (f"{python} manage.py projector", WEB_USER),
        # they have a message every two seconds: only what goes wrong is worth a line
        "sweeper": (f"{celery} netlab.celery {worker} WARNING -Q sweeps -n sweeps@{host_name} --pool solo", WEB_USER),
        "beat": (
            f"{celery} netlab.queue.app beat --loglevel WARNING --schedule {instance.state_dir}/web/beat --pidfile=", WEB_USER
        ),
        "worker-control": (f"{celery} netlab.queue.app {worker} INFO -Q {control} -n control@{host_name} -c 2", WORKER_USER),
        "worker-work": (f"{celery} netlab.queue.app {worker} INFO -Q {work} -n work@{host_name} -c 2", WORKER_USER),
        "web": (web, WEB_USER),
    }
    return [Program(name, *rest) for name, rest in commands.items()]


def guest_build(code: Path, cache: Path, log: Path) -> Program:
    """Builds the guest image beside the running netlab, and ends. `cache` is of whoever called `make up`."""
    command = f"/usr/bin/env XDG_CACHE_HOME={cache} {code}/.venv/bin/python -m netlab.install.guest {log}"
    return Program(GUEST, command, "root", once=True)


def write_configuration(instance: Instance, code: Path, wanted: list[Program]) -> str:
    """supervisord's and Redis' files; a text that changes when a lasting process is to be started differently."""
    write_private(instance.state_dir / "redis.conf", _redis_conf(instance), 0o644)
    write_private(configuration(instance), _supervisor_conf(instance, code, wanted), 0o600)
    return _supervisor_conf(instance, code, [program for program in wanted if not program.once]) + _redis_conf(instance)


def configuration(instance: Instance) -> Path:
    return instance.state_dir / "supervisord.conf"


def _redis_conf(instance: Instance) -> str:
    return f"""# made by netlab.install; reached through the socket alone
port 0
unixsocket {instance.redis_socket}
unixsocketperm 770
dir {instance.state_dir}/redis
daemonize no
# its title would overwrite the environment by which `make down` knows its own
set-proc-title no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


def _supervisor_conf(instance: Instance, code: Path, wanted: list[Program]) -> str:
    log = instance.log_dir
    head = f"""; made by netlab.install
[supervisord]
user=root
pidfile={instance.run_dir}/supervisor/pid
logfile={log}/supervisord.log
logfile_maxbytes=5MB
logfile_backups=2
childlogdir={log}
identifier=netlab-{instance.name}
umask=027
minfds={min(DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1])}

[unix_http_server]
file={instance.supervisor_socket}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    return head + "".join(_program_conf(instance, code, program) for program in wanted)


def _program_conf(instance: Instance, code: Path, program: Program) -> str:
    settings = instance.web_env_file if program.user == WEB_USER else instance.env_file
    return f"""
[program:{program.name}]
command={program.command.replace("%", "%%")}
directory={code}
user={program.user}
environment=NETLAB_ENV_FILE="{settings}",HOME="/nonexistent",USER="{program.user}",PYTHONUNBUFFERED="1"
priority={_order(program.name)}
autorestart={"false" if program.once else "true"}
startsecs={0 if program.once else 2}
startretries=10
stopwaitsecs={STOP_WAIT_S}
killasgroup=true
redirect_stderr=true
stdout_logfile={instance.log_dir}/{program.name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""


# --- talking to supervisord ------------------------------------------------------------------------------------------


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=STOP_WAIT_S * 10)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(str(self.path))
        except OSError:
            self.sock.close()
            raise


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def make_connection(self, host: Any) -> _Connection:
        """Kept where the base class looks for what it has to close."""
        connection = _Connection(self.path)
        self.close()
        self._connection = host, connection
        return connection


@contextmanager
def supervisor(instance: Instance) -> Iterator[Any]:
    """supervisord's API (supervisord.org/api.html); None when it does not run."""
    with xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(instance.supervisor_socket)) as server:
        try:
            server.supervisor.getPID()
        except OSError:
            yield None
            return
        yield server.supervisor


def lasting(infos: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what does something once and ends."""
    return [info for info in infos if info["name"] != GUEST]


def is_running(instance: Instance) -> bool:
    with supervisor(instance) as api:
        return api is not None


def states(instance: Instance) -> list[dict[str, Any]]:
    """One dict a process (name, state, statename, pid, start, now, spawnerr); empty when supervisord does not run."""
    with supervisor(instance) as api:
        return list(api.getAllProcessInfo()) if api else []


def start(step: Step, instance: Instance, code: Path) -> None:
    """Start supervisord, which starts all others."""
    instance.supervisor_socket.unlink(missing_ok=True)
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    step.run([f"{code}/.venv/bin/supervisord", "--configuration", configuration(instance)], env=env, cwd=Path("/"))


def refresh(step: Step, instance: Instance, restart: bool) -> None:
    """Take up a changed configuration; with `restart` also begin anew what runs netlab's code."""
    with supervisor(instance) as api:
        _refresh(step, instance, restart, api)


def _refresh(step: Step, instance: Instance, restart: bool, api: Any) -> None:
    try:
        added, changed, removed = api.reloadConfig()[0]
    except xmlrpc.client.Fault as fault:
        what = f"supervisord refuses {configuration(instance)}: {fault.faultString}"
        raise Failed(what, "Run `make down`, then `make up`.") from fault
    infos = api.getAllProcessInfo()
    kept = {info["name"] for info in infos if info["state"] == RUNNING and (not restart or info["name"] in KEPT_ON_UPDATE)}
    again = ({info["name"] for info in infos} - kept) | {*changed, *removed}
    _stop(step, api, list(again))
    for name in [*removed, *changed]:
        api.removeProcessGroup(name)
    for name in [*changed, *added]:
        api.addProcessGroup(name)
    for name in sorted(again - set(removed), key=_order):
        with suppress(xmlrpc.client.Fault):  # it is being started: it has just been added
            api.startProcess(name, False)


def stop(step: Step, instance: Instance) -> None:
    """Stop everything, then whatever no supervisord looks after any more."""
    with supervisor(instance) as api:
        if api:
            pid = int(api.getPID())
            _stop(step, api, [info["name"] for info in api.getAllProcessInfo()])
            api.shutdown()
            _wait_gone([pid], STOP_WAIT_S)
    stop_orphans(instance)


def _stop(step: Step, api: Any, names: list[str]) -> None:
    """Last started first; those of the same order side by side."""
    for order in sorted({_order(name) for name in names}, reverse=True):
        stopping = [name for name in names if _order(name) == order]
        for name in stopping:
            with suppress(xmlrpc.client.Fault):  # it did not run
                api.stopProcess(name, False)
        while still := [name for name in stopping if api.getProcessInfo(name)["state"] in (RUNNING, STOPPING)]:
            step.doing = f"stopping {', '.join(still)}"
            time.sleep(0.05)


def _order(name: str) -> int:
    return ORDER.get(name, ORDER_OF_THE_REST)


def stop_orphans(instance: Instance) -> None:
    """Processes that carry this instance's settings file in their environment and have lost their supervisord."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        pids = ours(instance)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
        if _wait_gone(pids, 10):
            return


def ours(instance: Instance) -> list[int]:
    """What supervisord started with this instance's settings: found by its environment, not by its name.

    Those of another pid namespace are somebody else's: a container with a netlab of the same name in it.
    """
    marks = {f"NETLAB_ENV_FILE={path}".encode() for path in (instance.env_file, instance.web_env_file)}
    here, found = os.readlink("/proc/self/ns/pid"), []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            environ = set((folder / "environ").read_bytes().split(b"\0"))
            mine = b"SUPERVISOR_ENABLED=1" in environ and not marks.isdisjoint(environ)
            if mine and int(folder.name) != os.getpid() and os.readlink(folder / "ns" / "pid") == here:
                found.append(int(folder.name))
    return found


def _wait_gone(pids: list[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(lives(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
