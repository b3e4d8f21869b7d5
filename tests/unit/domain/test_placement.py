"""Which labs run where, and what people are told when one does not."""

import pytest

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import Ability, Isolation, LabSpec, RuntimeName
from netlab.domain.placement import VM_CPU_PERCENT, VM_OVERHEAD_MB, Cost, admitted, can_run, cost_of, needs_of
from netlab.wire.host_report import AbilityReport, GuestReport

READY = GuestReport(state="ready", abilities=[AbilityReport(ability=a, works=True) for a in Ability])
ALL = {a.value: AbilityReport(ability=a, works=True) for a in Ability}
HOST = ALL | {a: AbilityReport(ability=a, works=False, why="not proved: no guest was booted") for a in ("vm", "kvm")}


def without(*abilities: Ability) -> dict[str, AbilityReport]:
    return HOST | {a: AbilityReport(ability=a, works=False, why="EPERM (Operation not permitted)") for a in abilities}


def guest_without(*abilities: Ability) -> GuestReport:
    found = [AbilityReport(ability=a, works=a not in abilities, why="" if a not in abilities else "no module") for a in Ability]
    return GuestReport(state="ready", abilities=found)


def lab(**more: object) -> LabSpec:
    return LabSpec.model_validate({
        "id": "t", "title": "Two nodes", "summary": "Two nodes and a wire.", "topic": "xdp", "minutes": 1,
        "nodes": [{"name": "a"}, {"name": "b", "memory_mb": 64, "cpu_percent": 25}],
        "links": [{"ends": ["a:eth0", "b:eth0"]}],
        "steps": [{"id": "one", "title": "One", "text": "one.md"}], **more,
    })


def program(hook: str = "xdp", mode: str = "native") -> dict[str, object]:
    attach = {"node": "a", "interface": "eth0", "hook": hook, "mode": mode}
    return {"name": "drop", "source": "drop.bpf.c", "function": "drop", "attach": attach}


@pytest.mark.parametrize("isolation", [Isolation.TRUSTED, Isolation.STRANGERS])
def test_a_lab_runs_in_namespaces_where_everything_works(isolation: Isolation) -> None:
    placement = can_run(lab(programs=[program()]), isolation, HOST)
    assert (placement.ok, placement.runtime, placement.isolation) == (True, RuntimeName.NAMESPACES, isolation)
    assert placement.require() is placement


@pytest.mark.parametrize(
    "ability", [Ability.USER_NAMESPACES, Ability.IDMAPPED_MOUNTS, Ability.CGROUP_LIMITS, Ability.VETH]
)
def test_shells_and_wires_imply_needs(ability: Ability) -> None:
    placement = can_run(lab(), Isolation.STRANGERS, without(ability))
    assert not placement.ok
    assert ability in placement.why and "EPERM" in placement.why and placement.fix


def test_an_overlay_that_the_host_has_to_mount_is_no_obstacle() -> None:
    """Kernels before 6.6; the nodes' tests try that way."""
    assert can_run(lab(), Isolation.STRANGERS, without(Ability.OVERLAY_IN_USERNS)).ok


@pytest.mark.parametrize(("hook", "mode", "ability"), [
    ("xdp", "native", Ability.XDP_NATIVE), ("xdp", "generic", Ability.XDP_GENERIC), ("tc-ingress", "native", Ability.CLS_BPF),
    ("tc-egress", "native", Ability.CLS_BPF), ("tc-ingress", "native", Ability.BPF_TOKEN),
])
def test_programs_imply_needs_by_where_they_are_attached(hook: str, mode: str, ability: Ability) -> None:
    assert not can_run(lab(programs=[program(hook, mode)]), Isolation.STRANGERS, without(ability)).ok
    assert can_run(lab(), Isolation.STRANGERS, without(ability)).ok


def test_an_old_kernel_s_operator_is_told_which_one_to_install() -> None:
    for needing in (lab(programs=[program("tc-egress")]), lab(programs=[program()], needs=["bpf_token"])):
        placement = can_run(needing, Isolation.STRANGERS, without(Ability.BPF_TOKEN))
        assert not placement.ok and "Linux 6.9" in placement.fix


