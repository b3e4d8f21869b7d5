"""A bridge in the chip without VLANs; what must not be forwarded; STP, locked and isolated ports, multicast groups.

After the kernel's bridge_vlan_unaware.sh, no_forwarding.sh, bridge_locked_port.sh, bridge_port_isolation.sh,
bridge_mdb.sh, bridge_igmp.sh.
"""

import struct
import time
from functools import partial
from pathlib import Path

from .bench import Bench, Host, next_token, run, wait_until
from .frames import BROADCAST, checksum, frame, ipv4

HELPER = Path("/sbin/bridge-stp")
UNKNOWN = "de:ad:be:ef:13:37"
GROUP = "01:00:5e:0a:0a:0a"
MULTICAST = "01:02:03:04:05:06"
VIDS = (None, 0, 1, 2, 100, 4094)


def _learn(host: Host) -> None:
    host.send()


def case_known_unicast_is_switched_without_the_cpu(lab: Bench) -> None:
    lab.bridge("br0", [1, 2, 3])
    cpu = lab.tap("cpu0")
    _learn(lab.host(1))
    _learn(lab.host(2))
    wait_until("both are learned", lambda: lab.learned(lab.host(1).mac) and lab.learned(lab.host(2).mac))
    token = lab.host(1).send(lab.host(2).mac)
    assert lab.host(2).gets(token)
    assert lab.host(3).gets_nothing_of(token)
    assert cpu.count(token) == 0
    assert lab.counter(1, "hw_switched") >= 1


def case_learning_moves_ages_and_can_be_off(lab: Bench) -> None:
    lab.bridge("br0", [1, 2])
    h1, h2 = lab.host(1), lab.host(2)
    h1.send(source=UNKNOWN)
    wait_until("learned", lambda: lab.learned(UNKNOWN) == [(0, "1")])
    assert f"{UNKNOWN} self" in run("bridge fdb show dev lan1")
    h2.send(source=UNKNOWN)
    wait_until("moved", lambda: lab.learned(UNKNOWN) == [(0, "2")])
    assert lab.counter(2, "fdb_moved") == 1
    run("ip link set br0 type bridge ageing_time 200")  # not before: it must not be forgotten while we look
    wait_until("aged", lambda: lab.learned(UNKNOWN) == [], 30)
    _set_flag(lab, 1, "learning", False)
    token = h1.send(source=UNKNOWN)
    assert h2.gets(token)
    assert lab.learned(UNKNOWN) == []


def case_a_known_address_is_reached_without_flooding(lab: Bench) -> None:
    lab.bridge("br0", [1, 2])
    _set_flag(lab, 1, "flood", False)
    assert lab.host(1).gets_nothing_of(lab.host(2).send(UNKNOWN))
    lab.host(1).send(source=UNKNOWN)
    wait_until("learned", lambda: lab.learned(UNKNOWN) != [])
    assert lab.host(1).gets(lab.host(2).send(UNKNOWN))


def _set_flag(lab: Bench, port: int, flag: str, on: bool) -> None:
    """The bridge tells the chip in its own time."""
    run(f"bridge link set dev lan{port} {flag} {'on' if on else 'off'}")
    wait_until(f"{flag} in the chip", lambda: (flag in lab.inside("ports").splitlines()[port + 1].split()) == on)


def case_flooding_obeys_the_ports_flags(lab: Bench) -> None:
    lab.bridge("br0", [1, 2, 3])
    for flag, dest in (("flood", UNKNOWN), ("mcast_flood", MULTICAST), ("bcast_flood", BROADCAST)):
        _set_flag(lab, 2, flag, False)
        token = lab.host(1).send(dest)
        assert lab.host(3).gets(token), flag
        assert lab.host(2).gets_nothing_of(token), flag
        _set_flag(lab, 2, flag, True)
        assert lab.host(2).gets(lab.host(1).send(dest)), flag
    assert lab.counter(1, "hw_flooded") == 6


