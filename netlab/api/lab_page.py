"""The LabPage answer: everything that a lab's page shows before and while it runs, from catalogue, workshop and host."""

from netlab.api.schemas import (
    AttachOfProgram,
    CanRunHere,
    CheckOfStep,
    InterfaceOfNode,
    LabOfPage,
    LabPage,
    LinkOfLab,
    NodeOfLab,
    PortOfSwitch,
    PositionOfNode,
    ProgramOfLab,
    StepOfLab,
    SwitchOfLab,
    WorkshopOfLab,
)
from netlab.catalogue.labs import CatalogueLab
from netlab.domain.devices import SwitchSpec
from netlab.domain.lab import Isolation
from netlab.domain.resolve import ResolvedNode, resolve
from netlab.runs.hosts import can_run_here, choose_host, kernel_of
from netlab.runs.models import Run
from netlab.runs.presenters import present_run
from netlab.runs.telling import host_report
from netlab.workshops.models import Workshop

RETRY_S = 10


def present_lab_page(workshop: Workshop, lab: CatalogueLab, run: Run | None) -> LabPage:
    report = host_report(choose_host())
    answer = can_run_here(lab.spec, Isolation(workshop.isolation), report)
    return LabPage(
        workshop=WorkshopOfLab(id=workshop.pk, title=workshop.title, closes_at=workshop.closes_at),
        lab=_present_lab(lab),
        can_run=CanRunHere(
            ok=answer.ok, why=answer.why, fix=answer.fix, note=answer.note, why_here=answer.why_here if answer.ok else "",
            kernel=kernel_of(answer.runtime, report) if report else "", waits=answer.waits,
            retry_s=RETRY_S if answer.waits else None,
        ),
        runtime=answer.runtime, isolation=answer.isolation, run=present_run(run) if run else None,
    )


def _present_lab(lab: CatalogueLab) -> LabOfPage:
    spec = lab.spec
    return LabOfPage(
        id=spec.id, title=spec.title, summary=spec.summary, topic=spec.topic.value, minutes=spec.minutes, level=spec.level,
        charts=spec.charts,
        nodes=[_present_node(node) for node in resolve(spec).nodes],
        links=[LinkOfLab(kind=link.kind, ends=(str(link.ends[0]), str(link.ends[1]))) for link in spec.links],
        switches=[_present_switch(switch) for switch in spec.switches],
        programs=[
            ProgramOfLab(name=p.name, source=p.source, function=p.function, attach=AttachOfProgram(**p.attach.model_dump()))
            for p in spec.programs
        ],
        steps=[
            StepOfLab(
                id=s.id, title=s.title, html=lab.html.get(s.id, ""),
                checks=[CheckOfStep(id=c.id, title=c.title, hint=c.hint) for c in s.checks],
            )
            for s in spec.steps
        ],
    )


def _present_node(node: ResolvedNode) -> NodeOfLab:
    position = node.spec.position
    return NodeOfLab(
        name=node.name, title=node.spec.title or node.name,
        position=PositionOfNode(x=position.x, y=position.y) if position else None,
        interfaces=[InterfaceOfNode(name=i.name, mac=i.mac, addresses=[str(a) for a in i.addresses]) for i in node.interfaces],
    )


def _present_switch(switch: SwitchSpec) -> SwitchOfLab:
    ports = [PortOfSwitch(name=port.name, to=str(port.to)) for port in switch.ports]
    return SwitchOfLab(name=switch.name, node=switch.node, conduit=switch.conduit, tagger=switch.tagger, ports=ports)
