"""The guest's end of its port: bytes in and out of /dev/virtio-ports/netlab, whoever is at the other end, or nobody.

Held by the agent. A virtio port says EPOLLHUP|EPOLLIN for as long as no host is connected, so waiting on it level-triggered
is a busy loop. Its wait queue is woken whenever something changes (host comes, host goes, bytes, room): an edge-triggered
epoll of its own, which the event loop watches, sleeps until then. What a message means is the agent's business.

For tests the other end may be a unix socket: a path that is connected to again and again, or a descriptor.
"""

import asyncio
import errno
import logging
import os
import select
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from netlab.wire.guest_port import FRAME_BYTES_MAX, Kind, Message, PortSession

log = logging.getLogger(__name__)

READ_BYTES = 64 * 1024
WRITE_BYTES = 32 * 1024
"""What virtio_console takes at once."""
ACK_AFTER_S = 0.05
"""A stream that was quiet for so long carries an acknowledgement of its own."""
CONNECT_AGAIN_AFTER_S = 0.3
NOBODY_THERE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EIO, errno.ENOTCONN})


class Port:
    """Called on the event loop: `received` with every message, `eased` when the host has taken something, `inherited` when
    the host's end is another process than before."""

    def __init__(
        self, received: Callable[[Message], None], eased: Callable[[], None], inherited: Callable[[], None] = lambda: None,
    ) -> None:
        self.session = PortSession(frame_bytes_max=FRAME_BYTES_MAX)
        self.connected = False
        self._received, self._eased, self._inherited = received, eased, inherited
        self._path: Path | None = None
        self._fd = -1
        self._edges = select.epoll()
        self._loop = asyncio.get_running_loop()
        self._unwritten = memoryview(b"")
        self._greetings = 0
        self._ack: asyncio.TimerHandle | None = None
        self._again: asyncio.TimerHandle | None = None

    def open(self, where: str) -> None:
        """A path or a descriptor's number. Raises OSError for a device that is not there."""
        if where.isdigit():
            self._attach(os.dup(int(where)))
        else:
            self._path = Path(where)
            if stat.S_ISCHR(self._path.stat().st_mode):
                self._attach(os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
            else:
                self._connect()

    def close(self) -> None:
        for timer in (self._ack, self._again):
            if timer is not None:
                timer.cancel()
        self._path = None
        self._detach()
        self._edges.close()

    def send(self, kind: Kind, **fields: Any) -> None:
        """Raises PortOverrun."""
        self.session.send(kind, **fields)
        self._write()

    # --- the two kinds of doors

    def _connect(self) -> None:
        """A unix socket, tried until somebody listens."""
        self._again = None
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            sock.connect(str(self._path))
        except OSError:
            sock.close()
            self._again = self._loop.call_later(CONNECT_AGAIN_AFTER_S, self._connect)
            return
        self._attach(sock.detach())

    def _attach(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._edges.register(fd, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
        self._loop.add_reader(self._edges.fileno(), self._stirred)

    def _detach(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._edges.fileno())
            self._edges.unregister(self._fd)
            os.close(self._fd)
            self._fd = -1
        self._host_gone()

    # --- who is there

    def _stirred(self) -> None:
        """Something about the port has changed."""
        events = 0
        for _, found in self._edges.poll(0):
            events |= found
        if events & (select.EPOLLHUP | select.EPOLLERR):
            # Not read now: bytes of a new host can be here before the word that it has come (the driver hands that on in a
            # work item), and an answer to them would be lost. They wait for that word.
            self._host_gone()
            self._reconnect()
            return
        if events and not self.connected:
            self.connected = True
            self._begin_anew()
        self._read()
        self._write()

    def _host_gone(self) -> None:
        if self.connected:
            log.debug("nobody is at the other end of the port")
        self.connected = False
        self._unwritten = memoryview(b"")

    def _reconnect(self) -> None:
        """A socket ends for good; a device waits for the next host by itself."""
        if self._fd >= 0 and stat.S_ISSOCK(os.fstat(self._fd).st_mode):
            self._detach()
            if self._path is not None and self._again is None:
                self._again = self._loop.call_later(CONNECT_AGAIN_AFTER_S, self._connect)

    def _begin_anew(self, *, noticed_late: bool = False) -> None:
        log.debug("the host is at the other end of the port")  # on a console that is emulated, a line takes a millisecond
        self._unwritten = memoryview(b"")
        self._greetings = self.session.greetings - noticed_late
        self.session.connected(noticed_late=noticed_late)

    def _missed_a_reconnect(self) -> bool:
        """Each connection brings one HELLO. A second one without a pause between: we have slept through the change."""
        return self.connected and self.session.greetings > self._greetings + 1

    # --- bytes

    def _read(self) -> None:
        while self._fd >= 0:
            try:
                data = os.read(self._fd, READ_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in NOBODY_THERE:
                    raise
                return
            if not data:
                return
            self._take(data)

    def _take(self, data: bytes) -> None:
        before, peer = self.session.unacked_bytes, self.session.peer
        messages = self.session.receive(data)
        if self._missed_a_reconnect():
            self._begin_anew(noticed_late=True)
        if peer and self.session.peer != peer:
            self._inherited()
        for message in messages:
            self._received(message)
        if self.session.unacked_bytes < before:
            self._eased()
        if self._ack is None and self.session.owes_acknowledgement:
            self._ack = self._loop.call_later(ACK_AFTER_S, self._acknowledge)

    def _acknowledge(self) -> None:
        self._ack = None
        self.session.acknowledge()
        self._write()

    def _write(self) -> None:
        if not self.connected or self._fd < 0:
            self.session.take()  # it goes again when somebody comes; what may be lost is lost
            return
        while True:
            if not self._unwritten:
                self._unwritten = memoryview(self.session.take())
            if not self._unwritten:
                return
            try:
                written = os.write(self._fd, self._unwritten[:WRITE_BYTES])
            except BlockingIOError:
                return  # an edge comes when there is room
            except OSError as error:
                if error.errno not in NOBODY_THERE:
                    raise
                return
            if not written:
                return
            self._unwritten = self._unwritten[written:]
