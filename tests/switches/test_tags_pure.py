"""Switch tags: what each bit means, held against the kernel's own words and tcpdump's; and whatever bytes come, no crash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlab.domain.devices import SwitchSpec
from netlab.host.switches import frames, tags
from netlab.host.switches.tags import CutFrame, Direction
from netlab.host.switches.watch import HEAD_BYTES, Heard, tagged_frame
from netlab.wire.events import TaggedFrames

ADDRESSES = bytes.fromhex("ffffffffffff020000000001")
ARP = bytes.fromhex("0806" "0001080006040001" "020000000001" "0a000001" "000000000000" "0a000002")
SWITCH = SwitchSpec.model_validate({
    "name": "sw0", "node": "box", "conduit": "eth0",
    "ports": [{"name": f"lan{n}", "to": f"host{n}:eth0"} for n in range(1, 5)],
})

# tag, what tcpdump 4.99 says of it: mode, device, port, VLAN, priority; and the rest in our words
DSA_TAGS = [
    ("00080000", "TO_CPU", 0, 1, 0, 0, {"tagged": "no", "code": "0, management trap"}),
    ("002800a1", "TO_CPU", 0, 5, 161, 0, {"code": "0, management trap"}),
    ("06120000", "TO_CPU", 6, 2, 0, 0, {"code": "2, IGMP or MLD trap"}),
    ("031f1234", "TO_CPU", 3, 3, 564, 0, {"code": "7, reserved", "tagged": "no"}),
    ("2b29f123", "TO_CPU", 11, 5, 291, 7, {"code": "1, answer of a register", "tagged": "yes", "cfi": "1"}),
    ("40100000", "FROM_CPU", 0, 2, 0, 0, {"tagged": "no"}),
    ("60196064", "FROM_CPU", 0, 3, 100, 3, {"tagged": "yes", "cfi": "1"}),
    ("80140000", "TO_SNIFFER", 0, 2, 0, 0, {"seen": "received"}),
    ("e0080064", "FORWARD", 0, 1, 100, 0, {"tagged": "yes", "trunk": "no", "cfi": "0"}),
]


def cut(frame: bytes) -> CutFrame:
    return CutFrame(frame[:HEAD_BYTES], frame[-4:], len(frame))


@pytest.mark.parametrize(("raw", "mode", "device", "port", "vlan", "priority", "more"), DSA_TAGS)
@pytest.mark.parametrize("tagger", ["dsa", "edsa"])
def test_a_dsa_tag(
    tagger: str, raw: str, mode: str, device: int, port: int, vlan: int, priority: int, more: dict[str, str],
) -> None:
    before = tags.EDSA_ETHERTYPE if tagger == "edsa" else b""
    tag = tags.decode(tagger, "to_cpu", cut(ADDRESSES + before + bytes.fromhex(raw) + ARP))
    assert tag is not None
    fields = dict(tag.fields)
    assert (tag.tagger, tag.port, tag.raw.hex()) == (tagger, port, before.hex() + raw)
    assert fields["mode"] == mode
    assert [int(fields[name]) for name in ("device", "port", "vlan", "priority")] == [device, port, vlan, priority]
    assert more.items() <= fields.items()
    vlan_words = f"VLAN {vlan} " if fields["tagged"] == "yes" else ""
    assert frames.describe(tag.inside) == f"{vlan_words}ARP who-has 10.0.0.2 tell 10.0.0.1"


def test_what_the_switch_is_left_to_forward_names_no_port() -> None:
    """dsa_xmit_ll: FORWARD from the CPU is on behalf of a bridge, whose number is in the place of a device."""
    frame = cut(ADDRESSES + bytes.fromhex("c1000000") + ARP)
    forwarded, received = tags.decode("dsa", "from_cpu", frame), tags.decode("dsa", "to_cpu", frame)
    assert forwarded and forwarded.port == tags.NO_PORT and dict(forwarded.fields)["device"] == "1"
    assert received and received.port == 0


def test_a_trunk_names_no_port() -> None:
    tag = tags.decode("dsa", "to_cpu", cut(ADDRESSES + bytes.fromhex("c0040007") + ARP))
    assert tag and tag.port == tags.NO_PORT and dict(tag.fields)["trunk"] == "yes"


def test_the_user_port_gets_its_vlan_tag_back() -> None:
    """The tag took the place of an 802.1Q tag: priority 3, CFI set, VLAN 100."""
    tag = tags.decode("dsa", "to_cpu", cut(ADDRESSES + bytes.fromhex("e0096064") + ARP))
    assert tag and tag.inside == ADDRESSES + bytes.fromhex("81007064") + ARP


@pytest.mark.parametrize("payload", [b"", bytes(2000)])
def test_a_trailer_is_at_the_end_however_long_the_frame_is(payload: bytes) -> None:
    frame = cut(ADDRESSES + ARP + payload + bytes.fromhex("80021000"))
    tag = tags.decode("trailer", "from_cpu", frame)
    assert tag and tag.port == 1
    assert tag.fields == (("mark", "0x80"), ("ports", "1"), ("override", "yes"))
    assert tag.inside == (ADDRESSES + ARP + payload)[:HEAD_BYTES]
    received = tags.decode("trailer", "to_cpu", cut(ADDRESSES + ARP + payload + bytes.fromhex("80030000")))
    assert received and received.port == 3 and received.fields == (("mark", "0x80"), ("port", "3"))


def test_a_trailer_for_several_ports_names_them_all() -> None:
    frame = Heard(1.0, True, cut(ADDRESSES + ARP + bytes.fromhex("800a1000")))
    shown = tagged_frame(frame, "trailer", SWITCH)
    assert (shown.port, shown.port_name) == (tags.NO_PORT, "lan1, lan3")


@pytest.mark.parametrize(("tagger", "frame"), [
    ("trailer", ADDRESSES + ARP + bytes.fromhex("81020000")),  # trailer_rcv drops each of these
    ("trailer", ADDRESSES + ARP + bytes.fromhex("80080000")),
    ("trailer", ADDRESSES + ARP + bytes.fromhex("80022000")),
    ("trailer", ADDRESSES + ARP + bytes.fromhex("80020001")),
    ("edsa", ADDRESSES + bytes.fromhex("00080000") + ARP),
    ("edsa", ADDRESSES + bytes.fromhex("dada00000008")),
    ("dsa", ADDRESSES + b"\0\x08"),
    ("none", ADDRESSES + ARP),
    ("brcm", ADDRESSES + ARP),
])
def test_what_is_no_tag_is_shown_without_one(tagger: str, frame: bytes) -> None:
    assert tags.decode(tagger, "to_cpu", cut(frame)) is None
    shown = tagged_frame(Heard(1.0, False, cut(frame)), tagger, SWITCH)
    assert (shown.tagger, shown.port, shown.port_name, shown.tag, shown.fields) == ("none", -1, "", "", [])


def test_a_frame_as_it_is_shown() -> None:
    shown = tagged_frame(Heard(12.5, False, cut(ADDRESSES + bytes.fromhex("c0100000") + ARP + bytes(18))), "dsa", SWITCH)
    assert (shown.direction, shown.tagger, shown.port, shown.port_name, shown.tag) == ("to_cpu", "dsa", 2, "lan2", "c0100000")
    assert (shown.source, shown.destination, shown.bytes) == ("02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff", 64)
    assert shown.protocol == "ARP who-has 10.0.0.2 tell 10.0.0.1"


V4 = "0800" "45000054000040004001" "0000" "0a000001" "0a000002"
V6 = "86dd" "60000000" "0020" "{next}ff" "fe800000000000000000000000000001" "ff020000000000000000000000000002"


@pytest.mark.parametrize(("data", "words"), [
    (V4 + "0800", "ICMP echo request 10.0.0.1 > 10.0.0.2"),
    (V4 + "0000", "ICMP echo reply 10.0.0.1 > 10.0.0.2"),
    (V4.replace("4001", "4006") + "c3501451" + 8 * "00" + "5012", "TCP 10.0.0.1:50000 > 10.0.0.2:5201 SYN ACK"),
    (V4.replace("4001", "4011") + "c3500035", "DNS, UDP 10.0.0.1:50000 > 10.0.0.2:53"),
    (V4.replace("4001", "4002") + "16", "IGMP 10.0.0.1 > 10.0.0.2"),
    (V4.replace("00004000", "00002005") + "0800", "IPv4 fragment 10.0.0.1 > 10.0.0.2"),
    (V6.format(next="3a") + "87000000" "00000000" "fe800000000000000000000000000009", "ICMPv6 neighbour solicitation fe80::9"),
    (V6.format(next="00") + "3a00000000000000" "8f00", "ICMPv6 MLDv2 report fe80::1 > ff02::2"),
    (V6.format(next="06") + "c3500050" + 8 * "00" + "5002", "TCP [fe80::1]:50000 > [ff02::2]:80 SYN"),
    ("0806" "0001080006040002" "020000000001" "0a000001" "020000000002" "0a000002", "ARP reply 10.0.0.1 is-at 02:00:00:00:00:01"),
    ("0806" "0001080006040001" "020000000001" "0a000001" "000000000000" "0a000001", "ARP announces 10.0.0.1"),
    ("0026" "424203" "00000000", "STP configuration"),
    ("0027" "424203" "00000202", "STP rapid"),
    ("88cc", "LLDP"),
    ("810000640806", "VLAN 100 ARP, cut off"),
    ("1234", "EtherType 0x1234"),
    ("", "cut off"),
])
def test_what_is_inside(data: str, words: str) -> None:
    assert frames.describe(ADDRESSES + bytes.fromhex(data)) == words


@given(st.binary(max_size=200), st.sampled_from(["dsa", "edsa", "trailer", "none", "ocelot"]), st.booleans())
def test_hostile_bytes_become_words(data: bytes, tagger: str, outgoing: bool) -> None:
    shown = tagged_frame(Heard(0.0, outgoing, cut(data)), tagger, SWITCH)
    TaggedFrames(run="r", at=0, node="box", switch="sw0", frames=[shown])
    assert -1 <= shown.port < 32 and shown.bytes == len(data)


@given(st.binary(min_size=4, max_size=4), st.sampled_from(["dsa", "edsa"]), st.sampled_from(["to_cpu", "from_cpu"]))
def test_nothing_of_a_dsa_frame_is_lost(raw: bytes, tagger: str, direction: Direction) -> None:
    """The frame inside has all bytes but the tag's, and every four bytes are some tag."""
    before = tags.EDSA_ETHERTYPE if tagger == "edsa" else b""
    tag = tags.decode(tagger, direction, cut(ADDRESSES + before + raw + ARP))
    assert tag is not None and tag.raw == before + raw
    assert tag.inside.startswith(ADDRESSES) and tag.inside.endswith(ARP)
    assert len(tag.inside) == len(ADDRESSES + ARP) + (4 if raw[0] & 0x20 else 0)


@given(st.binary(max_size=160))
def test_hostile_frames_become_words(data: bytes) -> None:
    assert frames.describe(data)