def test_xdp_programs_are_loaded_for_a_node_where_it_cannot_do_so_itself() -> None:
    placement = can_run(lab(programs=[program()]), Isolation.STRANGERS, without(Ability.BPF_TOKEN))
    assert placement.ok and "Build & load" in placement.note
    assert not can_run(lab(programs=[program()]), Isolation.STRANGERS, without(Ability.BPF_TOKEN, Ability.XDP_NATIVE)).ok
    assert can_run(lab(), Isolation.STRANGERS, without(Ability.BPF_TOKEN)).note == ""
    assert can_run(lab(programs=[program()]), Isolation.STRANGERS, HOST).note == ""


def test_a_generic_program_does_not_need_native_mode() -> None:
    assert Ability.XDP_NATIVE not in needs_of(lab(programs=[program("xdp", "generic")]))


def test_what_the_lab_says_is_needed_too_and_all_that_is_missing_is_named() -> None:
    host = without(Ability.NETEM, Ability.VLAN, Ability.CAKE)
    placement = can_run(lab(needs=["netem", "cake", "vlan"]), Isolation.TRUSTED, host)
    assert "netem" in placement.why and "it lacks cake and vlan as well" in placement.why


@pytest.mark.parametrize("ability", [Ability.KPROBES, Ability.BCC, Ability.DSA])
def test_what_belongs_to_the_whole_machine_is_not_given_to_a_node(ability: Ability) -> None:
    placement = can_run(lab(needs=[ability], runtimes=["namespaces"]), Isolation.TRUSTED, HOST)
    assert not placement.ok and "private kernel" in placement.fix
    placement = can_run(lab(needs=[ability]), Isolation.TRUSTED, HOST, READY)
    assert placement.ok and placement.runtime is RuntimeName.VM and f"because it needs {ability}" in placement.why_here


# --- VMs


def test_a_private_kernel_is_explained_in_words_where_there_are_no_vms() -> None:
    placement = can_run(lab(), Isolation.PRIVATE, HOST)
    assert (placement.ok, placement.runtime, placement.waits) == (False, RuntimeName.VM, False)
    assert "kernel of their own" in placement.why and "no guest kernel" in placement.why
    assert "shared kernel" in placement.fix and "make guest" in placement.fix
    with pytest.raises(NetlabError) as caught:
        placement.require()
    assert caught.value.code is ErrorCode.LAB_CANNOT_RUN_HERE
    assert caught.value.message.startswith("This lab cannot run here: this workshop gives")


def test_a_host_with_vms_runs_private_labs_that_allow_it() -> None:
    placement = can_run(lab(), Isolation.PRIVATE, HOST, READY)
    assert (placement.ok, placement.runtime, placement.isolation) == (True, RuntimeName.VM, Isolation.PRIVATE)
    assert placement.why_here == "This workshop gives everybody a kernel of their own."
    assert not can_run(lab(runtimes=["namespaces"]), Isolation.PRIVATE, HOST, READY).ok
    refused = can_run(lab(isolations=["trusted", "strangers"]), Isolation.PRIVATE, HOST, READY)
    assert not refused.ok and "made for a shared kernel among people" in refused.why


def test_the_shared_kernel_comes_first_and_says_nothing_of_vms() -> None:
    placement = can_run(lab(), Isolation.STRANGERS, HOST, READY)
    assert (placement.runtime, placement.isolation, placement.why_here) == (RuntimeName.NAMESPACES, Isolation.STRANGERS, "")


def test_what_the_host_lacks_goes_to_a_vm_by_itself_and_says_why() -> None:
    placement = can_run(lab(needs=["netem"]), Isolation.STRANGERS, without(Ability.NETEM), READY)
    assert (placement.ok, placement.runtime, placement.isolation) == (True, RuntimeName.VM, Isolation.PRIVATE)
    assert placement.why_here == "It runs in a kernel of its own, because the host's kernel lacks netem."


def test_devices_and_switches_of_the_lab_are_needs() -> None:
    bridge = {"name": "br0", "device": {"kind": "bridge"}}
    nodes = [{"name": "a", "interfaces": [bridge]}, {"name": "b"}]
    assert can_run(lab(nodes=nodes), Isolation.STRANGERS, HOST, READY).runtime is RuntimeName.NAMESPACES
    placement = can_run(lab(nodes=nodes), Isolation.STRANGERS, without(Ability.BRIDGE), READY)
    assert placement.runtime is RuntimeName.VM and "lacks bridge" in placement.why_here
    modules = can_run(lab(modules=["pktgen"]), Isolation.TRUSTED, HOST, READY)
    assert modules.runtime is RuntimeName.VM and "loads the kernel module pktgen" in modules.why_here


