"""Probes of the attendee's files and of live counters: answered from what the engine has already. Called by `evaluate`."""

from netlab.domain.probes import CounterProbe, FileProbe
from netlab.host.checks.context import CheckContext, Verdict

SHOWN_CHARS_MAX = 60


async def file(probe: FileProbe, context: CheckContext) -> Verdict:
    text = context.read_file(probe.path)
    name = f"a file {probe.path}"
    wanted = [f"that has {quoted(probe.contains)}"] if probe.contains else []
    wanted += [f"without {quoted(probe.lacks)}"] if probe.lacks else []
    expected = f"no file {probe.path}" if not probe.exists else " ".join([name, *wanted])
    if text is None:
        return Verdict(not probe.exists, f"no file {probe.path}", expected)
    if not probe.exists:
        return Verdict(False, name, expected)
    if probe.contains is not None and probe.contains not in text:
        return Verdict(False, f"{name} without {quoted(probe.contains)}", expected)
    if probe.lacks is not None and probe.lacks in text:
        return Verdict(False, f"{name} that has {quoted(probe.lacks)}", expected)
    return Verdict(True, expected, expected)


async def counter(probe: CounterProbe, context: CheckContext) -> Verdict:
    what = f"{probe.counter} of {probe.node}:{probe.object}"
    bounds = probe.per_second or probe.total
    assert bounds is not None  # the model demands one
    unit = " per second" if probe.per_second else ""
    expected = f"{bounds.words()}{unit} in {what}"
    now = context.reading(probe.node, probe.object, probe.counter)
    if now is None:
        return Verdict(False, f"no reading of {what} yet", expected)
    value = now.per_second if probe.per_second else float(now.value)
    number = f"{int(value)}" if value == int(value) else f"{value:.1f}"
    return Verdict(bounds.accepts(value), f"{number}{unit} in {what}", expected)


def quoted(text: str) -> str:
    return f"'{text}'" if len(text) <= SHOWN_CHARS_MAX else f"'{text[:SHOWN_CHARS_MAX]}...'"
