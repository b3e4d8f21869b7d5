"""What passes through a guest's one port: framing, numbered messages that survive a reconnect, and their kinds.

Used by the `vm` runtime on the host and by the agent in the guest, each holding one `PortSession`; it does no I/O. The
port is a byte stream (virtio-serial) that loses whatever is under way when either side's process ends, so

    frame    0xC0 slip(MessagePack [number, received, kind, fields] + CRC-32, big endian) 0xC0          (SLIP: RFC 1055)

A frame that was cut off fails its checksum and is skipped; the next 0xC0 begins anew. `number` counts the messages that
must not be lost, from 1 (0: may be lost); `received` acknowledges the peer's. After a reconnect both sides say HELLO, with
a name for their side's life and the number that follows, and send again what the other has not got. Messages arrive in
order, none twice as long as both sides live; when one side is a new process, what the old one had not acknowledged comes
again. What comes before the first HELLO was meant for somebody else.

The host trusts nothing of what a guest says: frames are bounded, the run's id is the port's, terminals and commands that
the run has not are ignored, and bytes are read at a bounded pace.
"""

import secrets
import zlib
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgpack

FRAME_BYTES_MAX = 8 * 1024 * 1024
"""Host to guest: a StartRun with its files, an object."""
GUEST_FRAME_BYTES_MAX = 1024 * 1024
"""Guest to host: an event with a verifier's log."""
BLOB_PART_BYTES = 256 * 1024
UNACKED_BYTES_MAX = 16 * 1024 * 1024
"""Beyond it a side has lost its peer for good: PortOverrun."""
ACK_AFTER_MESSAGES = 16
_UNPACK_LIMITS = {"max_array_len": 16, "max_map_len": 256, "max_ext_len": 0}
"""A frame is flat but for a build's files. Lists that only claim to be long would be made room for, each within the other."""
GUEST_RUN = "r0000000000"
"""The one run of a guest: its templates are made before anybody knows whose they will be. The host writes the real id."""
PORT_NAME = "netlab"
"""/dev/virtio-ports/<name>, name of the virtserialport."""

_END, _ESC, _ESC_END, _ESC_ESC = b"\xc0", b"\xdb", b"\xdb\xdc", b"\xdb\xdd"


class Kind(StrEnum):
    """Fields in brackets. JSON fields are the wire messages of the same names."""

    # both ways
    HELLO = "hello"  # [life, first] first after every connect
    ACK = "ack"  # [] when nothing else carries it
    # host -> guest
    BAKE = "bake"  # [command: StartRun json] build this lab and wait to be personalised; answered by BAKED
    PERSONALISE = "personalise"  # [seed, now, hostname, machine_id, start: StartRun json without lab] READY
    COMMAND = "command"  # [command: json] answered by REPLY
    TERMINAL = "terminal"  # [message: json]
    WATCH = "watch"  # [on] somebody looks at the run
    WANT_FULL = "want_full"  # []
    HOLD = "hold"  # [on] terminals are not to be read now
    CLOCK = "clock"  # [now, seed] after a pause
    PING = "ping"  # [n] answered by PONG
    SYNC = "sync"  # [n] the machine is about to go: look now what shells have changed under /lab; answered by SYNCED
    BUILT = "built"  # [request, result: json, object: bytes or nil]
    # guest -> host
    BOOTED = "booted"  # [kernel, abilities: json] once, when the agent is up
    BAKED = "baked"  # [error: json or nil]
    READY = "ready"  # [error: json or nil]
    REPLY = "reply"  # [command, error: json or nil] the engine has accepted the command, or refuses it
    EVENT = "event"  # [event: json]
    OUTPUT = "output"  # [terminal, end_offset, data]
    SCHEMA = "schema"  # [schema: json]
    COUNTERS = "counters"  # [body] one tick
    HISTORY = "history"  # [body]
    BLOB = "blob"  # [command, data, last] parts of at most BLOB_PART_BYTES
    PONG = "pong"  # [n]
    SYNCED = "synced"  # [n] all FileChanged events of it came before
    BUILD = "build"  # [request, program: json, files: {path: text}] compile this on the host


MAY_BE_LOST = frozenset({Kind.HELLO, Kind.ACK, Kind.PING, Kind.PONG, Kind.COUNTERS, Kind.HISTORY, Kind.WANT_FULL})


class PortOverrun(Exception):
    """The peer has not acknowledged for so long that no more can be kept for it."""


@dataclass(frozen=True)
class Message:
    kind: Kind
    fields: dict[str, Any]


