"""A switch on the bench: two netdevsim devices, a switch of four ports, a namespace with a host at each outer side.

Each case gets a bench of its own and it is taken apart behind it. Used by run.py; runs in a guest as root.
"""

import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .frames import ARRIVES_S, BROADCAST, Tap, frame, namespace

BUS = Path("/sys/bus")
MODPROBE = Path("/proc/sys/kernel/modprobe")
CONDUIT_NUMBER, WIRE_NUMBER = 701, 702
_numbers = itertools.count()
Case = Callable[..., None]


def next_token() -> bytes:
    """What no other frame has in it."""
    return f"frame-{next(_numbers):06d}".encode()


def run(command: str, check: bool = True) -> str:
    done = subprocess.run(command.split(), capture_output=True, text=True)
    if check and done.returncode:
        raise AssertionError(f"{command}: {done.stderr.strip()}")
    return done.stdout


def refused(command: str) -> str:
    """What it says when it fails, which it must."""
    done = subprocess.run(command.split(), capture_output=True, text=True)
    assert done.returncode, f"{command}: is not refused"
    return done.stderr.strip()


def batch(program: str, lines: str) -> None:
    done = subprocess.run([program, "-batch", "-"], input=lines, capture_output=True, text=True)
    assert done.returncode == 0, f"{program}: {done.stderr.strip()}"


