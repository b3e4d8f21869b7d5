"""The holder: keeps descriptors and what was said about them, for the agent that comes next. `python -m netlab.host holder`.

It never reads from what it holds, knows no runs, and serves root alone. So small because it must never need a restart:
with it end the shells whose agent is down at that moment.
"""

import json
import logging
import os
import selectors
import signal
import socket
import struct
from pathlib import Path
from typing import Any

from netlab.host.holder.protocol import HELD_MAX, MESSAGE_BYTES_MAX

log = logging.getLogger(__name__)

_UCRED = struct.Struct("iII")


class Holder:
    def __init__(self, path: Path) -> None:
        self._held: dict[str, tuple[int, Any]] = {}
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def serve(self) -> None:
        """Until SIGTERM. The socket gets its name last: who sees it is served."""
        wake, waker = socket.socketpair()
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        self._selector.register(wake, selectors.EVENT_READ)
        self._open()
        while not self._stopping:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._welcome()
                elif isinstance(key.fileobj, socket.socket) and key.fileobj is not wake:
                    self._serve_one(key.fileobj)

    def _open(self) -> None:
        unnamed = self._path.with_name(f".{os.getpid()}")
        unnamed.unlink(missing_ok=True)
        self._listener.bind(str(unnamed))
        unnamed.chmod(0o600)
        self._listener.listen(8)
        self._selector.register(self._listener, selectors.EVENT_READ)
        unnamed.rename(self._path)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _welcome(self) -> None:
        peer, _ = self._listener.accept()
        _, uid, _ = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        if uid != 0:
            log.warning("refused a peer with uid %d", uid)
            peer.close()
            return
        self._selector.register(peer, selectors.EVENT_READ)

    def _serve_one(self, peer: socket.socket) -> None:
        """One request; a peer that speaks nonsense is hung up on, what is held stays."""
        descriptors: list[int] = []
        try:
            data, descriptors, _, _ = socket.recv_fds(peer, MESSAGE_BYTES_MAX, 4)
            if not data:
                raise ConnectionResetError
            answer, given = self._answer(json.loads(data), descriptors)
            socket.send_fds(peer, [json.dumps(answer).encode()], given)
        except (OSError, ValueError, KeyError, TypeError) as error:
            if not isinstance(error, ConnectionResetError):
                log.warning("hung up on a peer: %r", error)
            self._selector.unregister(peer)
            peer.close()
        for descriptor in descriptors:
            os.close(descriptor)

    def _answer(self, request: dict[str, Any], descriptors: list[int]) -> tuple[dict[str, Any], list[int]]:
        """(answer, descriptors to send with it). Takes what it keeps out of `descriptors`."""
        match request["do"]:
            case "put" if descriptors and len(self._held) < HELD_MAX:
                self._drop(request["id"])
                self._held[str(request["id"])] = (descriptors.pop(0), request["meta"])
                return {"ok": True}, []
            case "list":
                return {"ids": sorted(self._held)}, []
            case "take" if request["id"] in self._held:
                descriptor, meta = self._held[request["id"]]
                return {"id": request["id"], "meta": meta}, [descriptor]
            case "drop":
                self._drop(request["id"])
                return {"ok": True}, []
        return {"ok": False}, []

    def _drop(self, name: str) -> None:
        held = self._held.pop(name, None)
        if held is not None:
            os.close(held[0])


def main(path: Path) -> None:
    Holder(path).serve()
