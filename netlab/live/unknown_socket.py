"""Any other websocket address: answered with a sentence instead of a traceback. Last in the URL table."""

from typing import Any

from pydantic import TypeAdapter

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.live.socket import GuardedSocket


class UnknownSocket(GuardedSocket):
    KIND = "unknown"
    messages = TypeAdapter(Any)

    async def admit(self) -> None:
        raise NetlabError(ErrorCode.NOT_FOUND, what="websocket")