def write(path: Path | str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def wait_until(what: str, true: Callable[[], object], seconds: float = ARRIVES_S) -> None:
    end, is_late = time.monotonic() + seconds, False
    while not true():
        assert not is_late, f"{what}: not within {seconds} s"
        is_late = time.monotonic() >= end  # asked once more when that time has passed elsewhere
        time.sleep(0.005)


def wait_for_text(path: str, text: str) -> None:
    wait_until(f"{path} says {text!r}", lambda: Path(path).read_text() == text)


def on(ports: int = 4, tagger: str = "dsa") -> Callable[[Case], Case]:
    """A case that wants another switch than the usual one says so."""

    def remember(case: Case) -> Case:
        case.__dict__["bench"] = {"ports": ports, "tagger": tagger}
        return case

    return remember


class Card:
    """A netdevsim device with one port, in the initial namespace."""

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        write(BUS / "netdevsim/new_device", f"{number} 1")
        (born,) = os.listdir(BUS / f"netdevsim/devices/netdevsim{number}/net")
        run(f"ip link set {born} name {name}")

    @property
    def exists(self) -> bool:
        return (BUS / f"netdevsim/devices/netdevsim{self.number}").exists()

    def remove(self) -> None:
        with suppress(OSError):
            write(BUS / "netdevsim/del_device", str(self.number))


def link_cards(a: str, b: str) -> None:
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    indices = [Path(f"/sys/class/net/{name}/ifindex").read_text().strip() for name in (a, b)]
    write(BUS / "netdevsim/link_device", " ".join(f"{fd}:{index}" for index in indices))
    os.close(fd)


def address(number: int) -> str:
    return f"02:00:00:00:00:{number:02x}"


class Host:
    """What is at the end of a cable."""

    def __init__(self, number: int) -> None:
        self.number, self.netns, self.interface = number, f"h{number}", f"sw1p{number}"
        self.mac = address(number)
        self.tap = Tap(self.interface, self.netns)

    def reopen(self) -> None:
        """Forgets what has come in before."""
        self.tap.close()
        self.tap = Tap(self.interface, self.netns)

    def send(self, dest: str = BROADCAST, source: str | None = None, vid: int | None = None) -> bytes:
        """A frame of which no other is alike; what to look for in it."""
        token = next_token()
        self.tap.send(frame(dest, source or self.mac, token, vid))
        return token

    def gets(self, token: bytes) -> bool:
        return self.tap.got(token) is not None

    def gets_nothing_of(self, token: bytes) -> bool:
        return self.tap.count(token) == 0


def cards() -> list[Card]:
    """The conduit and the wire, linked. They outlive a case, unless it takes them away."""
    if not (_cards and all(card.exists for card in _cards)):
        for number in (CONDUIT_NUMBER, WIRE_NUMBER):
            with suppress(OSError):
                write(BUS / "netdevsim/del_device", str(number))
        _cards[:] = [Card(CONDUIT_NUMBER, "cpu0"), Card(WIRE_NUMBER, "wire0")]
        link_cards("cpu0", "wire0")
    return list(_cards)


_cards: list[Card] = []


def quiet_namespace(name: str) -> None:
    """Its kernel sends nothing of its own accord: every frame is a test's."""
    if not Path("/run/netns", name).exists():
        run(f"ip netns add {name}")
        with namespace(name):
            Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")


@contextmanager
def spare_cards() -> Iterator[list[Card]]:
    """Two more, a0 and b0, not linked."""
    more = [Card(711, "a0"), Card(712, "b0")]
    try:
        yield more
    finally:
        with suppress(OSError):
            write(BUS / "dsa_netlab/del_switch", "2")
        for card in more:
            card.remove()


class Bench:
    """Hosts h1..hN at lan1..lanN, all up, nothing bridged."""

    def __init__(self, ports: int = 4, tagger: str = "dsa") -> None:
        self.ports = ports
        self.cards = cards()
        write(BUS / "dsa_netlab/new_switch", f"1 cpu0 wire0 {ports} {tagger}")
        numbers = range(1, ports + 1)
        for number in numbers:
            quiet_namespace(f"h{number}")
        lines = [f"link set sw1p{n} up address {address(n)} netns h{n}" for n in numbers]
        lines += [f"link set lan{n} up" for n in numbers]
        batch("ip", "\n".join(lines))
        self.hosts = [Host(number) for number in numbers]
        self.wait_for_links()
        self.taps: list[Tap] = []

    def host(self, number: int) -> Host:
        return self.hosts[number - 1]

    def up(self) -> None:
        batch("ip", "\n".join(f"link set lan{n} up" for n in range(1, self.ports + 1)))

    def down(self) -> None:
        batch("ip", "\n".join([f"link set lan{n} down" for n in range(1, self.ports + 1)] + ["link set cpu0 down"]))

    def wait_for_links(self) -> None:
        for number in range(1, self.ports + 1):
            wait_for_text(f"/sys/class/net/lan{number}/carrier", "1\n")

    def tap(self, interface: str, promiscuous: bool = False) -> Tap:
        self.taps.append(Tap(interface, promiscuous=promiscuous))
        return self.taps[-1]

    def bridge(self, name: str, ports: list[int], options: str = "") -> None:
        lines = [f"link add {name} type bridge mcast_snooping 0 {options}", f"link set {name} up"]
        batch("ip", "\n".join(lines + [f"link set lan{number} master {name}" for number in ports]))
        for number in ports:
            if "stp_state" in options:
                run(f"bridge link set dev lan{number} state 3")
            wait_for_text(f"/sys/class/net/lan{number}/brport/state", "3\n")

    def counter(self, port: int, name: str) -> int:
        for line in run(f"ethtool -S lan{port}").splitlines():
            key, _, value = line.strip().partition(": ")
            if key == name:
                return int(value)
        raise AssertionError(f"no counter {name}")

    def inside(self, what: str) -> str:
        return Path(f"/sys/kernel/debug/dsa_netlab/1/{what}").read_text()

    def learned(self, address: str) -> list[tuple[int, str]]:
        """(VLAN, port) of each line that the chip has learned for an address."""
        rows = [line.split() for line in self.inside("fdb").splitlines()]
        return [(int(row[1]), row[4]) for row in rows if row[0] == address and row[3] != "static"]

    def rules(self, port: int) -> list[dict[str, Any]]:
        """tc's view of the rules at a port's ingress, with what the hardware has counted."""
        rows = json.loads(run(f"tc -s -j filter show dev lan{port} ingress"))
        return [row["options"] for row in rows if "handle" in row.get("options", {})]

    def close(self) -> None:
        for tap in [*self.taps, *(host.tap for host in self.hosts)]:
            tap.close()
        with suppress(OSError):
            write(BUS / "dsa_netlab/del_switch", "1")
        for name in {"br0", "br1"} & set(os.listdir("/sys/class/net")):
            run(f"ip link del {name}", check=False)
