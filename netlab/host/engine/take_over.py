"""A run that was built before anybody knew whose it would be becomes somebody's: the last step of a cloned guest's start.

Called by the run's actor for the guest agent, once. Nodes, links and shells stay as they are; what is the attendee's own
comes in: generation, files, open step, the ids of terminals. It tells what a start would have told, and waits for nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_terminal_id
from netlab.domain.lab import Isolation
from netlab.domain.lifecycle import RunState
from netlab.host.engine import attention
from netlab.host.engine.live_run import LiveRun
from netlab.host.engine.state import FileState, TerminalState
from netlab.wire.events import TerminalClosed, TerminalOpened
from netlab.wire.terminals import CHUNK_BYTES


@dataclass(frozen=True)
class Wish:
    """What of a StartRun is not in the template: its lab is, by digest."""

    id: str
    generation: int
    lab_digest: str
    isolation: Isolation
    files: Mapping[str, tuple[int, str]]
    """path -> version, content."""
    open_step: str | None
    terminals: tuple[str, ...]

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Of a StartRun that the host has validated. Validating the lab again would take longer than all the rest of a start:
        in a clone under software emulation nothing is warm. Raises KeyError, ValueError."""
        start = json.loads(text)
        return cls(
            start["id"], int(start["generation"]), start["lab_digest"], Isolation(start["isolation"]),
            {file["path"]: (int(file["version"]), file["content"]) for file in start["files"]},
            start.get("open_step"), tuple(start.get("terminals", ())),
        )


def take_over(live: LiveRun, wish: Wish, printed: Mapping[str, bytes | bytearray]) -> None:
    """`printed`: what each terminal has said since its shell began, by its old id. Raises START_FAILED."""
    record = live.record
    if record.state is not RunState.RUNNING:
        raise NetlabError(ErrorCode.START_FAILED, why=f"its template holds a lab that is {record.state.value}", id=wish.id)
    if record.lab_digest != wish.lab_digest:
        raise NetlabError(ErrorCode.START_FAILED, why="its template holds another lab", id=wish.id)
    record.generation, record.open_step, record.isolation = wish.generation, wish.open_step, wish.isolation
    _give_files(live, wish.files)
    _give_terminals(live, wish, printed)
    live.told_attachments, live.told_verdicts = None, {}
    live.tell_state(wish.id)
    attention.refresh(live)


def _give_files(live: LiveRun, files: Mapping[str, tuple[int, str]]) -> None:
    """Only what differs from the starter files is written: each write dirties memory that clones would share."""
    record = live.record
    for path in record.files.keys() - files.keys():
        live.mirror.delete(path)
    for path, (version, content) in files.items():
        known = record.files.get(path)
        if known is None or known.content != content:
            live.mirror.place(path, content)
        record.files[path] = FileState(version=version, content=content)


def _give_terminals(live: LiveRun, wish: Wish, printed: Mapping[str, bytes | bytearray]) -> None:
    """The declared ones, in the lab's order: new ids, and their bytes from the first on."""
    ids = iter(wish.terminals)
    for state in [state for state in live.record.terminals if state.declared]:
        old, state.id = state.id, next(ids, None) or new_terminal_id()
        live.desk.rename(old, state.id)
        live.tell(TerminalOpened, wish.id, terminal=state.id, node=state.node, title=state.title)
        _hand_out(live, state, printed.get(old, b""))
        if not state.open:
            live.tell(TerminalClosed, wish.id, terminal=state.id, reason="its shell has ended")


def _hand_out(live: LiveRun, state: TerminalState, said: bytes | bytearray) -> None:
    for at in range(0, len(said), CHUNK_BYTES):
        piece = bytes(said[at : at + CHUNK_BYTES])
        live.parts.outlet.terminal_output(state.id, at + len(piece), piece)
