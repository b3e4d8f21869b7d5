"""Ports: carrier on both sides, MTU, statistics, more ports than four."""

from pathlib import Path

from .bench import Bench, next_token, on, run, wait_until
from .frames import BROADCAST, frame


def _carrier(name: str, netns: str | None = None) -> bool:
    command = f"ip -n {netns} -br link show {name}" if netns else f"ip -br link show {name}"
    return "LOWER_UP" in run(command)


def case_a_cable_pulled_takes_the_user_ports_carrier(lab: Bench) -> None:
    run("ip -n h1 link set sw1p1 down")
    wait_until("no carrier", lambda: not _carrier("lan1"))
    assert _carrier("lan2")
    run("ip -n h1 link set sw1p1 up")
    wait_until("carrier", lambda: _carrier("lan1"))
    assert "1000Mb/s" in run("ethtool lan1")


def case_a_user_port_down_takes_the_hosts_carrier(lab: Bench) -> None:
    run("ip link set lan1 down")
    wait_until("no carrier", lambda: not _carrier("sw1p1", "h1"))
    run("ip link set lan1 up")
    wait_until("carrier", lambda: _carrier("sw1p1", "h1"))


def case_addresses_are_forgotten_when_a_cable_is_pulled(lab: Bench) -> None:
    lab.bridge("br0", [1, 2])
    lab.host(1).send()
    wait_until("learned", lambda: lab.learned(lab.host(1).mac) != [])
    run("ip -n h1 link set sw1p1 down")
    wait_until("forgotten", lambda: lab.learned(lab.host(1).mac) == [])


def case_jumbo_frames_when_the_port_allows_them(lab: Bench) -> None:
    lab.bridge("br0", [1, 2])
    for host in (lab.host(1), lab.host(2)):
        run(f"ip -n {host.netns} link set {host.interface} mtu 9000")
    long = frame(BROADCAST, lab.host(1).mac, (token := next_token()) + bytes(8000))
    lab.host(1).tap.send(long)
    assert lab.host(2).gets_nothing_of(token)
    assert lab.counter(1, "drop_too_long") == 1
    for port in (1, 2):
        run(f"ip link set lan{port} mtu 9000")
    cpu = lab.tap("br0")
    lab.host(1).tap.send(frame(BROADCAST, lab.host(1).mac, (token := next_token()) + bytes(8000)))
    assert lab.host(2).gets(token)
    assert cpu.got(token), "does not fit through the wire"
    assert int(Path("/sys/class/net/cpu0/mtu").read_text()) == 9004
    lab.tap("lan2").send(frame(BROADCAST, "02:00:00:00:00:cc", (token := next_token()) + bytes(8000)))
    assert lab.host(2).gets(token), "does not fit through the wire from the CPU"


def case_statistics_tell_hardware_from_cpu(lab: Bench) -> None:
    lab.bridge("br0", [1, 2])
    for number in (1, 2):
        lab.host(number).send()
    wait_until("learned", lambda: lab.learned(lab.host(2).mac) != [])
    wait_until("the CPU has got all that it gets", lambda: lab.counter(1, "rx_packets") == lab.counter(1, "hw_to_cpu"))
    names = ("hw_rx_frames", "hw_switched", "hw_to_cpu", "rx_packets")
    before = [lab.counter(1, name) for name in names]
    for _ in range(20):
        token = lab.host(1).send(lab.host(2).mac)
    assert lab.host(2).gets(token)
    assert [lab.counter(1, name) - was for name, was in zip(names, before, strict=True)] == [20, 20, 0, 0]
    assert "RX" in run("ip -s link show lan1")
    rx = Path("/sys/class/net/lan1/statistics/rx_packets")
    assert int(rx.read_text()) == lab.counter(1, "hw_rx_frames")


@on(ports=11)
def case_eleven_ports(lab: Bench) -> None:
    lab.bridge("br0", list(range(1, 12)))
    token = lab.host(11).send()
    assert all(lab.host(number).gets(token) for number in range(1, 11))
    assert lab.host(11).tap.count(token) == 0


@on(ports=1)
def case_one_port(lab: Bench) -> None:
    assert lab.tap("lan1").got(lab.host(1).send())


def case_pings_pass_through_the_bridge_and_to_it(lab: Bench) -> None:
    lab.bridge("br0", [1, 2])
    for number in (1, 2):
        run(f"ip -n h{number} addr add 10.7.0.{number}/24 dev sw1p{number}")
    run("ip addr add 10.7.0.100/24 dev br0")
    for source, dest in ((1, "10.7.0.2"), (2, "10.7.0.1"), (1, "10.7.0.100")):
        run(f"ip netns exec h{source} ping -c 2 -i 0.05 -W 2 {dest}")
    run("ping -c 2 -i 0.05 -W 2 10.7.0.2")
