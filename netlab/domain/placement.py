"""Can a lab run on this host, with this isolation, in whose kernel, and at what cost? Pure: from a lab and what the host says.

Asked by the web side before Start is pressed. It never looks at a kernel: what the probe found in the host's kernel and in
the guest's comes in. Its sentences go to attendees; `why` follows 'This lab cannot run here:'.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from netlab.domain.device_needs import device_needs
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
    Ability.BCC: "programs that trace a shared kernel would see everybody's",
    Ability.NETDEVSIM: "simulated devices belong to the whole machine",
    Ability.DSA: "switches belong to the whole machine",
    Ability.VM: "only a kernel of one's own may do that",
    Ability.AF_XDP: "nodes on a shared kernel may not make its kind of map",
}
"""What a shared kernel may well have, and still gives to no node."""

NO_MATTER_IN_A_GUEST = frozenset({*NODE_NEEDS, Ability.BPF_TOKEN, Ability.VM, Ability.KVM})
"""Who has a kernel to themselves is its root: nothing shuts nodes in, nothing has to be delegated to them."""

ANOTHER_KERNEL = "On the host it needs"
FIXES: Mapping[Ability, str] = {
    Ability.BPF_TOKEN: (
        f"{ANOTHER_KERNEL} Linux 6.9 or newer, which Debian 12 has in bookworm-backports: the operator's manual says how."
    ),
}
"""Where there is a better answer than 'another kernel'."""

SHARED_INSTEAD = "The instructor can choose a shared kernel for the workshop."

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


class NamedFound(Found, Protocol):
    @property
    def ability(self) -> str: ...


class Guest(Protocol):
    """How it stands with VMs on a host: wire's GuestReport."""

    @property
    def state(self) -> str: ...

    @property
    def doing(self) -> str: ...

    @property
    def minutes_left(self) -> int | None: ...

    @property
    def abilities(self) -> Sequence[NamedFound]: ...


@dataclass(frozen=True)
class Placement:
    """Where a lab runs, and as what: `isolation` is what it gets, which may be more than the workshop promises.

    When `ok` is False, `why` completes 'This lab cannot run here: ...' and `fix` is what to do; `waits`: it changes by itself,
    and `why` may follow 'VM labs:' where `runtime` says so. When it is True, `note` is what an attendee should know of this host
    before Start, and `why_here` why it runs in a VM, one sentence each, or ''.
    """

    ok: bool
    runtime: RuntimeName
    isolation: Isolation
    why: str = ""
    fix: str = ""
    note: str = ""
    why_here: str = ""
    waits: bool = False

    def require(self) -> "Placement":
        """Itself, or the error that a person is shown."""
        if not self.ok:
            raise NetlabError(ErrorCode.LAB_CANNOT_RUN_HERE, why=self.why, fix=self.fix)
        return self


def needs_of(lab: LabSpec) -> dict[Ability, str]:
    """What a lab needs of a shared kernel, each with its reason: as the lab says, and as its nodes and programs imply."""
    needs = {**NODE_NEEDS, **device_needs(lab)}
    for program in lab.programs:
        if program.attach.hook != "xdp":  # without tokens, the host's broker loads XDP programs alone
            needs[Ability.BPF_TOKEN] = f"its program {program.name} is loaded inside the node"
        needs.setdefault(_ability_of(program.attach), f"its program {program.name} is attached to {program.attach.hook}")
    for ability in lab.needs:
        needs.setdefault(ability, "it says so")
    return needs


def can_run(lab: LabSpec, isolation: Isolation, abilities: Mapping[str, Found], guest: Guest | None = None) -> Placement:
    """Whether this host can run the lab for a workshop of that isolation: on the shared kernel where that has what the lab
    needs, else, by itself, in a VM."""
    if not abilities:
        runtime = RuntimeName.VM if isolation is Isolation.PRIVATE else RuntimeName.NAMESPACES
        why = "this host has not yet said what it can do"
        return Placement(False, runtime, isolation, why, "Try again in a moment.", waits=True)
    if isolation is Isolation.PRIVATE:
        private = _in_vm(lab, guest, "This workshop gives everybody a kernel of their own.")
        if private.ok or private.waits or not _is_for_vms(lab):
            return private
        why = f"this workshop gives everybody a kernel of their own, and {private.why}"
        return replace(private, why=why, fix=f"{private.fix} {SHARED_INSTEAD}")
    shared = _in_namespaces(lab, isolation, abilities)
    if shared.ok or not _is_for_vms(lab):
        return shared
    private = _in_vm(lab, guest, f"It runs in a kernel of its own, because {shared.why_here}.")
    if private.ok or private.waits:
        return private
    fix = f"{private.fix} {shared.fix}" if shared.fix.startswith(ANOTHER_KERNEL) else private.fix
    return replace(private, why=f"{shared.why}; in a VM it cannot run either: {private.why}", fix=fix)


def _is_for_vms(lab: LabSpec) -> bool:
    return RuntimeName.VM in lab.runtimes and Isolation.PRIVATE in lab.isolations


