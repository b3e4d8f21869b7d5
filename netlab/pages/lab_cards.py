"""What the attendee's page says about each lab of a workshop. Reads rows, the catalogue and the host's report.

A lab that is broken or cannot run here is a card too, with the reason, before anybody presses Start.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from netlab.catalogue.labs import CatalogueLab, all_labs, get_lab
from netlab.domain.errors import NetlabError
from netlab.domain.lab import Isolation, LabSpec, RuntimeName
from netlab.domain.lifecycle import ENDED, RunState
from netlab.domain.placement import Placement, no_vms
from netlab.runs.hosts import can_run_here, choose_host
from netlab.runs.models import CheckState, Run
from netlab.runs.telling import host_report
from netlab.wire.host_report import HostReport
from netlab.workshops.models import Attendee, Workshop

REFRESH_S = 10
STATE_WORDS = {
    RunState.QUEUED: ("in the queue", "warn"),
    RunState.STARTING: ("starting", "warn"),
    RunState.RUNNING: ("running", "good"),
    RunState.RESETTING: ("resetting", "warn"),
    RunState.PAUSED: ("paused", ""),
    RunState.BROKEN: ("broken", "bad"),
    RunState.STOPPING: ("stopping", "warn"),
    RunState.STOPPED: ("stopped", ""),
    RunState.FAILED: ("failed", "bad"),
}
ISOLATION_WORDS = {
    Isolation.PRIVATE: ("a kernel of your own", "A small virtual machine: nobody else is in it."),
    Isolation.TRUSTED: ("shared kernel, trusted", "For people who trust each other: BTF and BPF's debugging helpers work."),
    Isolation.STRANGERS: (
        "shared kernel, strangers", "Least privileges: some BPF features are off, and the page says so when you need one."
    ),
}


@dataclass
class Progress:
    """Counted in steps that have checks; passed stays passed."""

    passed: int = 0
    total: int = 0

    @property
    def done(self) -> bool:
        return self.total > 0 and self.passed == self.total


@dataclass
class LabCard:
    id: str
    lab: CatalogueLab | None = None
    problem: str = ""
    """Why there is nothing to start: the lab's folder is broken or gone."""
    can_run: Placement = field(default_factory=lambda: Placement(True, RuntimeName.NAMESPACES, Isolation.STRANGERS))
    run: Run | None = None
    progress: Progress = field(default_factory=Progress)

    @property
    def unfinished(self) -> bool:
        return self.run is not None and self.run.run_state not in ENDED

    @property
    def kernel_words(self) -> str:
        """Why it is not on the host's kernel: of the run that is there, else as it would be started now."""
        if self.unfinished and self.run is not None:
            return self.run.why_here
        return self.can_run.why_here if self.can_run.ok else ""

    @property
    def not_yet(self) -> str:
        """What the answer is about, when it changes by itself."""
        if not self.can_run.waits:
            return ""
        return "VM labs:" if self.can_run.runtime is RuntimeName.VM else "Not yet:"

    @property
    def ended_why(self) -> str:
        """Why there is no run any more, when it was not the attendee who ended it."""
        if self.run is None or self.unfinished:
            return ""
        return self.run.ended_why or (f"{self.run.error['message']} {self.run.error['hint']}" if self.run.error else "")

    @property
    def state(self) -> tuple[str, str]:
        """(words, tone) of the run; empty before the first start."""
        return STATE_WORDS[self.run.run_state] if self.run else ("", "")


def lab_cards(workshop: Workshop, attendee: Attendee | None) -> list[LabCard]:
    report = host_report(choose_host())
    runs = _newest_runs(attendee)
    checks = _checks(runs)
    return [
        _card(link.lab, workshop, report, runs.get(link.lab), checks) for link in workshop.labs.all()
    ]


def kernel_words(isolation: Isolation, report: HostReport | None) -> str:
    """'Linux 6.12.9', empty while the host is away, or has no guest's kernel to say."""
    kernel = "" if report is None else report.guest.kernel if isolation is Isolation.PRIVATE else report.kernel
    return f"Linux {kernel}" if kernel else ""


def words_of_all(cards: list[LabCard]) -> str:
    """What is to be said of the kernel of every lab that can run here: once, instead of below each."""
    words = {card.kernel_words for card in cards if card.lab is not None and card.can_run.ok}
    return words.pop() if len(words) == 1 else ""


def refresh_s(cards: list[LabCard]) -> int | None:
    """After how long the page asks again; None: nothing on it changes by itself."""
    return REFRESH_S if any(card.can_run.waits for card in cards) else None


def default_isolation(report: HostReport | None) -> Isolation:
    """For a workshop of people who do not know each other: a kernel each, where the host can give it."""
    return Isolation.PRIVATE if report is not None and no_vms(report.guest) is None else Isolation.STRANGERS


def vm_words(report: HostReport | None) -> str:
    """For who chooses an isolation: why a private kernel is not to be had; empty where it is, and while the host is away."""
    obstacle = no_vms(report.guest) if report is not None else None
    return f"VM labs: {obstacle.why}. {obstacle.fix}" if obstacle else ""


def labs_that_can_run(isolation: Isolation, report: HostReport | None) -> str:
    """'3 of 4 labs can run here.', for who chooses an isolation; empty while the host is away."""
    labs = all_labs()
    if report is None or not labs:
        return ""
    count = sum(can_run_here(lab.spec, isolation, report).ok for lab in labs)
    return f"{count or 'None'} of {len(labs)} lab{'s' if len(labs) > 1 else ''} can run here."


def progress_of(spec: LabSpec, passed: set[tuple[str, str]]) -> Progress:
    """`passed`: (step, check) of all checks that were ever passed."""
    steps = [step for step in spec.steps if step.checks]
    return Progress(sum(all((s.id, c.id) in passed for c in s.checks) for s in steps), len(steps))


def _card(
    lab_id: str, workshop: Workshop, report: HostReport | None, run: Run | None, checks: dict[str, set[tuple[str, str]]]
) -> LabCard:
    try:
        lab = get_lab(lab_id)
    except NetlabError as error:
        return LabCard(lab_id, problem=f"{error.message} {error.hint}".strip(), run=run)
    can_run = can_run_here(lab.spec, Isolation(workshop.isolation), report)
    passed = checks.get(run.pk, set()) if run else set()
    return LabCard(lab_id, lab, can_run=can_run, run=run, progress=progress_of(lab.spec, passed))


def _newest_runs(attendee: Attendee | None) -> dict[str, Run]:
    """By lab; a later row replaces an earlier one."""
    if attendee is None:
        return {}
    rows = Run.objects.filter(attendee=attendee).defer("lab_spec", "host_steps", "start_sent").order_by("created_at", "id")
    return {run.lab: run for run in rows}


def _checks(runs: dict[str, Run]) -> dict[str, set[tuple[str, str]]]:
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    rows = CheckState.objects.filter(run__in=[r.pk for r in runs.values()], ever_passed=True)
    for run_id, step, check in rows.values_list("run_id", "step", "check_id"):
        found[run_id].add((step, check))
    return found
