"""The websocket protocol of uvicorn, with a short way out for bytes: counters go to hundreds of browsers ten times a second.

Named on uvicorn's command line (`--ws`, netlab.install.processes). A binary message on an open connection is one frame without
mask and without extension (RFC 6455, 5.2), written as such; all else, and all when something is amiss, is uvicorn's.
"""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

WHOLE_BINARY = 0x82
"""FIN, opcode 2."""
SHORT_MAX, LONG_MAX = 125, 0xFFFF
LONG = 126


def binary_frame(data: bytes) -> bytes:
    """One whole frame of a server. At most LONG_MAX bytes."""
    if len(data) <= SHORT_MAX:
        return bytes((WHOLE_BINARY, len(data))) + data
    return bytes((WHOLE_BINARY, LONG, len(data) >> 8, len(data) & 0xFF)) + data


class WebSockets(WebSocketsSansIOProtocol):
    async def send(self, message: Any) -> None:
        data = message.get("bytes")
        if data is not None and len(data) <= LONG_MAX and self._is_plain():
            self.transport.write(binary_frame(data))
        else:
            await super().send(message)

    def _is_plain(self) -> bool:
        return (
            self.writable.is_set() and not self.disconnected and not self.close_sent and self.handshake_complete
            and self.initial_response is None and self.conn.state is State.OPEN and not self.conn.extensions
        )  # fmt: skip
