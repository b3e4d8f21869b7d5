"""Can a lab run on this host, with this isolation, and what does it cost? Pure: from a lab and what the host has found out.

Asked by the web side before Start is pressed and by the engine before it builds. It never looks at a kernel: the probe's
findings come in as a mapping. Its sentences follow 'This lab cannot run here:' and go to attendees.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import Ability, AttachPoint, Isolation, LabSpec, RuntimeName

NODE_NEEDS: Mapping[Ability, str] = {
    Ability.USER_NAMESPACES: "its shells run in user namespaces",
    Ability.IDMAPPED_MOUNTS: "its shells share one root file system",
    Ability.CGROUP_LIMITS: "its nodes have limits",
}
WHOLE_MACHINE: Mapping[Ability, str] = {
    Ability.KPROBES: "programs that trace a shared kernel would see everybody's",
    Ability.FENTRY: "programs that trace a shared kernel would see everybody's",
    Ability.NETDEVSIM: "simulated devices belong to the whole machine",
    Ability.DSA: "switches belong to the whole machine",
    Ability.AF_XDP: "nodes on a shared kernel may not make its kind of map",
}
"""What a shared kernel may well have, and still gives to no node."""

FIXES: Mapping[Ability, str] = {
    Ability.BPF_TOKEN: "It needs Linux 6.9 or newer, which Debian 12 has in bookworm-backports: the operator's manual says how.",
}
"""Where there is a better answer than 'another kernel'."""

BUTTON_ONLY = (
    "This host's kernel has no BPF tokens: Build & load puts programs in place, ip, tc and bpftool cannot load any in the shell."
)
"""What differs for an attendee where programs are loaded for the node instead of inside it."""

KERNEL_WORDS: Mapping[Isolation, str] = {
    Isolation.PRIVATE: "a kernel of their own",
    Isolation.TRUSTED: "a shared kernel among people who trust each other",
    Isolation.STRANGERS: "a shared kernel among strangers",
}


class Found(Protocol):
    """What a host says of one ability: wire's AbilityReport."""

    @property
    def works(self) -> bool: ...

    @property
    def why(self) -> str: ...


@dataclass(frozen=True)
class Placement:
    """Where a lab runs. When `ok` is False, `why` completes 'This lab cannot run here: ...' and `fix` is what to do.

    When it is True, `note` is what an attendee should know of this host before Start, or ''.
    """

    ok: bool
    runtime: RuntimeName
    isolation: Isolation
    why: str = ""
    fix: str = ""
    note: str = ""

    def require(self) -> "Placement":
        """Itself, or the error that a person is shown."""
        if not self.ok:
            raise NetlabError(ErrorCode.LAB_CANNOT_RUN_HERE, why=self.why, fix=self.fix)
        return self


def needs_of(lab: LabSpec) -> dict[Ability, str]:
    """What a lab needs of a shared kernel, each with its reason: as the lab says, and as its nodes and programs imply."""
    needs = dict(NODE_NEEDS)
    if lab.links:
        needs[Ability.VETH] = "its nodes are wired together"
    for program in lab.programs:
        if program.attach.hook != "xdp":  # without tokens, the host's broker loads XDP programs alone
            needs[Ability.BPF_TOKEN] = f"its program {program.name} is loaded inside the node"
        needs.setdefault(_ability_of(program.attach), f"its program {program.name} is attached to {program.attach.hook}")
    for ability in lab.needs:
        needs.setdefault(ability, "it says so")
    return needs


