"""One trace of a kernel's functions: what its process tells, put into the words of the event. Made by the engine of a guest.

The process follows the calls; this keeps them, and sees to it that nothing stays in tracefs, however the process has ended.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

from netlab.host.tracing import tracefs
from netlab.host.tracing.process import TraceProcess
from netlab.host.tracing.trace import Trace
from netlab.wire.traces import (
    CALLS_MAX,
    FRAMES_MAX,
    FRAMES_OF_A_CALL_MAX,
    FUNCTION_NAMES_MAX,
    FUNCTIONS_S_MAX,
    TracedCall,
    TraceSeen,
)

log = logging.getLogger(__name__)

PROGRAM = (sys.executable, "-m", "netlab.host.tracing.graph_process")
PATIENCE_S = 10.0
"""To take its instance away; an emulated processor takes its time."""
ENDS = {"calls": "all its calls have been followed", "frames": "as many functions as are kept have been seen"}


class FunctionTrace(Trace):
    seconds_max = FUNCTIONS_S_MAX
    is_large = True
    _calls: Sequence[TracedCall] = ()
    _functions: Sequence[str] = ()
    _lost = 0
    _first_at = 0
    _emulated = False

    def seen(self) -> TraceSeen:
        command = self._command
        return super().seen().model_copy(update={
            "function": command.function, "depth": command.depth, "calls_wanted": command.calls, "calls": list(self._calls),
            "functions": list(self._functions), "lost": self._lost, "emulated": self._emulated,
        })

    async def _start(self, _: Sequence[int]) -> TraceProcess:
        command = self._command
        job = {
            "function": command.function, "depth": command.depth, "calls": command.calls,
            "frames": FRAMES_MAX, "frames_of_a_call": FRAMES_OF_A_CALL_MAX,
        }
        return await TraceProcess.start(json.dumps(job).encode() + b"\n", PROGRAM)

    async def _end_process(self, process: TraceProcess) -> None:
        await process.end(PATIENCE_S)
        try:
            await asyncio.to_thread(tracefs.clear)
        except OSError:
            log.exception("a tracefs instance of ours stays")

    def _take(self, line: dict[str, Any]) -> None:
        if "error" in line:
            self._problem = line["error"]
            self.end("function graphs are taken" if line.get("taken") else "this machine's kernel refused it")
        elif "ready" in line:
            self.ready, self._emulated = True, line["emulated"]
        elif "over" in line:
            self.end(ENDS[line["over"]])
        else:
            self._keep(line)

    def _keep(self, line: dict[str, Any]) -> None:
        self._functions = [*self._functions, *line["names"]]
        self._lost = line["lost"]
        calls = list(self._calls)
        for each in line["calls"]:
            if len(calls) >= CALLS_MAX or len(self._functions) > FUNCTION_NAMES_MAX:
                break
            self._first_at = self._first_at or each["began"]
            calls.append(TracedCall(
                number=len(calls) + 1, after_ns=max(0, each["began"] - self._first_at), took_ns=each["took"], cpu=each["cpu"],
                task=each["task"], frames=each["frames"], left_out=each["left_out"],
            ))
        self._calls = calls

    def _look_whether_all_came(self) -> None:
        """It says so itself."""