def test_a_guest_s_nodes_need_neither_tokens_nor_sandboxes() -> None:
    guest = guest_without(Ability.BPF_TOKEN, Ability.USER_NAMESPACES, Ability.IDMAPPED_MOUNTS, Ability.CGROUP_LIMITS)
    assert can_run(lab(programs=[program("tc-egress")]), Isolation.PRIVATE, HOST, guest).ok


def test_a_lab_that_neither_kernel_can_run_names_both() -> None:
    host = without(Ability.WIREGUARD)
    placement = can_run(lab(needs=["wireguard"]), Isolation.STRANGERS, host, guest_without(Ability.WIREGUARD))
    assert not placement.ok and not placement.waits
    assert "its host lacks wireguard (EPERM" in placement.why
    assert "the guest's kernel lacks wireguard (no module)" in placement.why


def test_a_guest_that_is_being_built_is_worth_waiting_for() -> None:
    guest = GuestReport(state="building", doing="compiling the guest kernel", minutes_left=9)
    for placement in (
        can_run(lab(), Isolation.PRIVATE, HOST, guest), can_run(lab(needs=["dsa"]), Isolation.STRANGERS, HOST, guest),
    ):
        assert (placement.ok, placement.waits, placement.runtime) == (False, True, RuntimeName.VM)
        assert placement.why == "building the guest kernel, about 9 min left"
    assert can_run(lab(), Isolation.STRANGERS, HOST, guest).ok, "what needs no VM does not wait"
    assert can_run(lab(), Isolation.PRIVATE, HOST, GuestReport(state="trying")).waits


@pytest.mark.parametrize(("state", "words"), [("failed", "could not be built"), ("cannot_boot", "does not boot on this host")])
def test_a_guest_that_will_not_come_says_its_sentence(state: str, words: str) -> None:
    guest = GuestReport.model_validate({"state": state, "doing": "The disk is full."})
    placement = can_run(lab(), Isolation.PRIVATE, HOST, guest)
    assert (placement.ok, placement.waits) == (False, False)
    assert f"{words} (the disk is full)" in placement.why and "make" in placement.fix


def test_the_labs_own_choices_come_first() -> None:
    assert "own" in can_run(lab(isolations=["private"]), Isolation.STRANGERS, HOST).why
    assert "VM" in can_run(lab(runtimes=["vm"]), Isolation.STRANGERS, HOST).why
    for wants_one in (lab(isolations=["private"]), lab(runtimes=["vm"])):
        placement = can_run(wants_one, Isolation.STRANGERS, HOST, READY)
        assert placement.ok and placement.why_here == "It runs in a kernel of its own, because it is made for that."
    trusted = can_run(lab(isolations=["trusted"]), Isolation.STRANGERS, HOST, READY)
    assert not trusted.ok, "who promises a shared kernel among friends does not get strangers' by a detour"


def test_a_host_that_has_said_nothing_can_do_nothing() -> None:
    placement = can_run(lab(), Isolation.STRANGERS, {})
    assert not placement.ok and "not yet said" in placement.why
    assert not can_run(lab(), Isolation.STRANGERS, {"veth": HOST["veth"]}).ok


def test_cost() -> None:
    assert cost_of(lab()) == Cost(256 + 64, 50 + 25)
    large = lab(vm={"memory_mb": 512, "cpus": 2})
    assert cost_of(large, RuntimeName.VM) == Cost(512 + VM_OVERHEAD_MB, 2 * VM_CPU_PERCENT)
    assert Cost(300, 75).fits(Cost(0, 0), Cost(300, 75))
    assert not Cost(300, 75).fits(Cost(1, 0), Cost(300, 75))
    assert not Cost(300, 75).fits(Cost(0, 1), Cost(300, 75))


def test_the_queue_keeps_its_order() -> None:
    small, large, whole = Cost(100, 10), Cost(900, 10), Cost(1000, 1000)
    assert admitted([small, small, large, small], Cost(), whole) == 2
    assert admitted([large, small, small], Cost(), whole) == 2
    assert admitted([], Cost(), whole) == 0
    assert admitted([large], Cost(200, 0), whole) == 0
