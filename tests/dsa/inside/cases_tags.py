"""Tags on the wire: every format in both directions, what a DSA tag says, and changing the format at run time."""

import errno
import os
from pathlib import Path

from .bench import Bench, next_token, on, run, write
from .frames import BROADCAST, ETH_P_EXPERIMENT, frame, vid_of

TAGGERS = ("dsa", "edsa", "trailer", "brcm", "qca", "mtk", "ksz9477")
TAGGING = Path("/sys/class/net/cpu0/dsa/tagging")


def _set_tagger(lab: Bench, name: str) -> None:
    lab.down()
    write(TAGGING, name)
    assert TAGGING.read_text() == f"{name}\n"
    lab.up()
    lab.wait_for_links()


def _there_and_back(lab: Bench, port: int, vid: int | None) -> None:
    host, user = lab.host(port), lab.tap(f"lan{port}", promiscuous=True)
    others = [lab.host(n) for n in range(1, lab.ports + 1) if n != port]
    token = host.send(vid=vid)
    seen = user.got(token)
    assert seen, "does not come in"
    assert vid_of(seen) == vid, f"comes in with VLAN {vid_of(seen)}"
    token = next_token()
    sent = frame(host.mac, "02:00:00:00:00:cc", token, vid)
    user.send(sent)
    seen = host.tap.got(token)
    assert seen and seen[: len(sent)] == sent, f"goes out as {seen!r}"
    assert all(other.tap.count(token) == 0 for other in others), "goes out at another port"


def case_every_tagger_carries_frames_both_ways(lab: Bench) -> None:
    for name in TAGGERS:
        _set_tagger(lab, name)
        for port in range(1, lab.ports + 1):
            _there_and_back(lab, port, None)
        _there_and_back(lab, 2, 77)


def case_a_dsa_tag_says_forward_and_which_port(lab: Bench) -> None:
    wire = lab.tap("cpu0")
    token = lab.host(3).send()
    seen = wire.got(token)
    assert seen and seen[12:16] == bytes((0xC0, 3 << 3, 0, 0)), seen and seen[12:16].hex()
    token = lab.host(3).send(vid=77)
    seen = wire.got(token)
    assert seen and seen[12:16] == bytes((0xE0, 3 << 3, 0, 77)), seen and seen[12:16].hex()


def case_a_dsa_tag_from_the_cpu_names_the_port(lab: Bench) -> None:
    wire, token = lab.tap("wire0"), next_token()
    lab.tap("lan2").send(frame(BROADCAST, "02:00:00:00:00:cc", token))
    seen = wire.got(token)
    assert seen and seen[12:16] == bytes((0x40, 2 << 3, 0, 0)), seen and seen[12:16].hex()


def case_a_dsa_tag_tells_a_trap_from_what_was_forwarded(lab: Bench) -> None:
    lab.bridge("br0", [1, 2])
    wire = lab.tap("cpu0")
    token = lab.host(1).send("01:80:c2:00:00:0e")
    seen = wire.got(token)
    assert seen and seen[12] == 0x00 and seen[13] == 1 << 3, seen and seen[12:16].hex()


def case_the_kernel_lets_the_chip_forward_with_one_tagged_frame(lab: Bench) -> None:
    lab.bridge("br0", [1, 2, 3])
    wire, token = lab.tap("wire0"), next_token()
    lab.tap("br0").send(frame(BROADCAST, "02:00:00:00:00:cc", token))
    assert all(lab.host(n).gets(token) for n in (1, 2, 3))
    assert lab.host(4).gets_nothing_of(token)
    assert wire.count(token) == 1, "the kernel has sent a copy to each port"
    seen = wire.got(token)
    assert seen and seen[12] >> 6 == 3


@on(ports=2)
def case_edsa_has_an_ethertype_of_its_own(lab: Bench) -> None:
    _set_tagger(lab, "edsa")
    wire = lab.tap("cpu0")
    token = lab.host(2).send()
    seen = wire.got(token)
    assert seen and seen[12:20] == bytes((0xDA, 0xDA, 0, 0, 0xC0, 2 << 3, 0, 0)), seen and seen[12:20].hex()


@on(ports=2)
def case_a_trailer_is_at_the_end(lab: Bench) -> None:
    _set_tagger(lab, "trailer")
    wire = lab.tap("cpu0")
    token = lab.host(2).send()
    seen = wire.got(token)
    assert seen and seen[-4:] == bytes((0x80, 2, 0, 0)), seen and seen[-4:].hex()
    assert seen[12:14] == ETH_P_EXPERIMENT.to_bytes(2, "big")


def case_the_chip_refuses_what_it_does_not_speak(lab: Bench) -> None:
    lab.down()
    _refused("ocelot", errno.EPROTONOSUPPORT)
    _refused("none", errno.EPROTONOSUPPORT)
    assert TAGGING.read_text() == "dsa\n"


def _refused(tagger: str, expected: int) -> None:
    try:
        write(TAGGING, tagger)
    except OSError as error:
        assert error.errno == expected, (tagger, os.strerror(error.errno or 0))
    else:
        raise AssertionError(f"{tagger} is taken")


def case_no_change_while_something_is_up_or_a_bridge_relies_on_it(lab: Bench) -> None:
    _refused("edsa", errno.EBUSY)
    lab.bridge("br0", [1])
    lab.down()
    _refused("trailer", errno.EBUSY)
    write(TAGGING, "edsa")  # which can say the same things


def case_frames_without_a_valid_tag_are_counted_and_go_nowhere(lab: Bench) -> None:
    token = next_token()
    lab.tap("cpu0").send(frame(BROADCAST, "02:00:00:00:00:cc", token, ethertype=0x8100))
    assert all(host.gets_nothing_of(token) for host in lab.hosts)
    assert int(run("ethtool -S cpu0").split("p00_drop_bad_tag: ")[1].split()[0]) == 1


@on(ports=7, tagger="trailer")
def case_a_tagger_at_creation(lab: Bench) -> None:
    assert TAGGING.read_text() == "trailer\n"
    _there_and_back(lab, 1, None)
