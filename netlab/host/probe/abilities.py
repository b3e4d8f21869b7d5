"""Every ability of `domain.lab.Ability` with the trial that proves it, and `probe_all`, which tries them all.

Called by `python -m netlab.host probe` and, in a process of its own, by the agent at its start. The order is that of
the printed table.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path

from netlab.config import load_config
from netlab.domain.lab import Ability
from netlab.host.probe import bpf_trials, network_trials, sandbox_trials, vm_trials
from netlab.host.probe.trial import LIMIT_S, Attempt, attempt
from netlab.wire.host_report import AbilityReport


def trials(rootfs_dir: Path, guest_dir: Path, bpf_dir: Path) -> Mapping[Ability, tuple[str, Attempt]]:
    """What is done for each ability, in words and as a function."""
    link: Callable[[str], Attempt] = network_trials.link
    idmapped = partial(sandbox_trials.idmapped_mounts, rootfs_dir)
    return {
        Ability.USER_NAMESPACES: ("own a network namespace in a new user namespace", sandbox_trials.user_namespaces),
        Ability.OVERLAY_IN_USERNS: ("mount an overlay inside a user namespace", sandbox_trials.overlay_in_userns),
        Ability.IDMAPPED_MOUNTS: ("map a mount's owners to another range", idmapped),
        Ability.CGROUP_LIMITS: ("limit memory, processes and CPU of a new cgroup", sandbox_trials.cgroup_limits),
        Ability.BPF_TOKEN: ("load an XDP program inside a user namespace with a token", sandbox_trials.bpf_token),
        Ability.VETH: ("make a veth pair", network_trials.veth),
        Ability.XDP_NATIVE: ("attach an XDP program to a veth in native mode", bpf_trials.xdp_native),
        Ability.XDP_GENERIC: ("attach an XDP program to a veth in generic mode", bpf_trials.xdp_generic),
        Ability.CLS_BPF: ("attach a BPF classifier to clsact", bpf_trials.cls_bpf),
        Ability.TCX: ("attach a BPF program to tcx", bpf_trials.tcx),
        Ability.BTF: ("read the kernel's BTF", bpf_trials.btf),
        Ability.AF_XDP: ("bind an AF_XDP socket to a veth in copy mode", bpf_trials.af_xdp),
        Ability.KPROBES: ("open a kprobe event", bpf_trials.kprobes),
        Ability.FENTRY: ("attach an fentry program", bpf_trials.fentry),
        Ability.PAGE_POOL_STATS: ("ask for page pool statistics", network_trials.page_pool_stats),
        Ability.LAB_EVENTS: ("count drops and events by namespace", partial(bpf_trials.lab_events, bpf_dir)),
        Ability.BCC: ("compile a trace with bcc and attach it", bpf_trials.bcc),
        Ability.HTB: ("add qdisc htb", network_trials.htb),
        Ability.TBF: ("add qdisc tbf", network_trials.tbf),
        Ability.NETEM: ("add qdisc netem", network_trials.netem),
        Ability.FQ_CODEL: ("add qdisc fq_codel", network_trials.fq_codel),
        Ability.CAKE: ("add qdisc cake", network_trials.cake),
        Ability.FLOWER: ("add a flower classifier to clsact", network_trials.flower),
        Ability.NFTABLES: ("add a table and a chain on the input hook", network_trials.nftables),
        Ability.BRIDGE: ("make a bridge", link("bridge")),
        Ability.VLAN: ("make a VLAN on a veth", network_trials.vlan),
        Ability.VXLAN: ("make a VXLAN", network_trials.vxlan),
        Ability.BOND: ("make a bond", link("bond")),
        Ability.MACVLAN: ("make a macvlan on a veth", network_trials.macvlan),
        Ability.DUMMY: ("make a dummy", link("dummy")),
        Ability.IFB: ("make an ifb", link("ifb")),
        Ability.VRF: ("make a VRF", network_trials.vrf),
        Ability.WIREGUARD: ("make a WireGuard interface", link("wireguard")),
        Ability.NETDEVSIM: ("make a simulated device", network_trials.netdevsim),
        Ability.DSA: ("make a DSA switch, or find one", network_trials.dsa),
        Ability.KVM: ("boot a guest with KVM", partial(vm_trials.kvm, guest_dir)),
        Ability.VM: ("boot a guest", partial(vm_trials.vm, guest_dir)),
    }


LIMITS_S = {Ability.KVM: vm_trials.LIMIT_S, Ability.VM: vm_trials.LIMIT_S, Ability.BCC: bpf_trials.BCC_LIMIT_S}
"""Of those that take longer than the others."""


def probe_all(
    rootfs_dir: Path | None = None,
    *,
    bpf_dir: Path | None = None,
    leave_out: Collection[Ability] = (),
    limit_s: float = LIMIT_S,
) -> list[AbilityReport]:
    """Try everything, each trial for at most `limit_s` (LIMITS_S has exceptions). Needs root and a single-threaded process;
    leaves nothing behind."""
    config = load_config()
    every = trials(rootfs_dir or config.rootfs_dir, config.guest_dir, bpf_dir or config.bpf_dir)
    wanted = {ability: trial for ability, trial in every.items() if ability not in leave_out}
    return [attempt(ability, what, body, LIMITS_S.get(ability, limit_s)) for ability, (what, body) in wanted.items()]