def case_every_frame_arrives_once_with_every_kind_of_tag(lab: Bench) -> None:
    """A format that cannot say "forwarded already" must not make the software bridge forward again."""
    for tagger in ("trailer", "qca", "brcm", "ksz9477", "dsa"):
        lab.down()
        with open("/sys/class/net/cpu0/dsa/tagging", "w") as file:
            file.write(tagger)
        lab.up()
        lab.wait_for_links()
        lab.bridge("br0", [1, 2, 3])
        bridge = lab.tap("br0")
        for dest in (BROADCAST, UNKNOWN, MULTICAST):
            token = lab.host(1).send(dest)
            assert all(lab.host(number).gets(token) for number in (2, 3)), (tagger, dest)
            counts = [host.tap.count(token) for host in lab.hosts]
            assert counts == [0, 1, 1, 0], (tagger, dest, counts)
        token = lab.host(2).send(BROADCAST)
        assert bridge.got(token) and bridge.count(token) == 1, tagger
        bridge.send(frame(BROADCAST, "02:00:00:00:00:cc", token := next_token()))
        assert all(lab.host(number).gets(token) for number in (1, 2, 3)), tagger
        assert [host.tap.count(token) for host in lab.hosts] == [1, 1, 1, 0], tagger
        run("ip link del br0")


def _nothing_passes(lab: Bench) -> None:
    for vid in VIDS:
        for dest in (lab.host(2).mac, MULTICAST, BROADCAST):
            token = lab.host(1).send(dest, vid=vid)
            lab.hosts[1].tap.receive(0.005)
            assert token not in b"".join(lab.host(2).tap.seen), (vid, dest)
    assert lab.host(2).tap.count(b"frame-") == 0


def case_standalone_ports_do_not_forward(lab: Bench) -> None:
    _nothing_passes(lab)


def case_two_bridges_do_not_leak(lab: Bench) -> None:
    lab.bridge("br0", [1, 3])
    lab.bridge("br1", [2, 4])
    _nothing_passes(lab)
    lab.host(1).send(source=UNKNOWN)
    lab.host(2).send(source=UNKNOWN)
    wait_until("known in both", lambda: sorted(lab.learned(UNKNOWN)) == [(0, "1"), (0, "2")])
    assert lab.host(1).gets(lab.host(3).send(UNKNOWN))
    assert lab.host(2).gets(lab.host(4).send(UNKNOWN))


def case_a_port_that_leaves_is_alone_again(lab: Bench) -> None:
    lab.bridge("br0", [1, 2])
    assert lab.host(2).gets(lab.host(1).send())
    run("ip link set lan1 nomaster")
    assert lab.learned(lab.host(1).mac) == []
    assert lab.host(2).gets_nothing_of(lab.host(1).send())


def _says(lab: Bench, state: str) -> bool:
    return state in lab.inside("ports").splitlines()[2]


def case_stp_states_are_obeyed(lab: Bench) -> None:
    # A bridge takes orders about states only if a daemon does STP, which it finds out by calling this.
    HELPER.write_text("#!/bin/sh\n")
    HELPER.chmod(0o755)
    lab.bridge("br0", [1, 2], "stp_state 1")
    cpu = lab.tap("lan1")
    expected = {
        ("4", "blocking"): (False, False), ("1", "listening"): (False, False),
        ("2", "learning"): (False, True), ("3", "forwarding"): (True, True),
    }  # fmt: skip
    for (state, name), (forwards, learns) in expected.items():
        run(f"bridge link set dev lan1 state {state}")
        wait_until("in the chip", partial(_says, lab, name))
        source = f"02:00:00:00:01:0{state}"
        token = lab.host(1).send(source=source)
        assert lab.host(2).gets(token) if forwards else lab.host(2).gets_nothing_of(token), state
        assert bool(lab.learned(source)) == learns, state
        token = lab.host(2).send()
        assert lab.host(1).gets(token) if forwards else lab.host(1).gets_nothing_of(token), state
        assert cpu.got(lab.host(1).send("01:80:c2:00:00:00")), f"no BPDU in state {state}"


