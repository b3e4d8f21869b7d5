"""A guest's port: what is said arrives in order and once, whatever is cut off when a side goes away."""

import random
import time
import zlib

import pytest

from netlab.wire.guest_port import FRAME_BYTES_MAX, Kind, Message, PortOverrun, PortSession

RECONNECTS = 200


def session() -> PortSession:
    return PortSession(frame_bytes_max=FRAME_BYTES_MAX)


def pings(messages: list[Message]) -> list[int]:
    return [message.fields["n"] for message in messages]


def test_what_is_cut_off_comes_again_in_order_and_once() -> None:
    chance = random.Random(7)
    host, guest = session(), session()
    heard: list[int] = []
    said = 0
    for _ in range(RECONNECTS):
        host.connected()
        guest.connected()
        for _ in range(chance.randrange(6)):
            said += 1
            host.send(Kind.SYNC, n=said, noise=bytes([0xC0, 0xDB, 0xDC, 0xDD]) * chance.randrange(4))
        data = host.take()
        heard += pings(guest.receive(data[:chance.randrange(len(data) + 1)]))
        back = guest.take()
        host.receive(back[:chance.randrange(len(back) + 1)])
    host.connected()
    heard += pings(guest.receive(host.take()))
    assert heard == list(range(1, said + 1)) and said > RECONNECTS


def test_what_comes_before_the_first_hello_was_meant_for_somebody_else() -> None:
    old, new, guest = session(), session(), session()
    old.connected()
    guest.connected()
    guest.receive(old.take())
    old.receive(guest.take())
    guest.send(Kind.SYNCED, n=1)  # the guest has not yet noticed that somebody else is there
    guest.send(Kind.PONG, n=1)
    assert new.receive(guest.take()) == [] and new.peer == ""
    guest.connected()
    assert pings(new.receive(guest.take())) == [1], "what nobody has confirmed comes again"
    assert new.peer == guest.life


def test_a_new_process_counts_from_where_the_old_one_was_confirmed() -> None:
    host, guest = session(), session()
    host.connected()
    guest.connected()
    host.receive(guest.take())
    for n in (1, 2, 3):
        guest.send(Kind.SYNCED, n=n)
    assert pings(host.receive(guest.take())) == [1, 2, 3]
    host.acknowledge()
    guest.receive(b"")  # nothing of it has come: the old host is killed
    heir = session()
    heir.connected()
    guest.connected()
    assert pings(heir.receive(guest.take())) == [1, 2, 3]
    heir.acknowledge()
    guest.receive(heir.take())
    assert guest.unacked_bytes == 0


def test_a_frame_that_is_too_long_is_skipped_and_the_next_is_heard() -> None:
    small = PortSession(frame_bytes_max=200)
    host = session()
    host.connected()
    small.receive(host.take())
    host.send(Kind.PING, n=1, noise="x" * 1000)
    host.send(Kind.PING, n=2)
    data = host.take()
    heard = [m for start in range(0, len(data), 50) for m in small.receive(data[start:start + 50])]
    assert pings(heard) == [2] and small.bad_frames == 1


def test_a_peer_that_confirms_nothing_is_lost() -> None:
    host = session()
    host.connected()
    with pytest.raises(PortOverrun):
        for _ in range(20):
            host.send(Kind.COMMAND, command="x" * (1 << 20))


def test_lists_that_claim_to_be_long_cost_next_to_nothing() -> None:
    """A peer that means ill: each list within the other says that it has as many elements as the frame has bytes."""
    host = session()
    host.connected()
    length = 16_000
    body = b"\x94\x00\x00\xa4pong\x81\xa1n" + (b"\xdd" + length.to_bytes(4, "big")) * 500
    body = body.ljust(length, b"\x00")
    frame = body + zlib.crc32(body).to_bytes(4, "big")
    stream = (b"\xc0" + frame.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0") * 20
    began = time.thread_time()
    assert host.receive(stream) == [] and host.bad_frames == 20
    assert time.thread_time() - began < 0.1, "half a second when room was made for all of them"
