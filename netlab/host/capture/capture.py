"""One capture of one interface: reads its tap, writes a file without a name, tells what came in small batches.

Made by the engine for an attendee; ends by itself at its limits, when its interface goes away, or when it is cancelled. The
file lives as long as the capture is kept. It never filters: who looks does.
"""

import asyncio
import base64
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress

from netlab.host.capture import pcapng
from netlab.host.capture.tap import Taken, Tap
from netlab.host.kernel.readable import readable
from netlab.wire.packets import (
    BATCH_MAX,
    CAPTURE_BYTES_MAX,
    CAPTURE_S_MAX,
    HEAD_BYTES,
    CaptureSeen,
    Packet,
)

BATCH_EVERY_S = 0.2
LOOK_EVERY_S = 2.0
"""While the wire is quiet: is the interface still the same device, is the time over?"""
ON_DISK = "/var/tmp"  # noqa: S108 - without a name there; a folder on disk by the standard of file systems, unlike /tmp

Show = Callable[["Capture", list[Packet], int], None]
"""A batch, and how many more there were than are shown."""


class Capture:
    """Raises OSError (ENODEV) when there is no such interface; the socket is closed then."""

    def __init__(self, tap: Tap, id: str, node: str, interface: str, snap_bytes: int, comment: str) -> None:
        self.id, self.node, self.interface = id, node, interface
        self._tap = tap
        self._file = tempfile.TemporaryFile(dir=ON_DISK)  # noqa: SIM115 - closed by `forget`
        self._started_at = time.time()
        self._packets = self._missed = 0
        self._kept_bytes = self._file.write(pcapng.begin(interface, tap.link_type, snap_bytes, comment))
        self.running, self._ended = True, ""

    def seen(self) -> CaptureSeen:
        return CaptureSeen(
            id=self.id, node=self.node, interface=self.interface, link_type=self._tap.link_type, started_at=self._started_at,
            packets=self._packets, kept_bytes=self._kept_bytes, missed=self._missed, running=self.running, ended=self._ended,
        )

    def content(self) -> bytes:
        """The file as it is now: whole blocks."""
        self._file.seek(0)
        return self._file.read()

    async def run(self, show: Show) -> None:
        """Until a limit is reached or the interface is gone; cancelled: whoever cancels says `end`."""
        ends_at = time.monotonic() + CAPTURE_S_MAX
        while self.running:
            await self._readable(min(LOOK_EVERY_S, max(0.0, ends_at - time.monotonic())))
            taken, missed = self._tap.read()
            self._missed += missed
            packets = [packet for one in taken if (packet := self._keep(one)) is not None]
            if packets or missed:
                show(self, packets[:BATCH_MAX], max(0, len(packets) - BATCH_MAX) + missed)
            if time.monotonic() >= ends_at:
                self.end(f"{CAPTURE_S_MAX // 60} minutes are over")
            elif not self._tap.is_there():
                self.end("the interface is gone")
            await asyncio.sleep(BATCH_EVERY_S)

    def end(self, why: str) -> None:
        """Nothing of the node is held any more; the file stays."""
        if self.running:
            self.running, self._ended = False, why
            self._tap.sock.close()

    def forget(self) -> None:
        self.end("it was put away")
        self._file.close()

    def _keep(self, one: Taken) -> Packet | None:
        if not self.running:
            return None
        block = pcapng.packet(one.at_ns, one.data, one.length, outgoing=one.outgoing)
        if self._kept_bytes + len(block) > CAPTURE_BYTES_MAX:
            self.end(f"{CAPTURE_BYTES_MAX >> 20} MiB are full")
            return None
        self._file.write(block)
        self._kept_bytes += len(block)
        self._packets += 1
        at_s, at_ns = divmod(one.at_ns, 1_000_000_000)
        return Packet(
            number=self._packets, at_s=at_s, at_ns=at_ns, bytes=one.length, outgoing=one.outgoing, unfinished=one.unfinished,
            head=base64.b64encode(one.data[:HEAD_BYTES]).decode(),
        )

    async def _readable(self, timeout_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await readable(self._tap.sock)
