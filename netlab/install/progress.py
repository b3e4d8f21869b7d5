"""Numbered steps with elapsed time, for people before a terminal and for logs without one; used by every command.

With a terminal one line is rewritten five times a second; without one, plain lines appear at the start, every ten seconds
and at the end. It never decides anything.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from netlab.install.failure import Failed

REDRAW_S = 0.2
PLAIN_LINE_EVERY_S = 10
TAIL_LINES = 15
LINE_CHARS = 200
PLAIN_CHARS = 90
TITLE_COLUMNS = 34
KILL_AFTER_S = 10
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Step:
    """One numbered step while it runs. `doing` is what is shown beside the clock, `note` what remains at the end."""

    def __init__(self, title: str, log: Path) -> None:
        self.title, self.log = title, log
        self.log_begins = log.stat().st_size
        self.started = time.monotonic()
        self.note = ""
        self.doing = ""
        self.hint = "Run the same command again: what is done is not repeated."

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
        watch: Callable[[], str] | None = None,
        timeout_s: float = 1800,
    ) -> None:
        """Run a program to its end, output into the log, its last line on the screen. Raises Failed."""
        self._run(argv, env, cwd, user, watch, timeout_s)

    def output(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
        timeout_s: float = 300,
    ) -> str:
        """As run(), and what the program wrote to its standard output, which does not go into the log."""
        return self._run(argv, env, cwd, user, None, timeout_s, keep_stdout=True)

    def _run(
        self,
        argv: Sequence[str | Path],
        env: Mapping[str, str] | None,
        cwd: Path | None,
        user: str | None,
        watch: Callable[[], str] | None,
        timeout_s: float,
        keep_stdout: bool = False,
    ) -> str:
        words = [str(word) for word in argv]
        with self.log.open("ab") as log:
            log.write(f"\n$ {' '.join(words)}\n".encode())
            log.flush()
            position = log.tell()
            try:
                process = subprocess.Popen(
                    words,
                    env=dict(env) if env is not None else None,
                    cwd=cwd,
                    start_new_session=True,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE if keep_stdout else log,
                    stderr=log,
                    **identity(user),
                )
            except FileNotFoundError as error:
                raise Failed(f"{words[0]} is not there", self.hint, self.log) from error
            try:
                stdout = self._wait(process, position, watch, timeout_s)
            except BaseException:
                stop_group(process)
                raise
        if process.returncode != 0:
            raise Failed(
                f"`{Path(words[0]).name} {' '.join(words[1:3])} ...` {how_it_ended(process.returncode)}", self.hint, self.log
            )
        return stdout

    def _wait(self, process: "subprocess.Popen[bytes]", position: int, watch: Callable[[], str] | None, timeout_s: float) -> str:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                stdout, _ = process.communicate(timeout=REDRAW_S)
                self.doing = ""
                return (stdout or b"").decode(errors="replace")
            except subprocess.TimeoutExpired:
                self.doing = watch() if watch else last_line(self.log, position)
                if time.monotonic() > deadline:
                    raise Failed(f"it did not end within {timeout_s:.0f} s", self.hint, self.log) from None


class Progress:
    """Prints the steps of one command."""

    def __init__(self, command: str, total: int, log: Path) -> None:
        self.command, self.total, self.log = command, total, log
        self.number = 0
        self.started = time.monotonic()
        self.terminal = sys.stdout.isatty()
        self.step_now: Step | None = None
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        log.touch(mode=0o600)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        self.number += 1
        step = self.step_now = Step(title, self.log)
        with self.log.open("a") as log:
            log.write(f"\n=== {self.number}/{self.total} {title}\n")
        ended = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(step, ended), daemon=True)
        ticker.start()
        try:
            yield step
        finally:
            ended.set()
            ticker.join()
        self._line(step, step.note or "done", last=True)

    def _tick(self, step: Step, ended: threading.Event) -> None:
        if self.terminal:
            while not ended.wait(REDRAW_S):
                self._line(step, step.doing or "...")
            return
        while not ended.wait(PLAIN_LINE_EVERY_S):
            self._line(step, (step.doing or "...")[:PLAIN_CHARS], last=True)

    def _line(self, step: Step, text: str, last: bool = False) -> None:
        head = f"{self.number:2}/{self.total} {step.title:{TITLE_COLUMNS}} {step.seconds:6.1f} s  "
        if not self.terminal:
            print(head + text, flush=True)
            return
        room = max(10, shutil.get_terminal_size().columns - len(head) - 1)
        sys.stdout.write("\r\x1b[K" + head + (text if last else text[:room]) + ("\n" if last else ""))
        sys.stdout.flush()

    def failed(self, what: str, hint: str, log: Path | None) -> None:
        """Which step, what happened, the last lines, what to do."""
        if self.terminal:
            print()
        step = self.step_now
        where = f" in step {self.number} of {self.total}, {step.title.lower()} ({step.seconds:.1f} s)" if step else ""
        print(f"\nmake {self.command} stopped{where}.\n  What happened: {what}", file=sys.stderr)
        if log is not None and log.exists():
            print(f"  Last lines of {log}:", file=sys.stderr)
            for line in tail(log, TAIL_LINES, step.log_begins if step and log == step.log else 0):
                print(f"    | {line[:LINE_CHARS]}", file=sys.stderr)
        print(f"  What to do: {hint or (step.hint if step else '')}", file=sys.stderr, flush=True)


def identity(user: str | None) -> dict[str, Any]:
    """Popen's arguments that make a program run as `user` with that user's groups, and nobody's in our place."""
    if user is None:
        return {}
    import grp
    import pwd

    entry = pwd.getpwnam(user)
    groups = [group.gr_gid for group in grp.getgrall() if user in group.gr_mem]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}


def stop_group(process: "subprocess.Popen[bytes]") -> None:
    """End a program and what it started; it was made with a session of its own."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):  # nobody is left in it
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(KILL_AFTER_S)


def how_it_ended(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def last_line(log: Path, position: int) -> str:
    lines = tail(log, 1, position)
    return lines[-1] if lines else ""


def tail(log: Path, count: int, position: int = 0) -> list[str]:
    """The last lines that say something, without colours."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(position, size - 16384))
        text = _ESCAPES.sub("", file.read().decode(errors="replace"))
    return [line.strip() for line in text.split("\n") if line.strip()][-count:]
