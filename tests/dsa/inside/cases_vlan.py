"""VLANs in the chip. After the kernel's bridge_vlan_aware.sh and no_forwarding.sh (one_bridge_two_pvids)."""

from .bench import Bench, next_token, refused, run, wait_until
from .frames import BROADCAST, frame, vid_of

UNKNOWN = "de:ad:be:ef:13:37"
AWARE = "vlan_filtering 1"


def _vlan(what: str) -> None:
    run(f"bridge vlan {what}")


def case_untagged_frames_belong_to_the_pvid(lab: Bench) -> None:
    lab.bridge("br0", [1, 2], AWARE)
    token = lab.host(1).send()
    seen = lab.host(2).tap.got(token)
    assert seen and vid_of(seen) is None
    assert lab.learned(lab.host(1).mac) == [(1, "1")]


def case_a_vlan_that_is_not_the_ports_does_not_come_in(lab: Bench) -> None:
    lab.bridge("br0", [1, 2], AWARE)
    _vlan("add dev lan2 vid 10")
    assert lab.host(2).gets_nothing_of(lab.host(1).send(vid=10))
    assert lab.counter(1, "drop_vlan") == 1


def case_a_vlan_that_is_not_the_ports_does_not_go_out(lab: Bench) -> None:
    lab.bridge("br0", [1, 2, 3], AWARE)
    _vlan("add dev lan1 vid 10")
    _vlan("add dev lan2 vid 10")
    token = lab.host(1).send(vid=10)
    seen = lab.host(2).tap.got(token)
    assert seen and vid_of(seen) == 10
    assert lab.host(3).gets_nothing_of(token)


def case_tags_are_put_on_and_taken_off_at_the_way_out(lab: Bench) -> None:
    lab.bridge("br0", [1, 2, 3], AWARE)
    for port, how in ((1, "pvid untagged"), (2, "untagged"), (3, "")):
        _vlan(f"add dev lan{port} vid 10 {how}")
    token = lab.host(1).send()
    seen = [lab.host(n).tap.got(token) for n in (2, 3)]
    assert all(seen)
    assert [vid_of(data) for data in seen if data] == [None, 10]
    token = lab.host(3).send(vid=10)
    seen = [lab.host(n).tap.got(token) for n in (1, 2)]
    assert all(seen)
    assert [vid_of(data) for data in seen if data] == [None, None]


def case_different_pvids_do_not_meet(lab: Bench) -> None:
    lab.bridge("br0", [1, 2], AWARE + " vlan_default_pvid 0")
    _vlan("add dev lan1 vid 1 pvid untagged")
    _vlan("add dev lan2 vid 2 pvid untagged")
    for vid in (None, 0, 1, 2, 5, 100, 4094):
        for dest in (lab.host(2).mac, BROADCAST):
            lab.host(1).send(dest, vid=vid)
    assert lab.host(2).tap.count(b"frame-") == 0


def case_without_a_pvid_untagged_frames_are_dropped(lab: Bench) -> None:
    lab.bridge("br0", [1, 2], AWARE)
    _vlan("del dev lan1 vid 1")
    assert lab.host(2).gets_nothing_of(lab.host(1).send())
    assert lab.host(2).gets_nothing_of(lab.host(1).send(vid=0))
    _vlan("add dev lan1 vid 1 pvid untagged")
    assert lab.host(2).gets(lab.host(1).send())


def case_a_vlan_deleted_leaves_the_pvid_alone(lab: Bench) -> None:
    lab.bridge("br0", [1, 2], AWARE)
    _vlan("add dev lan1 vid 10")
    _vlan("del dev lan1 vid 10")
    assert lab.host(2).gets(lab.host(1).send())
    assert lab.host(1).gets(lab.host(2).send())


def case_another_tpid_is_payload(lab: Bench) -> None:
    lab.bridge("br0", [1, 2], AWARE)
    token = next_token()
    inner = bytes.fromhex("810000050800") + token
    lab.host(1).tap.send(frame(UNKNOWN, lab.host(1).mac, inner, vid=3, tpid=0x88A8, ethertype=0x8100))
    assert lab.host(2).gets(token)
    assert lab.learned(lab.host(1).mac) == [(1, "1")]
    _vlan("del dev lan1 vid 1")
    token = next_token()
    lab.host(1).tap.send(frame(UNKNOWN, lab.host(1).mac, token, vid=3, tpid=0x88A8))
    assert lab.host(2).gets_nothing_of(token)


def case_one_address_is_learned_in_each_vlan(lab: Bench) -> None:
    lab.bridge("br0", [1, 2], AWARE)
    for port in (1, 2):
        _vlan(f"add dev lan{port} vid 10")
    lab.host(1).send(source=UNKNOWN, vid=10)
    lab.host(2).send(source=UNKNOWN)
    wait_until("learned twice", lambda: sorted(lab.learned(UNKNOWN)) == [(1, "2"), (10, "1")])


def case_the_cpu_gets_the_vlans_of_the_bridge_itself_only(lab: Bench) -> None:
    lab.bridge("br0", [1, 2], AWARE)
    for port in (1, 2):
        _vlan(f"add dev lan{port} vid 10")
    cpu = lab.tap("cpu0")
    assert cpu.got(lab.host(1).send())
    token = lab.host(1).send(vid=10)
    assert lab.host(2).gets(token)
    assert cpu.count(token) == 0
    _vlan("add dev br0 vid 10 self")
    assert cpu.got(lab.host(1).send(vid=10))


def case_the_cpu_sends_into_a_vlan(lab: Bench) -> None:
    lab.bridge("br0", [1, 2, 3], AWARE)
    _vlan("add dev br0 vid 10 self")
    _vlan("add dev lan1 vid 10")
    _vlan("add dev lan2 vid 10 untagged")
    run("ip link add link br0 name br0.10 up type vlan id 10")
    token = next_token()
    lab.tap("br0.10").send(frame(BROADCAST, "02:00:00:00:00:cc", token))
    seen = [lab.host(n).tap.got(token) for n in (1, 2)]
    assert all(seen)
    assert [vid_of(data) for data in seen if data] == [10, None]
    assert lab.host(3).gets_nothing_of(token)


def case_an_externally_learned_entry_roams_and_does_not_age(lab: Bench) -> None:
    lab.bridge("br0", [1, 2], AWARE + " ageing_time 100")
    run(f"bridge fdb add {UNKNOWN} dev lan1 master extern_learn vlan 1")
    assert UNKNOWN in run("bridge fdb show brport lan1")
    lab.host(1).send()
    wait_until("others age", lambda: lab.learned(lab.host(1).mac) == [], 30)
    assert UNKNOWN in run("bridge fdb show brport lan1")
    lab.host(2).send(source=UNKNOWN)
    wait_until("roams", lambda: UNKNOWN in run("bridge fdb show brport lan2"))


def case_awareness_can_be_switched_at_run_time(lab: Bench) -> None:
    lab.bridge("br0", [1, 2])
    assert lab.host(2).gets(lab.host(1).send(vid=55))
    run("ip link set br0 type bridge vlan_filtering 1")
    assert lab.host(2).gets_nothing_of(lab.host(1).send(vid=55))
    run("ip link set br0 type bridge vlan_filtering 0")
    assert lab.host(2).gets(lab.host(1).send(vid=55))


def case_a_bridge_with_provider_tags_is_refused(lab: Bench) -> None:
    run("ip link add br0 type bridge vlan_filtering 1 vlan_protocol 802.1ad")
    assert "802.1Q" in refused("ip link set lan1 master br0")
