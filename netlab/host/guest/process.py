"""`python -m netlab.host guest`: the one process of netlab in a guest, started once by its first program.

It finds out once what this kernel can do, opens the engine, and serves the port. It never imports what a guest has not:
Redis, the holder, the sandbox's runtimes.
"""

import asyncio
import logging
import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from netlab.config import Config
from netlab.domain.lab import Ability, RuntimeName
from netlab.host.counters.client import Pace, Sampler
from netlab.host.engine.state import NoStore
from netlab.host.guest.agent import GuestAgent
from netlab.host.guest.builder import HostCompiler
from netlab.host.guest.outlet import PortOutlet
from netlab.host.guest.personal import BorrowedMachine, Identity, OwnMachine
from netlab.host.nodes.plain import PlainNodes
from netlab.host.nsworker.client import NsWorker
from netlab.host.probe.abilities import probe_all
from netlab.host.programs.service import Programs
from netlab.host.runtimes.namespaces import NamespacesRuntime
from netlab.wire.guest_port import PORT_NAME
from netlab.wire.host_report import AbilityReport

log = logging.getLogger(__name__)

DEVICE = f"/dev/virtio-ports/{PORT_NAME}"
SENSELESS = frozenset({
    Ability.USER_NAMESPACES, Ability.OVERLAY_IN_USERNS, Ability.IDMAPPED_MOUNTS, Ability.CGROUP_LIMITS, Ability.BPF_TOKEN,
    Ability.KVM, Ability.VM,
})
"""What is for sandboxes on a shared kernel, or for machines that have machines in them."""
COSTLY = frozenset({Ability.BCC})
"""Not tried in every guest: a compiler would be read into its memory before anybody asks for one. See `bcc_of_image`."""
BCC_PARTS = ("/usr/lib/python3/dist-packages/bcc", "/usr/lib/modules/{release}/build/include")
MODULES = ("netdevsim", "dsa_netlab")
"""Loaded before trying: in one's own kernel `modprobe` is one command away."""
BPF_DIR = Path("/opt/netlab/bpf")
"""Beside the code, in the same part of the image."""
SHELL_PROGRAMS, PROGRAMS_FOLDER = BPF_DIR / "bin", Path("/usr/local/bin")
SYSCTLS = {
    "net/core/fb_tunnels_only_for_init_net": "2",  # else tunl0, sit0 and their like are in every node
    "vm/stat_interval": "120", "vm/dirty_writeback_centisecs": "0",  # no disk waits; each wake-up costs all idle clones
}
WORKING_SET = Path("/sys/kernel/mm/lru_gen/min_ttl_ms")
WORKING_SET_MS = "1000"
"""What was used within it is not given up for more memory: whoever wants that is killed (admin-guide/mm/multigen_lru.rst).
Without it a guest that is full may read the same pages of its programs for ever: squashfs asks for memory with GFP_NOIO, for
which the kernel kills nobody and never gives up (mm/oom_kill.c)."""
TRIAL_LIMIT_S = 20.0
"""Under software emulation, with modules to be read for the first time."""
SAMPLER_PACE = Pace(idle_s=30.0, share=0.05, own_kernel=True, answer_s=60.0)
"""Somebody else's core is burnt by an idle guest's ticks, and under software emulation each costs twenty times as much."""


def config_of_guest(instance: str) -> Config:
    run_dir = Path("/run/netlab") / instance
    return Config(instance=instance, run_dir=run_dir, state_dir=run_dir / "state", bpf_dir=BPF_DIR)


def main(port: str, instance: str) -> int:
    """`port`: the virtio port, or for trying it elsewhere a socket; then this machine's clock and names are left alone."""
    own = port == DEVICE
    config = config_of_guest(instance)
    config.run_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    if own:
        for name, value in SYSCTLS.items():
            Path("/proc/sys", name).write_text(value)
        WORKING_SET.write_text(WORKING_SET_MS)
        for program in SHELL_PROGRAMS.glob("*"):
            (PROGRAMS_FOLDER / program.name).symlink_to(program)
    abilities = abilities_of_guest() if own else []
    try:
        asyncio.run(_serve(config, port, abilities, OwnMachine() if own else BorrowedMachine()))
    except KeyboardInterrupt:
        return 130
    return 0


def abilities_of_guest() -> list[AbilityReport]:
    """Before there are threads: each trial forks."""
    for module in MODULES:
        subprocess.run(["modprobe", "--quiet", module], check=False, stdin=subprocess.DEVNULL)
    tried = probe_all(Path("/"), bpf_dir=BPF_DIR, leave_out=SENSELESS | COSTLY, limit_s=TRIAL_LIMIT_S)
    return [*tried, bcc_of_image(tried)]


def bcc_of_image(tried: Sequence[AbilityReport], root: Path = Path("/")) -> AbilityReport:
    """bcc and the headers that it compiles against are parts of the image, what it attaches to is tried: that these work
    together is proved where the image is tested (tests/guest), with programs of an attendee's and of netlab's own."""
    missing = [part for part in (name.format(release=os.uname().release) for name in BCC_PARTS) if not (root / part[1:]).exists()]
    missing += [report.ability for report in tried if report.ability in (Ability.KPROBES, Ability.BTF) and not report.works]
    why = f"there is no {', no '.join(missing)}" if missing else "the image has bcc and this kernel's headers"
    return AbilityReport(ability=Ability.BCC, works=not missing, why=why)


async def _serve(config: Config, port: str, abilities: list[AbilityReport], machine: Identity) -> None:
    async with agent_of(config, machine) as agent:
        log.info("the guest's agent serves %s", port)
        await agent.serve(port, os.uname().release, abilities)


@asynccontextmanager
async def agent_of(config: Config, machine: Identity) -> AsyncIterator[GuestAgent]:
    """The agent with the engine and all its real parts, open."""
    worker = NsWorker()
    samplers: list[Sampler] = []

    def engine(outlet: PortOutlet, compiler: HostCompiler) -> NamespacesRuntime:
        def storm(run: str, node: str, interface: str, pps: int, limit_pps: int) -> None:
            runtime.storm(run, node, interface, pps, limit_pps)

        told = (outlet.counters, outlet.counter_history, outlet.counter_schema, storm)
        samplers.append(sampler := Sampler(config, *told, pace=SAMPLER_PACE))
        nodes = PlainNodes(config, worker, pinned=True)
        programs = Programs(config, nodes, compiler)
        runtime = NamespacesRuntime(config, nodes, sampler, programs, outlet, name=RuntimeName.VM, store=NoStore())
        return runtime

    await worker.start()
    agent = GuestAgent(machine, engine)
    for sampler in samplers:
        await sampler.open()
    try:
        await agent.runtime.open()
        yield agent
    finally:
        await agent.runtime.close()
        for sampler in samplers:
            await sampler.close()
        await worker.close()
