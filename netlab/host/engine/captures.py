"""A run's captures: begun and stopped by its attendee, handed up as files, told while somebody looks, gone with the nodes.

Called by `carry_out` and `attention`. A capture holds a socket in its node, so `end_all` is awaited before nodes change.
"""

import asyncio
import errno
import logging
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.host.capture.capture import Capture
from netlab.host.capture.tap import Tap
from netlab.wire.commands import StartCapture
from netlab.wire.events import CapturesSeen, PacketsSeen
from netlab.wire.packets import CAPTURES_AT_ONCE, CAPTURES_KEPT, Packet

if TYPE_CHECKING:
    from netlab.host.engine.live_run import LiveRun

log = logging.getLogger(__name__)

NO_DEVICE = frozenset({errno.ENODEV, errno.ENXIO, errno.EADDRNOTAVAIL})


@dataclass
class Captures:
    """What a run keeps of them, oldest first."""

    kept: dict[str, Capture] = field(default_factory=dict)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def running(self) -> list[Capture]:
        return [capture for capture in self.kept.values() if capture.running]

    def __getitem__(self, capture: str) -> Capture:
        """Raises CAPTURE_UNKNOWN."""
        found = self.kept.get(capture)
        if found is None:
            raise NetlabError(ErrorCode.CAPTURE_UNKNOWN)
        return found


async def start(live: "LiveRun", command: StartCapture) -> None:
    """Raises CANNOT_CAPTURE; then nothing has begun."""
    captures = live.captures
    same = [c for c in captures.running if (c.node, c.interface) == (command.node, command.interface)]
    if same:
        raise _cannot(command, "it is being captured already", "Stop that capture first.")
    if len(captures.running) >= CAPTURES_AT_ONCE:
        raise _cannot(command, f"{CAPTURES_AT_ONCE} captures are at work", "Stop one of them first.")
    capture = await _open(live, command)
    captures.kept[command.id] = capture
    for old in [c for c in captures.kept.values() if not c.running][: max(0, len(captures.kept) - CAPTURES_KEPT)]:
        captures.kept.pop(old.id).forget()
    captures.tasks[command.id] = asyncio.create_task(_run(live, capture), name=f"capture {live.run}")
    tell(live)


async def stop(live: "LiveRun", capture: str, why: str = "you stopped it") -> None:
    """Raises CAPTURE_UNKNOWN. One that is over stays as it is."""
    await _end(live.captures, live.captures[capture], why)
    tell(live)


async def end_all(live: "LiveRun", why: str) -> None:
    """No socket of ours is in a node any more when this returns; the files stay."""
    running = live.captures.running
    for capture in running:
        await _end(live.captures, capture, why)
    if running:
        tell(live)


async def forget_all(live: "LiveRun") -> None:
    """The run is over."""
    await end_all(live, "the lab has ended")  # or the agent: nothing of it survives
    for capture in live.captures.kept.values():
        capture.forget()
    live.captures.kept.clear()


def tell_again(live: "LiveRun") -> None:
    """Once a second what there is; that there is none is told by `tell`, once."""
    if live.captures.kept:
        tell(live)


def tell(live: "LiveRun") -> None:
    live.tell(CapturesSeen, captures=[capture.seen() for capture in live.captures.kept.values()])


async def _open(live: "LiveRun", command: StartCapture) -> Capture:
    sock = await live.parts.nodes.open_socket(live.nodes_there, command.node, socket.AF_PACKET, socket.SOCK_RAW)
    try:
        tap = Tap(sock, command.interface, command.snap_bytes)
        comment = f"{live.lab.title}: {command.node}:{command.interface}"
        return Capture(tap, command.id, command.node, command.interface, command.snap_bytes, comment)
    except OSError as error:
        sock.close()
        if error.errno in NO_DEVICE:
            raise _cannot(command, "there is no such interface", f"`ip link` in {command.node} lists them.") from None
        raise


async def _run(live: "LiveRun", capture: Capture) -> None:
    def show(of: Capture, packets: list[Packet], more: int) -> None:
        live.tell(PacketsSeen, capture=of.id, node=of.node, packets=packets, more=more)

    try:
        await capture.run(show)
    except Exception:  # a background task's edge: a node in the middle of a change must not end the run
        log.exception("capture of %s:%s of run %s", capture.node, capture.interface, live.run)
        capture.end("it broke; begin again")
    live.captures.tasks.pop(capture.id, None)
    tell(live)


async def _end(captures: Captures, capture: Capture, why: str) -> None:
    task = captures.tasks.pop(capture.id, None)
    if task is not None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    capture.end(why)


def _cannot(command: StartCapture, why: str, fix: str) -> NetlabError:
    return NetlabError(ErrorCode.CANNOT_CAPTURE, node=command.node, interface=command.interface, why=why, fix=fix)
