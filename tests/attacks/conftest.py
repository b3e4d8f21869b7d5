"""Two runs side by side: the attacker's lab and the neighbour's; and evidence of what must not change.

The same can be built with a weakened sandbox, of which only the user namespace is left: for proof that attacks can work.
"""

import asyncio
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from netlab.config import Config
from netlab.domain.ids import new_run_id
from netlab.domain.lab import Isolation, LabSpec
from netlab.domain.resolve import ResolvedLab, resolve
from netlab.host.nodes.api import ExecResult, RunNodes
from netlab.host.nodes.sandboxed import SandboxedNodes
from netlab.host.nsworker.client import NsWorker
from netlab.host.probe import bpf
from netlab.host.sandbox.bundle import Confinement
from netlab.host.steps import SilentSink, Steps
from tests.attacks.attack import Attack, Outcome

_ALL = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST
NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE
SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM
BLOCK_SUSPEND AUDIT_READ PERFMON
"""
ALL_CAPABILITIES = tuple(f"CAP_{name}" for name in _ALL.split())
WEAK = Confinement(seccomp=False, no_new_privileges=False, mask_paths=False, capabilities=ALL_CAPABILITIES)
CHANGED_BY_OTHERS = ("gc_thresh", "nf_conntrack_count", "nf_conntrack_max", "tcp_fastopen_key", "bpf_jit_harden")
"""Host sysctls that a netlab beside this test may set, or that count."""


def lab(first: str, second: str, network: str) -> ResolvedLab:
    """Two nodes with a wire between them."""
    return resolve(LabSpec.model_validate({
        "id": "t", "title": "Two nodes", "summary": "Two nodes and a wire.", "topic": "xdp", "minutes": 1,
        "nodes": [
            {"name": first, "interfaces": [{"name": "eth0", "addresses": [f"{network}.1/24"]}]},
            {"name": second, "interfaces": [{"name": "eth0", "addresses": [f"{network}.2/24"]}]},
        ],
        "links": [{"ends": [f"{first}:eth0", f"{second}:eth0"]}], "steps": [{"id": "one", "title": "One", "text": "one.md"}],
    }))


@dataclass
class Box:
    """The attacker's node `a` (with `b` at its wire) and the neighbour's `v` and `w`, and the host around them."""

    runner: asyncio.Runner
    nodes: SandboxedNodes
    attacker: RunNodes
    victim: RunNodes
    config: Config
    secret: Path
    facts: dict[str, str] = field(default_factory=dict)

    def execute(self, node: str, argv: list[str], **more: Any) -> ExecResult:
        run = self.attacker if node in self.attacker.places else self.victim
        return self.runner.run(self.nodes.execute(run, node, argv, **more))

    def sh(self, node: str, script: str, **more: Any) -> ExecResult:
        return self.execute(node, ["/bin/sh", "-c", script], **more)

    def out(self, node: str, script: str) -> str:
        done = self.sh(node, script, timeout_s=20, output_limit=1 << 20)
        assert done.exit_code == 0, done
        return done.stdout.decode()

    def carry_out(self, attack: Attack) -> Outcome:
        done = self.execute("a", attack.argv(self.facts), timeout_s=20)
        outcome = Outcome.of(done.stdout, done.exit_code)
        if outcome.word == "broken":
            outcome = Outcome("broken", f"{done.exit_code} {done.stderr[-500:].decode(errors='replace')}")
        return outcome

    def alive(self) -> None:
        """The neighbour's process, the host's secret and the attacker's own init are as they were."""
        assert Path(f"/proc/{self.facts['victim_pid']}").exists(), "the neighbour's process is gone"
        assert self.secret.read_text() == self.facts["token"]
        assert Path(f"/proc/{self.attacker.places['a'].init_pid}").exists(), "the node's own init is gone"

    def evidence(self) -> dict[str, object]:
        """What the suite must leave as it is, on the host and at the neighbour's."""
        rootfs = self.config.rootfs_dir
        return {
            "host name": socket.gethostname(),
            "host links": sorted(os.listdir("/sys/class/net")),
            "host settings": _settings(),
            "host network settings": _network_settings(),
            "host modules": Path("/proc/modules").read_text() if Path("/proc/modules").exists() else "",
            "host clock": round((time.time() - time.monotonic()) / 10),
            "image": {p: (rootfs / p).exists() for p in ("root/x", "root/up", "tmp/e", "tmp/jail", "tmp/m")},
            "lab folders cannot hold set-uid programs": bool(os.statvfs(self.victim.lab_dir).f_flag & os.ST_NOSUID),
            "neighbour": self.out("v", "ip -o addr; ip -o route; ls -la /lab /root; cat /root/precious; hostname"),
            "neighbour settings": self.out("v", "sysctl -a 2>/dev/null | grep ^net | grep -v gc_thresh"),
        }


