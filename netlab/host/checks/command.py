"""The probe that runs a command: in the attendee's own node, as its root, with its limits. Called by `evaluate`."""

import shlex

from netlab.domain.probes import CommandProbe
from netlab.host.checks.context import CheckContext, Verdict
from netlab.host.checks.files import quoted

OUTPUT_BYTES_MAX = 64 * 1024


async def command(probe: CommandProbe, context: CheckContext) -> Verdict:
    done = await context.nodes.execute(
        context.run_nodes, probe.node, list(probe.run), timeout_s=probe.timeout_s, output_limit=OUTPUT_BYTES_MAX,
    )
    shown = shlex.join(probe.run)
    expected = f"exit code {probe.exit_code} of {quoted(shown)}"
    expected += f", printing {quoted(probe.prints)}" if probe.prints else ""
    expected += f", not printing {quoted(probe.lacks)}" if probe.lacks else ""
    if done.timed_out:
        return Verdict(False, f"no end of {quoted(shown)} within {probe.timeout_s:g} s", expected)
    text = (done.stdout + b"\n" + done.stderr).decode(errors="replace")
    if done.exit_code != probe.exit_code:
        return Verdict(False, f"exit code {done.exit_code} of {quoted(shown)}{_last_words(text)}", expected)
    if probe.prints is not None and probe.prints not in text:
        return Verdict(False, f"an output without {quoted(probe.prints)}{_last_words(text)}", expected)
    if probe.lacks is not None and probe.lacks in text:
        return Verdict(False, f"an output with {quoted(probe.lacks)}", expected)
    return Verdict(True, expected, expected)


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f": {lines[-1][:120]}" if lines else ""