def can_run(lab: LabSpec, isolation: Isolation, abilities: Mapping[str, Found]) -> Placement:
    """Whether this host can run the lab for a workshop of that isolation."""
    runtime = RuntimeName.VM if isolation is Isolation.PRIVATE else RuntimeName.NAMESPACES

    def no(why: str, fix: str) -> Placement:
        return Placement(False, runtime, isolation, why, fix)

    if not abilities:
        return no("this host has not yet said what it can do", "Try again in a moment.")
    if isolation not in lab.isolations:
        made_for = " or ".join(KERNEL_WORDS[i] for i in lab.isolations)
        return no(f"it is made for {made_for}", "The instructor chooses the isolation of the workshop.")
    if isolation is Isolation.PRIVATE:
        return _in_vm(lab, abilities)
    if runtime not in lab.runtimes:
        return no("it needs a kernel of its own in a VM", "The instructor can choose a private kernel for the workshop.")
    return _in_namespaces(lab, isolation, abilities)


def _in_vm(lab: LabSpec, abilities: Mapping[str, Found]) -> Placement:
    runtime, isolation = RuntimeName.VM, Isolation.PRIVATE
    found = abilities.get(Ability.VM)
    if found is None or not found.works:
        why = f"this workshop gives everybody a kernel of their own, and this host runs no VMs ({_said(found)})"
        return Placement(False, runtime, isolation, why, "The instructor can choose a shared kernel for the workshop.")
    if runtime not in lab.runtimes:
        return Placement(False, runtime, isolation, "it does not run in a VM", "The instructor can choose a shared kernel.")
    return Placement(True, runtime, isolation)


def _in_namespaces(lab: LabSpec, isolation: Isolation, abilities: Mapping[str, Found]) -> Placement:
    runtime = RuntimeName.NAMESPACES
    needs = needs_of(lab)
    for ability in needs:
        if ability in WHOLE_MACHINE:
            why = f"it needs {ability}, and {WHOLE_MACHINE[ability]}"
            return Placement(False, runtime, isolation, why, "It needs a workshop with a private kernel.")
    missing = [(ability, why) for ability, why in needs.items() if not _works(abilities, ability)]
    if not missing:
        note = BUTTON_ONLY if lab.programs and not _works(abilities, Ability.BPF_TOKEN) else ""
        return Placement(True, runtime, isolation, note=note)
    ability, reason = missing[0]
    why = f"its host lacks {ability} ({_said(abilities.get(ability))}), and {reason}"
    if len(missing) > 1:
        why += f"; it lacks {_listed(a for a, _ in missing[1:])} as well"
    fix = FIXES.get(ability, "It needs another kernel; the operator sees all with `python -m netlab.host probe`.")
    return Placement(False, runtime, isolation, why, fix)


def _works(abilities: Mapping[str, Found], ability: Ability) -> bool:
    found = abilities.get(ability)
    return found is not None and found.works


def _said(found: Found | None) -> str:
    return found.why if found is not None and found.why else "it was not tried"


def _listed(words: Iterable[str]) -> str:
    *most, last = list(words)
    return f"{', '.join(most)} and {last}" if most else last


def _ability_of(attach: AttachPoint) -> Ability:
    if attach.hook != "xdp":
        return Ability.CLS_BPF
    return Ability.XDP_NATIVE if attach.mode == "native" else Ability.XDP_GENERIC


@dataclass(frozen=True)
class Cost:
    """Memory and CPU that are promised: of a lab, of all running ones, or of what a host may promise in all."""

    memory_mb: int = 0
    cpu_percent: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.memory_mb + other.memory_mb, self.cpu_percent + other.cpu_percent)

    def fits(self, used: "Cost", budget: "Cost") -> bool:
        """Whether so much may be promised on top of what is."""
        total = self + used
        return total.memory_mb <= budget.memory_mb and total.cpu_percent <= budget.cpu_percent


def cost_of(lab: LabSpec) -> Cost:
    """What a run of the lab promises: the limits of its nodes."""
    return Cost(lab.memory_mb, lab.cpu_percent)


def admitted(waiting: Iterable[Cost], used: Cost, whole: Cost) -> int:
    """How many of a queue, in its order, may start now. Nobody overtakes: a large lab at the head is not starved."""
    count = 0
    for cost in waiting:
        if not cost.fits(used, whole):
            break
        used += cost
        count += 1
    return count
