"""What reaches the CPU and what does not. After the kernel's local_termination.sh."""

import socket
import struct
from collections.abc import Callable
from pathlib import Path

from .bench import Bench, run, wait_for_text, wait_until
from .frames import ARRIVES_S, Tap, frame

UNKNOWN = "de:ad:be:ef:ee:03"
SECOND = "00:00:de:ad:be:ef"
JOINED, NOT_JOINED = "01:00:5e:01:02:03", "01:00:5e:01:02:04"
LINK_LOCAL = "01:80:c2:00:00:0e"


def _address(interface: str) -> str:
    return Path(f"/sys/class/net/{interface}/address").read_text().strip()


def _join(interface: str) -> socket.socket:
    member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    index = socket.if_nametoindex(interface)
    request = struct.pack("4s4si", socket.inet_aton("225.1.2.3"), b"\0" * 4, index)
    member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    return member


def _gets(tap: Tap, token: bytes, expected: bool, what: str) -> None:
    seen = tap.got(token, ARRIVES_S if expected else 0.15) is not None
    assert seen == expected, f"{what}: {'does not arrive' if expected else 'arrives'}"


def _check(lab: Bench, interface: str, vid: int | None, unicast_filter: bool, multicast_filter: bool | None = None) -> None:
    """Frames of h1 to an interface: for it, for a macvlan on it, for nobody; groups; in each mode of the interface.

    A bridge makes its ports take all groups, and itself and its ports promiscuous if it has to.
    """
    multicast_filter = unicast_filter if multicast_filter is None else multicast_filter
    run(f"ip addr add 192.0.2.2/24 dev {interface}")
    run(f"ip link add link {interface} name mv0 address {SECOND} up type macvlan mode private")
    tap, h1 = lab.tap(interface), lab.host(1)

    def sent(dest: str) -> bytes:
        return h1.send(dest, vid=vid)

    _gets(tap, sent(_address(interface)), True, "own address")
    if unicast_filter:
        wait_until("the macvlan's address is in the chip", lambda: SECOND in lab.inside("fdb"))
        _gets(tap, sent(UNKNOWN), False, "unknown address")
    _gets(tap, sent(SECOND), True, "address of a macvlan")
    _gets(tap, sent("ff:ff:ff:ff:ff:ff"), True, "broadcast")
    member = _join(interface)
    if multicast_filter:
        wait_until("the group is in the chip", lambda: JOINED in lab.inside("fdb"))
    _gets(tap, sent(JOINED), True, "joined group")
    if multicast_filter:
        _gets(tap, sent(NOT_JOINED), False, "group not joined")
    member.close()
    _with_mode(interface, "promisc", lambda: _gets(tap, sent(UNKNOWN), True, "unknown address, promiscuous"))
    _with_mode(interface, "allmulticast", lambda: _gets(tap, sent(NOT_JOINED), True, "group not joined, allmulti"))
    if unicast_filter:
        _with_mode(interface, "allmulticast", lambda: _gets(tap, sent(UNKNOWN), False, "unknown address, allmulti"))
    run("ip link del mv0")


def _with_mode(interface: str, mode: str, then: Callable[[], None]) -> None:
    run(f"ip link set {interface} {mode} on")
    then()
    run(f"ip link set {interface} {mode} off")


def case_a_standalone_port_filters_as_a_network_card(lab: Bench) -> None:
    _check(lab, "lan1", None, unicast_filter=True)
    assert lab.counter(1, "drop_not_for_host") >= 3


def case_a_vlan_on_a_standalone_port(lab: Bench) -> None:
    run("ip link add link lan1 name lan1.100 up type vlan id 100")
    _check(lab, "lan1.100", 100, unicast_filter=True)


def case_a_bridge_without_vlans(lab: Bench) -> None:
    lab.bridge("br0", [1])
    _check(lab, "br0", None, unicast_filter=False)


def case_a_bridge_with_vlans(lab: Bench) -> None:
    lab.bridge("br0", [1], "vlan_filtering 1")
    _check(lab, "br0", None, unicast_filter=False)


def case_a_vlan_on_a_bridged_port(lab: Bench) -> None:
    run("ip link add link lan1 name lan1.100 up type vlan id 100")
    lab.bridge("br0", [1])
    _check(lab, "lan1.100", 100, unicast_filter=False)


def case_a_vlan_on_a_port_of_a_bridge_with_vlans(lab: Bench) -> None:
    run("ip link add link lan1 name lan1.100 up type vlan id 100")
    lab.bridge("br0", [1], "vlan_filtering 1")
    _check(lab, "lan1.100", 100, unicast_filter=True, multicast_filter=False)


def case_a_vlan_on_a_bridge_with_vlans(lab: Bench) -> None:
    lab.bridge("br0", [1], "vlan_filtering 1")
    run("bridge vlan add dev lan1 vid 100")
    run("bridge vlan add dev br0 vid 100 self")
    run("ip link add link br0 name br0.100 up type vlan id 100")
    _check(lab, "br0.100", 100, unicast_filter=False)


def case_link_local_frames_are_always_for_the_cpu(lab: Bench) -> None:
    for bridged in (False, True):
        if bridged:
            lab.bridge("br0", [1, 2])
        tap = lab.tap("lan1")
        token = lab.host(1).send(LINK_LOCAL)
        _gets(tap, token, True, "link-local")
        assert lab.host(2).gets_nothing_of(token)


def case_the_bridges_own_address_is_known_to_the_chip(lab: Bench) -> None:
    lab.bridge("br0", [1, 2, 3])
    run(f"ip link set br0 address {SECOND}")
    wait_until("in the chip", lambda: f"{SECOND} 0    bridge1   static   cpu" in lab.inside("fdb"))
    tap = lab.tap("br0")
    token = lab.host(1).send(SECOND)
    _gets(tap, token, True, "to the bridge")
    assert lab.host(2).gets_nothing_of(token), "is flooded, too"


def case_a_station_behind_another_interface_of_the_bridge(lab: Bench) -> None:
    """The chip does not learn from the CPU: the kernel tells it what it has learned elsewhere."""
    lab.bridge("br0", [1, 2])
    run("ip link add far0 type veth peer name far1")
    for name in ("far0", "far1"):
        run(f"ip link set {name} up")
    run("ip link set far0 master br0")
    wait_for_text("/sys/class/net/far0/brport/state", "3\n")
    far = lab.tap("far1")
    far.send(frame("ff:ff:ff:ff:ff:ff", UNKNOWN, b"hello from far"))
    wait_until("told to the chip", lambda: f"{UNKNOWN} 0    bridge1   static   cpu" in lab.inside("fdb"))
    token = lab.host(1).send(UNKNOWN)
    _gets(far, token, True, "to the far station")
    assert lab.host(2).gets_nothing_of(token)
    run("ip link del far0")
