"""The labs in this repository: without mistakes, with current schemas, described key by key, and proved by being run."""

import re
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pydantic import BaseModel

from netlab.catalogue.markdown import render_step
from netlab.config import load_config
from netlab.domain import devices, probes
from netlab.domain import lab as lab_module
from netlab.domain.lab import Ability, Isolation, RuntimeName
from netlab.domain.lab_file import lab_folders, load_lab
from netlab.domain.lab_schema import SCHEMA_FILES, schema_text
from netlab.domain.placement import needs_of
from netlab.host import try_lab
from netlab.host.sandbox import delegation
from tests.labs.trials import Trials

TOP = Path(__file__).parents[2]
FOLDERS = lab_folders(TOP / "labs")
PLACES = [(folder, isolation) for folder in FOLDERS for isolation in load_lab(folder).spec.isolations]
ON_THE_HOST = [(folder, isolation) for folder, isolation in PLACES if isolation is not Isolation.PRIVATE]
IN_A_VM = [folder for folder, isolation in PLACES if isolation is Isolation.PRIVATE]
WITHOUT_TOKENS = [
    folder for folder in FOLDERS if (spec := load_lab(folder).spec).programs and Ability.BPF_TOKEN not in needs_of(spec)
]
IN_A_VM_TEST = "test_checks_are_red_and_then_green_in_a_vm"
FORMAT = (TOP / "docs/lab-format.md").read_text()
DATA_MODELS: set[type[BaseModel]] = {devices.EndSpec, lab_module.RouteSpec, lab_module.Position}
"""Written inside another key's row."""
SECTIONS = {
    "LabSpec": "lab.yaml",
    "NodeSpec": "nodes",
    "InterfaceSpec": "nodes",
    "LinkSpec": "links",
    "ImpairmentSpec": "links",
    "SwitchSpec": "switches",
    "SwitchPort": "switches",
    "VmSpec": "vm",
    "QdiscSpec": "qdisc of an interface",
    "BridgeDevice": "bridge",
    "BridgeVlan": "bridge",
    "BondDevice": "bond",
    "VlanDevice": "vlan",
    "VxlanDevice": "vxlan",
    "WireguardDevice": "wireguard",
    "WireguardPeer": "wireguard",
    "DummyDevice": "dummy",
    "IfbDevice": "ifb",
    "MacvlanDevice": "macvlan",
    "VrfDevice": "vrf",
    "NetdevsimDevice": "netdevsim",
    "TerminalSpec": "terminals",
    "ProgramSpec": "programs",
    "StepSpec": "steps",
    "CheckSpec": "steps",
    "WriteAction": "write",
    "LoadAction": "load",
    "DetachAction": "detach",
    "RunAction": "run",
    "SolutionSpec": "Solutions",
    "AttachPoint": "programs",
}


def section(title: str) -> str:
    """The text below a heading, up to the next of any level."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#)", FORMAT + "\n# end\n", re.MULTILINE | re.DOTALL)
    assert found, f"docs/lab-format.md has no heading {title}"
    return found.group(1)


def written_models() -> set[type[BaseModel]]:
    """All of lab.yaml and solution.yaml but the probes."""
    both = [*vars(lab_module).values(), *vars(devices).values()]
    return {m for m in both if isinstance(m, type) and issubclass(m, probes.Strict) and m is not probes.Strict}


def models() -> list[tuple[type[BaseModel], str]]:
    found = [(m, SECTIONS[m.__name__]) for m in written_models() if m.__name__ in SECTIONS]
    for member in vars(probes).values():
        if isinstance(member, type) and issubclass(member, probes.Strict) and "kind" in member.model_fields:
            found.append((member, member.model_fields["kind"].annotation.__args__[0]))  # type: ignore[union-attr]
    return found


@pytest.mark.parametrize(("model", "title"), models(), ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_every_key_is_described(model: type[BaseModel], title: str) -> None:
    text = section(title)
    for key in model.model_fields:
        if key in ("do",) or (key == "kind" and model not in (devices.LinkSpec, devices.QdiscSpec)):
            continue
        prefixes: dict[type[BaseModel], str] = {lab_module.AttachPoint: "attach.", devices.ImpairmentSpec: "impairment."}
        shown = prefixes.get(model, "") + key
        assert f"`{shown}`" in text, f"{model.__name__}.{key} is not described under {title}"


def test_no_model_is_forgotten() -> None:
    known = {m for m, _ in models()} | DATA_MODELS
    assert written_models() <= known


@pytest.mark.parametrize("name", SCHEMA_FILES)
def test_the_schemas_are_current(name: str) -> None:
    assert (TOP / "labs/_schema" / name).read_text() == schema_text(name), "run: manage.py lab schema"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_a_lab_has_no_mistakes_and_can_be_shown(folder: Path) -> None:
    lab = load_lab(folder)
    for step in lab.spec.steps:
        html = render_step(lab.texts[step.id], lab.spec)
        assert "<p>" in html and "<script" not in html
        assert ":::" not in html, f"a block of step {step.id} was not understood"


@pytest.fixture(scope="module")
def trials(request: pytest.FixtureRequest) -> Iterator[Trials]:
    """Of the labs of all chosen tests below."""
    chosen = {item.name for item in request.session.items}
    with closing(Trials(folder for folder in IN_A_VM if f"{IN_A_VM_TEST}[{folder.name}]" in chosen)) as trials:
        yield trials


@pytest.mark.kernel
@pytest.mark.timeout(600)
@pytest.mark.parametrize("folder", IN_A_VM, ids=lambda folder: folder.name)
def test_checks_are_red_and_then_green_in_a_vm(folder: Path, trials: Trials) -> None:
    well, said = trials.result(folder)
    assert well, said


@pytest.mark.kernel
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("folder", "isolation"), ON_THE_HOST, ids=lambda v: v.name if isinstance(v, Path) else v.value)
async def test_checks_are_red_before_their_solution_and_green_after(
    folder: Path, isolation: Isolation, capsys: pytest.CaptureFixture[str]
) -> None:
    well = await try_lab.try_lab(folder, [isolation])
    assert well, capsys.readouterr().out


@pytest.mark.kernel
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
async def test_a_lab_is_tried_wherever_it_may_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On this host: one that its kernel cannot run goes to a VM, and one that runs nowhere would be proved by nothing."""
    spec = load_lab(folder).spec
    places = await try_lab.places_of(spec, list(Isolation))
    in_vm = RuntimeName.VM in spec.runtimes and Isolation.PRIVATE in spec.isolations
    vm = [(RuntimeName.VM, Isolation.PRIVATE)] if in_vm else []
    shared = [place for place in places if place[0] is RuntimeName.NAMESPACES]
    assert places and places == shared + vm
    told = capsys.readouterr().out
    for isolation in set(spec.isolations) - {Isolation.PRIVATE} if RuntimeName.NAMESPACES in spec.runtimes else ():
        assert (RuntimeName.NAMESPACES, isolation) in shared or f"{spec.id}, {isolation.value}: not on this host's kernel" in told