def _settings() -> dict[str, str]:
    names = ("core_pattern", "modprobe", "hostname", "threads-max", "randomize_va_space", "yama/ptrace_scope", "panic")
    return {n: p.read_text() for n in names if (p := Path("/proc/sys/kernel") / n).exists()}


def _network_settings() -> dict[str, str]:
    done = subprocess.run(["sysctl", "-a", "-r", r"^net\."], capture_output=True, text=True)
    rows = (line.partition(" = ") for line in done.stdout.splitlines())
    return {name: value for name, _, value in rows if not any(part in name.replace(".", "/") for part in CHANGED_BY_OTHERS)}


def _descriptor_id(descriptor: int, word: str) -> str:
    for line in Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines():
        if line.startswith(word):
            return line.split()[1]
    raise AssertionError(word)


def _host_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            return str(probe.getsockname()[0])
        except OSError:
            return "192.0.2.1"


async def _build(nodes: SandboxedNodes, run: str, resolved: ResolvedLab) -> RunNodes:
    async with Steps(SilentSink()) as steps:
        built = await nodes.create(run, resolved, Isolation.STRANGERS, steps)
        steps.keep()
    return built


@contextmanager
def boxed(confinement: Confinement, state_dir: Path) -> Iterator[Box]:
    """Both labs, and on the host a secret file, a listening port, an abstract socket, a program and a map."""
    instance = f"atk{secrets.token_hex(2)}"
    config = Config(instance=instance, run_dir=Path("/run/netlab") / instance, state_dir=state_dir)
    config.run_dir.mkdir(mode=0o711, parents=True)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, config.run_dir, ignore_errors=True)
        runner = stack.enter_context(asyncio.Runner())
        worker = NsWorker()
        runner.run(worker.start())
        stack.callback(lambda: runner.run(worker.close()))
        nodes = SandboxedNodes(config, worker, confinement)
        runs = [new_run_id(), new_run_id()]
        for run in runs:
            stack.callback(lambda run: runner.run(nodes.remove(run)), run)
        attacker = runner.run(_build(nodes, runs[0], lab("a", "b", "10.99.0")))
        victim = runner.run(_build(nodes, runs[1], lab("v", "w", "10.88.0")))
        secret, token = config.run_dir / "secret", secrets.token_hex(16)
        secret.write_text(token)
        box = Box(runner, nodes, attacker, victim, config, secret, {"token": token, "secret": str(secret)})
        box.out("v", "echo mine > /root/precious; echo mine > /lab/precious")
        box.execute("v", ["/bin/sleep", "600"], background=True)
        box.facts |= _host_side(stack, victim)
        yield box


def _host_side(stack: ExitStack, victim: RunNodes) -> dict[str, str]:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    abstract = f"netlab-attacks-{secrets.token_hex(4)}"
    local = stack.enter_context(socket.socket(socket.AF_UNIX))
    local.bind(f"\0{abstract}")
    local.listen()
    program = bpf.load(bpf.PROG_TYPE_XDP, bpf.returns(bpf.XDP_PASS), attach_type=bpf.ATTACH_XDP)
    stack.callback(os.close, program)
    array = bpf.create_map(bpf.MAP_TYPE_ARRAY, 4, 8, 1)
    stack.callback(os.close, array)
    children = Path(f"/proc/{victim.places['v'].init_pid}/task/{victim.places['v'].init_pid}/children").read_text().split()
    return {
        "port": str(listener.getsockname()[1]), "abstract": abstract, "host_address": _host_address(),
        "program_id": _descriptor_id(program, "prog_id:"), "map_id": _descriptor_id(array, "map_id:"),
        "victim_pid": children[0] if children else str(victim.places["v"].init_pid), "host_pid": str(os.getpid()),
        "victim_lab": str(victim.lab_dir / "precious"),
    }


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """As attendees get it. Afterwards host and neighbour must be as they were."""
    with boxed(Confinement(), tmp_path_factory.mktemp("state")) as made:
        before = made.evidence()
        yield made
        after = made.evidence()
        changed = {name: (before[name], after[name]) for name in before if before[name] != after[name]}
        assert not changed, json.dumps(changed, indent=1, default=str)[:4000]


@pytest.fixture(scope="module")
def weak_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Only the user namespace is left."""
    with boxed(WEAK, tmp_path_factory.mktemp("state")) as made:
        yield made