def case_a_locked_port_wants_to_know_the_sender(lab: Bench) -> None:
    lab.bridge("br0", [1, 2])
    _set_flag(lab, 1, "learning", False)
    _set_flag(lab, 1, "locked", True)
    assert lab.host(2).gets_nothing_of(lab.host(1).send())
    assert lab.counter(1, "drop_locked") == 1
    run(f"bridge fdb add {lab.host(1).mac} dev lan1 master static")
    wait_until("in the chip", lambda: f"{lab.host(1).mac} 0    bridge1   static   1" in lab.inside("fdb"))
    assert lab.host(2).gets(lab.host(1).send())
    run(f"bridge fdb del {lab.host(1).mac} dev lan1 master static")
    _set_flag(lab, 1, "locked", False)
    assert lab.host(2).gets(lab.host(1).send())


def case_isolated_ports_speak_with_the_others_only(lab: Bench) -> None:
    lab.bridge("br0", [1, 2, 3])
    for port in (1, 2):
        _set_flag(lab, port, "isolated", True)
    token = lab.host(1).send()
    assert lab.host(3).gets(token)
    assert lab.host(2).gets_nothing_of(token)
    assert lab.host(1).gets(lab.host(3).send())


def case_static_and_dynamic_entries_of_the_kernel(lab: Bench) -> None:
    lab.bridge("br0", [1, 2, 3])
    run(f"bridge fdb add {UNKNOWN} dev lan2 master static")
    wait_until("in the chip", lambda: f"{UNKNOWN} 0    bridge1   static" in lab.inside("fdb"))
    token = lab.host(1).send(UNKNOWN)
    assert lab.host(2).gets(token)
    assert lab.host(3).gets_nothing_of(token)
    run(f"bridge fdb del {UNKNOWN} dev lan2 master static")
    wait_until("gone", lambda: UNKNOWN not in lab.inside("fdb"))
    assert lab.host(3).gets(lab.host(1).send(UNKNOWN))


def case_a_multicast_group_reaches_its_members(lab: Bench) -> None:
    lab.bridge("br0", [1, 2, 3])
    run("ip link set br0 type bridge mcast_snooping 1")
    run("bridge mdb add dev br0 port lan2 grp 239.10.10.10 permanent")
    wait_until("in the chip", lambda: GROUP in lab.inside("fdb"))
    token = lab.host(1).send(GROUP)
    assert lab.host(2).gets(token)
    assert lab.host(3).gets_nothing_of(token)
    run("bridge mdb del dev br0 port lan2 grp 239.10.10.10 permanent")
    wait_until("gone", lambda: GROUP not in lab.inside("fdb"))
    assert lab.host(3).gets(lab.host(1).send(GROUP))


def case_igmp_is_trapped_and_the_bridge_joins_the_port(lab: Bench) -> None:
    lab.bridge("br0", [1, 2, 3])
    run("ip link set br0 type bridge mcast_snooping 1 mcast_querier 1")
    group = bytes((239, 10, 10, 10))
    report = struct.pack("!BBH4s", 0x16, 0, checksum(struct.pack("!BBH4s", 0x16, 0, 0, group)), group)
    packet = ipv4("10.0.0.2", "239.10.10.10", 2, report)
    lab.host(2).tap.send(frame(GROUP, lab.host(2).mac, packet, ethertype=0x0800))
    wait_until("joined", lambda: "lan2 grp 239.10.10.10" in run("bridge mdb show dev br0"))
    wait_until("in the chip", lambda: GROUP in lab.inside("fdb"))
    assert lab.counter(2, "hw_trapped") == 1


def case_fast_ageing_forgets(lab: Bench) -> None:
    lab.bridge("br0", [1, 2])
    lab.host(1).send(source=UNKNOWN)
    wait_until("learned", lambda: lab.learned(UNKNOWN) != [])
    time.sleep(0.05)
    run("bridge link set dev lan1 state 4")
    wait_until("forgotten", lambda: lab.learned(UNKNOWN) == [])
