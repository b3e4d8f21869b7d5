"""Listens on the wire between a conduit and its DSA switch while somebody looks, and tells what it heard in small batches.

Called by the engine's attention, one task a switch; cancelled when nobody looks or the nodes are about to change. It captures
with a packet socket made inside the switch's node, asks the kernel which tagger the conduit has now, and changes nothing.
"""

import asyncio
import errno
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from netlab.domain.devices import SwitchSpec
from netlab.host.kernel.readable import readable
from netlab.host.nodes.api import Nodes, RunNodes
from netlab.host.switches import frames, tags
from netlab.wire.events import TaggedFrame

HEAD_BYTES = 128
TAIL_BYTES = 4
"""A trailer is at the end, however long the frame is."""
BATCH_EVERY_S = 0.2
SHOWN_MAX = 20
"""Of a batch; nobody reads more."""
READ_MAX = 200
"""Of a batch: a flood costs no more than this, the rest is dropped by the kernel and counted by it."""
RECEIVE_BUFFER_BYTES = 256 * 1024
FRAME_BYTES_MAX = 128 * 1024
LOOK_EVERY_S = 2.0
"""While the wire is quiet: is the conduit still the same device?"""
LISTEN_AGAIN_S = 1.0
WENT_AWAY = frozenset({errno.ENODEV, errno.ENXIO, errno.EADDRNOTAVAIL})

ETH_P_ALL = 3
IFF_UP = 1
SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_OUTGOING = 4
SO_TIMESTAMPNS = 35
ANCILLARY_BYTES = 64

Show = Callable[[list[TaggedFrame], int], None]
"""Frames, and how many more there were."""


@dataclass(frozen=True)
class Heard:
    """One frame as the socket gave it."""

    at: float
    outgoing: bool
    frame: tags.CutFrame


async def watch(nodes: Nodes, run_nodes: RunNodes, switch: SwitchSpec, show: Show) -> None:
    """Without end; a conduit that is taken away and comes back is listened to again."""
    while True:
        try:
            with await nodes.open_socket(run_nodes, switch.node, socket.AF_PACKET, socket.SOCK_RAW) as sock:
                await _listen(Wire(sock, switch.conduit), nodes, run_nodes, switch, show)
        except OSError as error:
            if error.errno not in WENT_AWAY:
                raise
        await asyncio.sleep(LISTEN_AGAIN_S)


async def _listen(wire: "Wire", nodes: Nodes, run_nodes: RunNodes, switch: SwitchSpec, show: Show) -> None:
    """Until the conduit is another device."""
    tagger = ""
    while wire.is_there():
        if not await wire.readable(LOOK_EVERY_S):
            continue
        heard, missed = wire.read()
        if wire.was_down or not tagger:  # taggers change only while the conduit is down
            wire.was_down = False
            is_up, tagger = await _tagger(nodes, run_nodes, switch)
            wire.was_down |= not is_up  # it may change still: asked again with the next frame
        if heard or missed:
            shown = [tagged_frame(one, tagger, switch) for one in heard[:SHOWN_MAX]]
            show(shown, missed + len(heard) - len(shown))
        await asyncio.sleep(BATCH_EVERY_S)


async def _tagger(nodes: Nodes, run_nodes: RunNodes, switch: SwitchSpec) -> tuple[bool, str]:
    """Whether the conduit is up, and after that what its frames are tagged with; `none` when it is no conduit any more."""
    folder = f"/sys/class/net/{switch.conduit}"
    result = await nodes.execute(run_nodes, switch.node, ["cat", f"{folder}/flags", f"{folder}/dsa/tagging"])
    flags, _, tagger = result.stdout.decode("ascii", "replace").partition("\n")
    is_up = bool(int(flags or "0", 16) & IFF_UP)
    return is_up, tagger.strip() if result.exit_code == 0 else "none"


def tagged_frame(heard: Heard, tagger: str, switch: SwitchSpec) -> TaggedFrame:
    """What a person is shown of it."""
    direction: tags.Direction = "from_cpu" if heard.outgoing else "to_cpu"
    tag = tags.decode(tagger, direction, heard.frame) or tags.untagged(heard.frame)
    source, destination = frames.addresses(tag.inside)
    return TaggedFrame(
        at=heard.at, direction=direction, tagger=tag.tagger, port=tag.port, port_name=_port_name(tag, switch),
        fields=list(tag.fields), tag=tag.raw.hex(), source=source, destination=destination,
        protocol=frames.describe(tag.inside), bytes=heard.frame.length,
    )


def _port_name(tag: tags.Tag, switch: SwitchSpec) -> str:
    """Port 0 of a switch is its CPU port, the lab's user ports follow in their order."""
    numbers = tag.ports or (tag.port,)
    return ", ".join(switch.ports[n - 1].name for n in numbers if 1 <= n <= len(switch.ports))


class Wire:
    """A packet socket bound to a conduit: what is read from it is what passes between the kernel and the switch."""

    def __init__(self, sock: socket.socket, conduit: str) -> None:
        """Raises OSError (ENODEV) when there is no such device."""
        self._sock, self._conduit = sock, conduit
        self._buffer = bytearray(FRAME_BYTES_MAX)
        self.was_down = False
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.bind((conduit, ETH_P_ALL))

    def is_there(self) -> bool:
        """The kernel forgets what a socket was bound to when the device goes away."""
        return bool(self._sock.getsockname()[0] == self._conduit)

    async def readable(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await readable(self._sock)
        except TimeoutError:
            return False
        return True

    def read(self) -> tuple[list[Heard], int]:
        """What has come, and how many frames the kernel had no room for."""
        heard: list[Heard] = []
        while len(heard) < READ_MAX:
            try:
                heard.append(self._read_one())
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENETDOWN:
                    raise
                self.was_down = True
        return heard, self._dropped()

    def _read_one(self) -> Heard:
        length, ancillary, _, address = self._sock.recvmsg_into([self._buffer], ANCILLARY_BYTES, socket.MSG_TRUNC)
        kept = min(length, FRAME_BYTES_MAX)
        head = bytes(self._buffer[:min(kept, HEAD_BYTES)])
        tail = bytes(self._buffer[max(0, kept - TAIL_BYTES):kept])
        return Heard(_timestamp(ancillary), address[2] == PACKET_OUTGOING, tags.CutFrame(head, tail, length))

    def _dropped(self) -> int:
        """Since the last question."""
        (_, dropped) = struct.unpack("=II", self._sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        return int(dropped)


def _timestamp(ancillary: list[tuple[int, int, bytes]]) -> float:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack_from("=qq", data)
            return float(seconds + nanoseconds / 1e9)
    return time.time()
