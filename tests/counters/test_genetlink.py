"""Questions by generic netlink on one socket: each gets its own answers, whatever is left of an earlier one."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from netlab.host.kernel import genetlink
from netlab.host.kernel.netlink import attribute

Ends = tuple[socket.socket, socket.socket]
FAMILY, ERROR, DONE = 20, genetlink.NLMSG_ERROR, genetlink.NLMSG_DONE


def said(kind: int, question: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, question, 0) + body


def answer(question: int, value: bytes) -> bytes:
    return said(FAMILY, question, struct.pack("=BBxx", 1, 1) + attribute(1, value))


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.settimeout(5)
    with ours, kernels:
        yield ours, kernels


def test_the_acknowledgement_behind_an_end_is_not_the_next_questions(ends: Ends) -> None:
    """devlink ends its list of resources with DONE, and acknowledges the question on top."""
    ours, kernels = ends

    def kernel() -> None:
        for value in (b"one", b"two"):
            (question,) = struct.unpack_from("=I", kernels.recv(100), 8)
            kernels.send(answer(question, value) + said(DONE, question, bytes(4)))
            kernels.send(said(ERROR, question, bytes(20)))

    thread = threading.Thread(target=kernel)
    thread.start()
    answers = [genetlink.request(ours, FAMILY, 1, b"") for _ in range(2)]
    thread.join()
    assert [[dict(genetlink.attributes(a)) for a in each] for each in answers] == [[{1: b"one"}], [{1: b"two"}]]


def test_a_refusal_is_an_error(ends: Ends) -> None:
    ours, kernels = ends

    def kernel() -> None:
        (question,) = struct.unpack_from("=I", kernels.recv(100), 8)
        kernels.send(said(ERROR, question, struct.pack("=i16x", -95)))

    thread = threading.Thread(target=kernel)
    thread.start()
    with pytest.raises(OSError, match="not supported"):
        genetlink.request(ours, FAMILY, 1, b"")
    thread.join()