@pytest.mark.kernel
@pytest.mark.timeout(300)
@pytest.mark.parametrize("folder", WITHOUT_TOKENS, ids=lambda f: f.name)
async def test_labs_that_need_no_tokens_work_without(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before Linux 6.9: the kernel refuses to make a BPF file system that delegates."""
    monkeypatch.setattr(delegation, "options", lambda isolation: {"delegate_cmds": "no_such_command"})
    well = await try_lab.try_lab(folder, [Isolation.STRANGERS])
    assert well, capsys.readouterr().out


@pytest.mark.kernel
async def test_a_lab_whose_check_proves_nothing_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command("new", "my-lab", labs_dir=tmp_path)
    path = tmp_path / "my-lab/lab.yaml"
    path.write_text(path.read_text().replace("- {name: eth0}", "- {name: eth0, addresses: [10.0.0.2/24]}"))
    assert not await try_lab.try_lab(tmp_path / "my-lab", [Isolation.STRANGERS])
    assert "all its checks are green before its solution" in capsys.readouterr().out


@pytest.mark.kernel
async def test_a_solution_that_does_not_help_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command("new", "my-lab", labs_dir=tmp_path)
    path = tmp_path / "my-lab/solution/01/solution.yaml"
    path.write_text(path.read_text().replace("10.0.0.2/24", "10.0.9.2/24"))
    assert not await try_lab.try_lab(tmp_path / "my-lab", [Isolation.STRANGERS])
    assert "reachable: there is no answer to 3 pings of 10.0.0.2; there should be an answer" in capsys.readouterr().out


@pytest.mark.kernel
async def test_a_host_without_vms_is_no_excuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without = load_config().model_copy(update={"guest_dir": tmp_path / "none"})
    monkeypatch.setattr(try_lab, "load_config", lambda: without)
    command("new", "my-lab", labs_dir=tmp_path)
    assert not await try_lab.try_lab(tmp_path / "my-lab", [Isolation.PRIVATE])
    assert "no VM runs here: this host has no guest kernel for VMs." in capsys.readouterr().out


def command(*arguments: str, labs_dir: Path) -> str:
    out = StringIO()
    call_command("lab", "--labs-dir", str(labs_dir), *arguments, stdout=out)
    return out.getvalue()


def test_a_new_lab_works_as_it_is(tmp_path: Path) -> None:
    assert "works as it is" in command("new", "my-lab", labs_dir=tmp_path)
    assert command("lint", labs_dir=tmp_path) == "my-lab: 1 steps, nothing wrong\n"
    before = (tmp_path / "my-lab/lab.yaml").read_bytes()
    with pytest.raises(CommandError, match="is there already; nothing was changed"):
        command("new", "my-lab", labs_dir=tmp_path)
    assert (tmp_path / "my-lab/lab.yaml").read_bytes() == before


def test_bad_names(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="small letters and digits"):
        command("new", "../x", labs_dir=tmp_path)
    command("new", "my-lab", labs_dir=tmp_path)
    with pytest.raises(CommandError, match="did you mean my-lab"):
        command("lint", "my-leb", labs_dir=tmp_path)


def test_lint_prints_every_problem_where_it_is(tmp_path: Path) -> None:
    command("new", "my-lab", labs_dir=tmp_path)
    path = tmp_path / "my-lab/lab.yaml"
    path.write_text(path.read_text().replace("minutes: 15", "minuts: 15"))
    out = StringIO()
    with pytest.raises(CommandError, match="2 problems found"):
        call_command("lab", "--labs-dir", str(tmp_path), "lint", stdout=out)
    assert out.getvalue().splitlines() == [
        "my-lab/lab.yaml:3:1: minutes is missing (add minutes:)",
        "my-lab/lab.yaml:7:1: unknown key minuts (did you mean minutes?)",
    ]


def test_a_stale_schema_is_told_and_written(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is not current"):
        command("schema", "--check", labs_dir=tmp_path)
    command("schema", labs_dir=tmp_path)
    assert command("schema", "--check", labs_dir=tmp_path) == ""
