"""tc rules and mirrors in the chip. After the kernel's tc_actions.sh, tc_flower.sh and mirror tests."""

from .bench import Bench, next_token, refused, run
from .frames import BROADCAST, Tap, frame, ipv4

DEST = "192.0.2.2"


def _add(port: int, pref: int, rest: str, where: str = "ingress") -> str:
    return f"tc filter add dev lan{port} {where} protocol ip pref {pref} handle {pref} flower {rest}"


def _send(lab: Bench, port: int, dest: str = DEST, protocol: int = 17, ports: bytes = b"\0\x35\0\x35") -> bytes:
    token = next_token()
    packet = ipv4("192.0.2.1", dest, protocol, ports + bytes((0, 8 + len(token), 0, 0)) + token)
    lab.host(port).tap.send(frame(BROADCAST, lab.host(port).mac, packet, ethertype=0x0800))
    return token


def _hits(lab: Bench, port: int, pref: int) -> int:
    (rule,) = [rule for rule in lab.rules(port) if rule["handle"] == pref]
    assert rule.get("in_hw"), rule
    return int(rule["actions"][0]["stats"]["hw_packets"])


def _bridged(lab: Bench) -> Tap:
    lab.bridge("br0", [1, 2, 3])
    run("tc qdisc add dev lan1 clsact")
    return lab.tap("br0")


def case_drop_then_ok(lab: Bench) -> None:
    cpu = _bridged(lab)
    run(_add(1, 2, f"skip_sw dst_ip {DEST} action drop"))
    token = _send(lab, 1)
    assert lab.host(2).gets_nothing_of(token) and cpu.count(token) == 0
    assert lab.host(2).gets(_send(lab, 1, "192.0.2.3"))
    assert _hits(lab, 1, 2) == 1
    run(_add(1, 1, f"skip_sw dst_ip {DEST} action ok"))
    assert lab.host(2).gets(_send(lab, 1))
    assert (_hits(lab, 1, 1), _hits(lab, 1, 2)) == (1, 1)
    assert lab.counter(1, "drop_tc_rule") == 1


def case_redirect(lab: Bench) -> None:
    run("tc qdisc add dev lan1 clsact")
    run(_add(1, 1, f"skip_sw dst_ip {DEST} action mirred egress redirect dev lan2"))
    cpu = lab.tap("lan1")
    token = _send(lab, 1)
    assert lab.host(2).gets(token)
    assert cpu.count(token) == 0 and lab.host(3).gets_nothing_of(token)
    assert _hits(lab, 1, 1) == 1 and lab.counter(1, "hw_redirected") == 1


def case_mirror_of_what_matches(lab: Bench) -> None:
    run("tc qdisc add dev lan1 clsact")
    run(_add(1, 1, f"skip_sw dst_ip {DEST} action mirred egress mirror dev lan2"))
    cpu = lab.tap("lan1")
    token = _send(lab, 1)
    assert lab.host(2).gets(token)
    assert cpu.got(token) and cpu.count(token) == 1
    assert _hits(lab, 1, 1) == 1 and lab.counter(1, "hw_mirrored") == 1


def case_trap(lab: Bench) -> None:
    cpu = _bridged(lab)
    run(_add(1, 1, f"skip_hw dst_ip {DEST} action drop"))
    run(_add(1, 2, f"skip_sw dst_ip {DEST} action trap"))
    token = _send(lab, 1)
    assert lab.host(2).gets_nothing_of(token) and cpu.count(token) == 0
    assert _hits(lab, 1, 2) == 1
    (software,) = [rule for rule in lab.rules(1) if rule["handle"] == 1]
    assert software["actions"][0]["stats"]["packets"] == 1, "the CPU has not seen it"
    assert lab.counter(1, "hw_trapped") == 1


def case_a_rule_is_in_hardware_by_itself(lab: Bench) -> None:
    run("tc qdisc add dev lan1 clsact")
    run(_add(1, 1, f"dst_ip {DEST} action drop"))
    assert "in_hw in_hw_count 1" in run("tc filter show dev lan1 ingress")
    run("tc filter del dev lan1 ingress pref 1")
    assert len(lab.inside("flower").splitlines()) == 1