def _in_vm(lab: LabSpec, guest: Guest | None, why_here: str) -> Placement:
    def no(why: str, fix: str, waits: bool = False) -> Placement:
        return Placement(False, RuntimeName.VM, Isolation.PRIVATE, why, fix, waits=waits)

    if not _is_for_vms(lab):
        made_for = " or ".join(KERNEL_WORDS[i] for i in lab.isolations if i is not Isolation.PRIVATE)
        why = f"it is made for {made_for}" if Isolation.PRIVATE not in lab.isolations else "it does not run in a VM"
        return no(why, SHARED_INSTEAD)
    obstacle = no_vms(guest)
    if obstacle is not None:
        return no(obstacle.why, obstacle.fix, obstacle.waits)
    assert guest is not None
    found = {each.ability: each for each in guest.abilities}
    missing = [a for a in needs_of(lab) if a not in NO_MATTER_IN_A_GUEST and not _works(found, a)]
    if missing:
        why = f"the guest's kernel lacks {_listed(missing)} ({_said(found.get(missing[0]))})"
        return no(why, "The operator makes the guest again with `make guest`.")
    return Placement(True, RuntimeName.VM, Isolation.PRIVATE, why_here=why_here)


@dataclass(frozen=True)
class Obstacle:
    """Why a host runs no VMs, what to do about it, and whether it goes away by itself."""

    why: str
    fix: str
    waits: bool = False


def no_vms(guest: Guest | None) -> Obstacle | None:
    """None where they do run."""
    state = guest.state if guest is not None else "absent"
    doing = guest.doing.strip().rstrip(".") if guest is not None else ""
    doing = doing[:1].lower() + doing[1:] if doing[1:2].islower() else doing
    if state == "ready":
        return None
    if state == "building":
        left = f", about {guest.minutes_left} min left" if guest is not None and guest.minutes_left is not None else ""
        return Obstacle(f"building the guest kernel{left}", "This page goes on by itself when it is there.", waits=True)
    if state == "trying":
        return Obstacle("trying whether the guest kernel boots", "This page goes on by itself in a moment.", waits=True)
    if state == "failed":
        return Obstacle(f"the guest kernel could not be built ({doing})", "The operator builds it with `make guest`.")
    if state == "cannot_boot":
        fix = "It is tried again by itself; the operator sees more with `make status`."
        return Obstacle(f"the guest kernel does not boot on this host ({doing})", fix)
    return Obstacle("this host has no guest kernel for VMs", "The operator builds it with `make guest`.")


def _in_namespaces(lab: LabSpec, isolation: Isolation, abilities: Mapping[str, Found]) -> Placement:
    """The answer for the shared kernel; `why_here` of a no follows 'It runs in a kernel of its own, because ...'."""

    def no(why: str, fix: str, why_here: str) -> Placement:
        return Placement(False, RuntimeName.NAMESPACES, isolation, why, fix, why_here=why_here)

    if isolation not in lab.isolations:
        made_for = " or ".join(KERNEL_WORDS[i] for i in lab.isolations)
        return no(f"it is made for {made_for}", "The instructor chooses the isolation of the workshop.", "it is made for that")
    if RuntimeName.NAMESPACES not in lab.runtimes:
        fix = "The instructor can choose a private kernel for the workshop."
        return no("it needs a kernel of its own in a VM", fix, "it is made for that")
    needs = needs_of(lab)
    for ability in needs:
        if ability in WHOLE_MACHINE:
            needed = needs[ability] if ability is Ability.VM else f"it needs {ability}"
            why = f"{needed}, and {WHOLE_MACHINE[ability]}"
            return no(why, "It needs a workshop with a private kernel.", why)
    missing = [(ability, why) for ability, why in needs.items() if not _works(abilities, ability)]
    if not missing:
        note = BUTTON_ONLY if lab.programs and not _works(abilities, Ability.BPF_TOKEN) else ""
        return Placement(True, RuntimeName.NAMESPACES, isolation, note=note)
    ability, reason = missing[0]
    why = f"its host lacks {ability} ({_said(abilities.get(ability))}), and {reason}"
    if len(missing) > 1:
        why += f"; it lacks {_listed(a for a, _ in missing[1:])} as well"
    fix = FIXES.get(ability, f"{ANOTHER_KERNEL} another kernel; the operator sees all with `python -m netlab.host probe`.")
    return no(why, fix, f"the host's kernel lacks {_listed(a for a, _ in missing)}")


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


VM_OVERHEAD_MB = 96
"""What QEMU takes beside the guest's memory."""
VM_CPU_PERCENT = 100
"""Of one core, for each of a VM's processors. Guests idle below 1 %; the host's budget counts on that."""


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


def cost_of(lab: LabSpec, runtime: RuntimeName = RuntimeName.NAMESPACES) -> Cost:
    """What a run of the lab promises: the limits of its nodes, or the whole machine that a VM is."""
    if runtime is RuntimeName.VM:
        return Cost(lab.vm.memory_mb + VM_OVERHEAD_MB, lab.vm.cpus * VM_CPU_PERCENT)
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
