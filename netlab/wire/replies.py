"""What the agent answers to a command frame on its socket: accepted (and on disk), or why not.

Written by the agent, read by the worker; one reply frame for each command frame, in order.
"""

from pydantic import BaseModel, ConfigDict, ValidationError

from netlab.domain.errors import ErrorBody, ErrorCode, NetlabError

REPLY_BYTES_MAX = 64 * 1024


class CommandReply(BaseModel):
    """`command` repeats the command's id; `error` is None exactly when the command was accepted."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    v: int = 1
    command: str = ""
    error: ErrorBody | None = None


def parse_reply(data: bytes) -> CommandReply:
    """Raises BAD_MESSAGE for what is no reply."""
    try:
        return CommandReply.model_validate_json(data)
    except ValidationError as error:
        raise NetlabError(ErrorCode.BAD_MESSAGE, what="the agent's reply") from error


class FormatReply(BaseModel):
    """The blob that answers a FormatFile: the text, or why there is none."""

    content: str = ""
    error: ErrorBody | None = None
