"""Evaluates the checks of a run's open step: every second while somebody looks, and at once when asked.

It decides when and what is told; what a check sees and says is `netlab.host.checks`.
"""

import asyncio
import logging
import time

from netlab.domain.errors import NetlabError
from netlab.domain.lab import CheckSpec
from netlab.host.checks.evaluate import CheckContext, evaluate
from netlab.host.engine.live_run import LiveRun
from netlab.wire.events import CheckResult, CheckVerdict

log = logging.getLogger(__name__)

ROUND_EVERY_S = 1.0
PAUSE_MIN_S = 0.2
"""Between two rounds when a round takes longer than a second (pings that nobody answers)."""
AT_ONCE = 4
"""Checks of one run that are evaluated side by side."""


async def watch(live: LiveRun) -> None:
    """Rounds without end; cancelled when nobody looks any more."""
    while True:
        began = time.monotonic()
        step = live.record.open_step
        if step is not None:
            verdicts = await _evaluate_step(live, step)
            if step == live.record.open_step:
                _tell_changes(live, step, verdicts)
        await asyncio.sleep(max(PAUSE_MIN_S, ROUND_EVERY_S - (time.monotonic() - began)))


async def run_now(live: LiveRun, step: str, command: str) -> None:
    """For RunCheck: all verdicts of a step, changed or not."""
    verdicts = await _evaluate_step(live, step)
    if step == live.record.open_step:
        live.told_verdicts = {v.check: v for v in verdicts}
    live.tell(CheckResult, command, step=step, verdicts=verdicts)


def open_step(live: LiveRun, step: str) -> None:
    live.record.open_step = step
    live.told_verdicts = {}


def _tell_changes(live: LiveRun, step: str, verdicts: list[CheckVerdict]) -> None:
    changed = [v for v in verdicts if live.told_verdicts.get(v.check) != v]
    if changed:
        live.told_verdicts.update({v.check: v for v in changed})
        live.tell(CheckResult, None, step=step, verdicts=changed)


async def _evaluate_step(live: LiveRun, step_id: str) -> list[CheckVerdict]:
    step = live.lab.step(step_id)
    if step is None:
        return []
    context = _context(live)
    room = asyncio.Semaphore(AT_ONCE)

    async def one(check: CheckSpec) -> CheckVerdict | None:
        async with room:
            return await _evaluate(live, check, context)

    return [v for v in await asyncio.gather(*(one(check) for check in step.checks)) if v is not None]


async def _evaluate(live: LiveRun, check: CheckSpec, context: CheckContext) -> CheckVerdict | None:
    """None when the check itself broke: the last verdict stays, the log has the reason."""
    try:
        return await evaluate(check, context)
    except NetlabError as error:
        return CheckVerdict(check=check.id, passed=False, observed=error.message, expected="")
    except Exception:  # one broken probe must not end the rounds of the others
        log.exception("check %s of run %s", check.id, live.run)
        return None


def _context(live: LiveRun) -> CheckContext:
    sampler, run = live.parts.sampler, live.run
    return CheckContext(
        nodes=live.parts.nodes, run_nodes=live.nodes_there, outcomes=live.record.outcomes,
        reading=lambda node, object, counter: sampler.reading(run, node, object, counter), read_file=live.mirror.read,
    )