@dataclass
class PortSession:
    """One side of a port. `receive` bytes, `take` bytes to be written; nothing here waits."""

    frame_bytes_max: int
    """Of what is received."""
    acknowledges_itself: bool = True
    """False: the owner says with `safe` when what was received cannot be lost any more."""
    life: str = field(default_factory=lambda: secrets.token_hex(8))
    bad_frames: int = 0
    """Frames that were not understood: of a peer cut off, or one that means ill."""
    greetings: int = 0
    """HELLOs of the peer: one a connection."""
    _next: int = 1
    _received: int = 0
    _safe: int = 0
    _told: int = 0
    _peer: str = ""
    _unacked: deque[tuple[int, Kind, dict[str, Any], int]] = field(default_factory=deque)
    _unacked_bytes: int = 0
    _partial: bytearray = field(default_factory=bytearray)
    _skipping: bool = False
    _out: deque[bytes] = field(default_factory=deque)

    # --- sending

    def send(self, kind: Kind, **fields: Any) -> None:
        """Queue a message. Raises PortOverrun when the peer takes nothing any more."""
        if kind in MAY_BE_LOST:
            self._out.append(self._frame(0, kind, fields))
            return
        number, self._next = self._next, self._next + 1
        frame = self._frame(number, kind, fields)
        self._unacked.append((number, kind, fields, len(frame)))
        self._unacked_bytes += len(frame)
        if self._unacked_bytes > UNACKED_BYTES_MAX:
            raise PortOverrun(f"{self._unacked_bytes} bytes are not acknowledged")
        self._out.append(frame)

    def connected(self, *, noticed_late: bool = False) -> None:
        """The stream is new: what was under way is lost, what is not acknowledged goes again. `noticed_late`: by the peer's
        second HELLO only, so what has begun to come is of the new stream already."""
        self._out.clear()
        if not noticed_late:
            self._partial.clear()
            self._skipping = False
        first = self._unacked[0][0] if self._unacked else self._next
        self._out.append(_END + self._frame(0, Kind.HELLO, {"life": self.life, "first": first}))
        self._out.extend(self._frame(number, kind, fields) for number, kind, fields, _ in self._unacked)

    def take(self) -> bytes:
        """Everything that is to be written now, an acknowledgement with it when one is due."""
        if not self._out and self._safe - self._told >= ACK_AFTER_MESSAGES:
            self.acknowledge()
        data = b"".join(self._out)
        self._out.clear()
        return data

    def acknowledge(self) -> None:
        """Say now what has been received, unless that was said: call it when the stream has been quiet for a moment."""
        if self.owes_acknowledgement:
            self._out.append(self._frame(0, Kind.ACK, {}))

    @property
    def owes_acknowledgement(self) -> bool:
        return self._safe != self._told

    @property
    def received(self) -> int:
        """The number of the newest message that was received."""
        return self._received

    def safe(self, number: int) -> None:
        """Everything up to this number is where it cannot be lost: the peer may forget it."""
        self._safe = max(self._safe, min(number, self._received))

    @property
    def peer(self) -> str:
        """The peer's life, as its HELLO said it; another one than before: the peer is a new process. '' before the first."""
        return self._peer

    @property
    def unacked_bytes(self) -> int:
        return self._unacked_bytes

    # --- receiving

    def receive(self, data: bytes) -> list[Message]:
        """The messages that these bytes complete, in order and none twice."""
        messages = []
        *whole, rest = data.split(_END)
        for piece in whole:
            if self._skipping:
                self._skipping = False
            elif self._partial or piece:
                message = self._parse(bytes(self._partial) + piece)
                if message is not None:
                    messages.append(message)
            self._partial.clear()
        if len(self._partial) + len(rest) > self.frame_bytes_max:
            self._partial.clear()
            self._skipping = True
            self.bad_frames += 1
        elif not self._skipping:
            self._partial += rest
        return messages

    def _parse(self, piece: bytes) -> Message | None:
        body = piece.replace(_ESC_END, _END).replace(_ESC_ESC, _ESC)
        try:
            if len(piece) > self.frame_bytes_max or zlib.crc32(body[:-4]) != int.from_bytes(body[-4:], "big"):
                raise ValueError("checksum")
            number, received, kind, fields = msgpack.unpackb(body[:-4], **_UNPACK_LIMITS)
            message = Message(Kind(kind), fields)
            if not (isinstance(number, int) and isinstance(received, int) and isinstance(fields, dict)):
                raise TypeError("shape")
        except (ValueError, TypeError, msgpack.UnpackException):
            self.bad_frames += 1
            return None
        if message.kind is Kind.HELLO:
            self._greeted(fields)
        if not self._peer:  # what it had under way for somebody before us
            return None
        self._forget(received)
        if number == 0:
            return None if message.kind in (Kind.HELLO, Kind.ACK) else message
        if number != self._received + 1:  # seen already, or one before it was lost: it comes again after a reconnect
            return None
        self._received = number
        if self.acknowledges_itself:
            self._safe = number
        return message

    def _greeted(self, fields: dict[str, Any]) -> None:
        """A peer of another life counts anew."""
        self.greetings += 1
        life, first = fields.get("life"), fields.get("first")
        if isinstance(life, str) and isinstance(first, int) and life != self._peer:
            self._peer = life
            self._received = self._safe = self._told = first - 1

    def _forget(self, received: int) -> None:
        while self._unacked and self._unacked[0][0] <= received:
            self._unacked_bytes -= self._unacked.popleft()[3]

    def _frame(self, number: int, kind: Kind, fields: dict[str, Any]) -> bytes:
        self._told = self._safe
        body: bytes = msgpack.packb([number, self._safe, kind.value, fields])
        body += zlib.crc32(body).to_bytes(4, "big")
        return _END + body.replace(_ESC, _ESC_ESC).replace(_END, _ESC_END) + _END
