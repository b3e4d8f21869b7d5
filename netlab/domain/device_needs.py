"""What the devices, links, switches and qdiscs of a lab want of a kernel: abilities with reasons, and modules. Pure.

Asked by `placement` (can this host run it?) and by whoever builds a lab in a guest (`modules_of`).
"""

from collections.abc import Mapping

from netlab.domain.devices import BridgeDevice, KernelModule
from netlab.domain.lab import Ability, LabSpec

DEVICE_ABILITIES: Mapping[str, Ability] = {
    "bridge": Ability.BRIDGE, "bond": Ability.BOND, "vlan": Ability.VLAN, "vxlan": Ability.VXLAN, "dummy": Ability.DUMMY,
    "wireguard": Ability.WIREGUARD, "ifb": Ability.IFB, "macvlan": Ability.MACVLAN, "vrf": Ability.VRF,
    "netdevsim": Ability.NETDEVSIM,
}
QDISC_ABILITIES: Mapping[str, Ability] = {
    "htb": Ability.HTB, "tbf": Ability.TBF, "netem": Ability.NETEM, "fq_codel": Ability.FQ_CODEL, "cake": Ability.CAKE,
}
ALWAYS_THERE = frozenset({"pfifo", "bfifo", "pfifo_fast", "noqueue", "mq"})
"""Qdiscs of every kernel with CONFIG_NET_SCHED."""
ENDS = {"veth": Ability.VETH, "netdevsim": Ability.NETDEVSIM}


def device_needs(lab: LabSpec) -> dict[Ability, str]:
    """Each with its reason. VM stands for what is not probed for: only a guest's kernel is known to have it."""
    needs: dict[Ability, str] = {}
    for link in lab.links:
        needs.setdefault(ENDS[link.kind], "its nodes are wired together")
        if link.impairment:
            needs.setdefault(Ability.NETEM, f"its link of {link.ends[0]} and {link.ends[1]} is impaired")
    for node in lab.nodes:
        for interface in node.interfaces:
            here = f"{node.name}:{interface.name}"
            if interface.device:
                kind = interface.device.kind
                needs.setdefault(DEVICE_ABILITIES[kind], f"{here} is a {kind} device")
                if isinstance(interface.device, BridgeDevice) and interface.device.vlan_filtering:
                    needs.setdefault(Ability.VLAN, f"{here} looks at VLANs")
            if interface.qdisc and interface.qdisc.kind not in ALWAYS_THERE:
                ability = QDISC_ABILITIES.get(interface.qdisc.kind, Ability.VM)
                needs.setdefault(ability, f"{here} has qdisc {interface.qdisc.kind}")
    for switch in lab.switches:
        needs.setdefault(Ability.NETDEVSIM, f"the conduit of its switch {switch.name} is simulated")
        needs.setdefault(Ability.DSA, f"it has the switch {switch.name}")
    if lab.modules:
        needs.setdefault(Ability.VM, f"it loads the kernel module {lab.modules[0]}")
    return needs


def modules_of(lab: LabSpec) -> list[KernelModule]:
    """The modules to load before the lab is built: those it lists, after those that its devices and switches use."""
    wanted: list[KernelModule] = []
    devices = {i.device.kind for n in lab.nodes for i in n.interfaces if i.device}
    if lab.switches or "netdevsim" in devices or any(link.kind == "netdevsim" for link in lab.links):
        wanted.append("netdevsim")
    if lab.switches:  # tag_dsa speaks EDSA too
        taggers: tuple[KernelModule, ...] = ("tag_dsa", "tag_trailer")
        wanted += ["dsa_core", *taggers, "dsa_netlab"]
    return wanted + [m for m in lab.modules if m not in wanted]