def case_what_is_matched(lab: Bench) -> None:
    lab.bridge("br0", [1, 2])
    run("tc qdisc add dev lan1 clsact")
    matches = {
        1: f"src_mac {lab.host(1).mac} dst_mac {BROADCAST} dst_ip 192.0.2.11",
        2: "dst_ip 192.0.2.12 ip_proto udp dst_port 53 src_port 53",
        3: "dst_ip 192.0.2.13 ip_proto tcp",
        4: "dst_ip 192.0.2.14/32 src_ip 192.0.2.0/24",
    }
    for pref, match in matches.items():
        run(_add(1, pref, f"skip_sw {match} action drop"))
    hit = {1: 17, 2: 17, 3: 6, 4: 17}
    for pref, protocol in hit.items():
        assert lab.host(2).gets_nothing_of(_send(lab, 1, f"192.0.2.1{pref}", protocol)), pref
        assert _hits(lab, 1, pref) == 1, pref
    assert lab.host(2).gets(_send(lab, 1, "192.0.2.12", ports=b"\0\x36\0\x36"))
    assert lab.host(2).gets(_send(lab, 1, "192.0.2.13", 17))


def case_a_vlan_is_matched(lab: Bench) -> None:
    lab.bridge("br0", [1, 2])
    run("tc qdisc add dev lan1 clsact")
    run("tc filter add dev lan1 ingress protocol 802.1q pref 1 handle 1 flower skip_sw vlan_id 10 action drop")
    assert lab.host(2).gets_nothing_of(lab.host(1).send(vid=10))
    assert lab.host(2).gets(lab.host(1).send(vid=11))
    assert lab.host(2).gets(lab.host(1).send())
    assert _hits(lab, 1, 1) == 1


def case_what_the_chip_cannot_do_is_refused_with_a_reason(lab: Bench) -> None:
    run("tc qdisc add dev lan1 clsact")
    run("ip link add far0 type veth peer name far1")
    reasons = {
        "skip_sw ct_state +trk action drop": "matches MAC, VLAN",
        "skip_sw dst_ip 192.0.2.2 action skbedit mark 1": "drop, trap, pass, redirect and mirror",
        "skip_sw dst_ip 192.0.2.2 action mirred egress redirect dev far0": "its own ports only",
        "skip_sw dst_ip 192.0.2.2 action goto chain 5": "drop, trap, pass",
    }
    for rest, reason in reasons.items():
        assert reason in refused(_add(1, 1, rest)), rest
    assert "comes in only" in refused(_add(1, 1, "skip_sw dst_ip 192.0.2.2 action drop", "egress"))
    run(_add(1, 1, "dst_ip 192.0.2.2 action skbedit mark 1"))
    assert "not_in_hw" in run("tc filter show dev lan1 ingress")
    run("ip link del far0")


def case_a_port_is_mirrored_as_it_receives_and_as_it_sends(lab: Bench) -> None:
    lab.bridge("br0", [1, 2])
    run("tc qdisc add dev lan1 clsact")
    for where, sender in (("ingress", 1), ("egress", 2)):
        run(f"tc filter add dev lan1 {where} matchall skip_sw action mirred egress mirror dev lan4")
        assert lab.host(4).gets(lab.host(sender).send()), where
        assert lab.host(4).tap.count(lab.host(3 - sender).send()) == 0, where
        run(f"tc filter del dev lan1 {where}")
        assert lab.host(4).gets_nothing_of(lab.host(sender).send()), where


def case_rules_go_with_the_qdisc_and_with_the_switch(lab: Bench) -> None:
    run("tc qdisc add dev lan1 clsact")
    for pref in range(1, 20):
        run(_add(1, pref, f"skip_sw dst_ip 10.0.0.{pref} action drop"))
    assert len(lab.inside("flower").splitlines()) == 20
    run("tc qdisc del dev lan1 clsact")
    assert len(lab.inside("flower").splitlines()) == 1
    run("tc qdisc add dev lan1 clsact")
    run(_add(1, 1, "skip_sw dst_ip 10.0.0.1 action drop"))
