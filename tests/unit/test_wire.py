"""Commands and frames: what is not understood is refused with a sentence, before anything happens."""

import asyncio

import pytest

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_command_id, new_run_id
from netlab.wire.commands import COMMAND_BYTES_MAX, OpenTerminal, StopRun, parse_command
from netlab.wire.framing import FrameTooLarge, pack, read_frame


def test_a_command_survives_the_wire() -> None:
    command = OpenTerminal(id=new_command_id(), run=new_run_id(), generation=3, terminal="t0123456789", node="client")
    assert parse_command(command.model_dump_json()) == command


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "{}", '{"kind":"nothing"}', '{"kind":"stop_run"}',
        '{"kind":"stop_run","v":2,"id":"c0123456789","run":"r0123456789","generation":1}',
        '{"kind":"stop_run","id":"c0123456789","run":"../../etc/x","generation":1}',
        '{"kind":"stop_run","id":"c0123456789","run":"r0123456789","generation":0}',
        '{"kind":"stop_run","id":"c0123456789","run":"r0123456789","generation":1,"extra":1}',
    ],
)
def test_what_is_not_a_command_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(NetlabError) as caught:
        parse_command(text)
    assert caught.value.code is ErrorCode.BAD_MESSAGE


def test_a_huge_command_is_refused_unread() -> None:
    with pytest.raises(NetlabError, match="too many"):
        parse_command(b" " * (COMMAND_BYTES_MAX + 1))


async def _read_all(data: bytes, limit: int = 1000) -> list[bytes]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    frames = []
    while (frame := await read_frame(reader, limit)) is not None:
        frames.append(frame)
    return frames


async def test_frames_arrive_whole_and_in_order() -> None:
    stop = StopRun(id=new_command_id(), run=new_run_id(), generation=1).model_dump_json().encode()
    assert await _read_all(pack(stop) + pack({"ok": True})) == [stop, b'{"ok":true}']


async def test_an_oversized_or_cut_frame_ends_the_stream() -> None:
    with pytest.raises(FrameTooLarge):
        await _read_all(pack(b"x" * 1001))
    with pytest.raises(asyncio.IncompleteReadError):
        await _read_all(pack(b"x" * 100)[:50])
    with pytest.raises(asyncio.IncompleteReadError):
        await _read_all(b"\0\0")
