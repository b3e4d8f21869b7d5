"""Making switches, taking them apart in every order with traffic running, and many hands at once.

After the kernel's test_bridge_fdb_stress.sh, and what DSA's documentation asks of drivers.
"""

import errno
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .bench import BUS, MODPROBE, Bench, link_cards, run, spare_cards, wait_for_text, wait_until, write
from .frames import BROADCAST, Tap, frame

NEW, DEL = BUS / "dsa_netlab/new_switch", BUS / "dsa_netlab/del_switch"

HANDS = (
    """for i in {1..15}; do
        bridge fdb add 00:01:02:03:04:05 dev lan1 master static; bridge fdb del 00:01:02:03:04:05 dev lan1 master static
    done""",
    "for i in {1..15}; do bridge fdb show; cat /sys/kernel/debug/dsa_netlab/1/*; ethtool -S lan2; done",
    "for i in {1..6}; do bridge vlan add dev lan2 vid 2-30; bridge vlan del dev lan2 vid 2-30; done",
    """for i in {1..3}; do
        ip link set lan3 down; ip link set lan3 up; ip link set lan3 nomaster; ip link set lan3 master br0
    done""",
    """for i in {1..4}; do
        tc qdisc add dev lan4 clsact; tc filter add dev lan4 ingress flower skip_sw src_mac 02:00:00:00:00:04 action drop
        tc -s filter show dev lan4 ingress; tc qdisc del dev lan4 clsact
    done""",
)


def _errno(path: Path, line: str) -> int:
    try:
        write(path, line)
    except OSError as error:
        return error.errno or 0
    return 0


@contextmanager
def _traffic(lab: Bench) -> Iterator[None]:
    """Every host and the CPU send without a pause, until their interfaces go."""
    over = threading.Event()

    def send(tap: Tap, data: bytes) -> None:
        while not over.is_set():
            try:
                tap.send(data)
                time.sleep(0.0005)
            except OSError:
                time.sleep(0.001)

    taps = [(host.tap, frame(BROADCAST, host.mac, b"storm")) for host in lab.hosts]
    taps.append((lab.tap("lan1"), frame(BROADCAST, "02:00:00:00:00:cc", b"storm")))
    threads = [threading.Thread(target=send, args=pair) for pair in taps]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _alive() -> list[str]:
    return os.listdir(BUS / "dsa_netlab/devices")


def case_errors_have_their_number(lab: Bench) -> None:
    lines = {
        "1 a0 wire0 2": errno.EEXIST,
        "2 cpu0 a0 2": errno.EBUSY,
        "2 a0 wire0 2": errno.EBUSY,
        "2 a0 b0 2": errno.EEXIST,  # there is a lan1
        "2 nothing a0 2": errno.ENODEV,
        "2 a0 nothing 2": errno.ENODEV,
        "2 a0 a0 2": errno.EINVAL,
        "2 lo a0 2": errno.EINVAL,
        "2 a0": errno.EINVAL,
        "two cpu0 a0 2": errno.EINVAL,
        "0 a0 b0 2": errno.EINVAL,
        "10000 a0 b0 2": errno.EINVAL,
        "2 a0 b0 0": errno.EINVAL,
        "2 a0 b0 12": errno.EINVAL,
        "2 a0 b0 2 rtl4a": errno.EOPNOTSUPP,
        "2 a0 b0 8 trailer": errno.EOPNOTSUPP,
        "2 99:a0 b0 2": errno.EBADF,
        "2 x:a0 b0 2": errno.EINVAL,
    }
    with spare_cards():
        found = {line: _errno(NEW, line) for line in lines}
    assert found == lines, {line: os.strerror(found[line]) for line in lines if found[line] != lines[line]}
    assert _errno(DEL, "77") == errno.ENOENT
    assert _errno(DEL, "x") == errno.EINVAL


def case_conduit_and_user_ports_in_a_namespace(lab: Bench) -> None:
    with spare_cards():
        run("ip netns add sw")
        run("devlink dev reload netdevsim/netdevsim711 netns sw")
        (conduit,) = [name for name in run("ip netns exec sw ls /sys/class/net").split() if name.startswith("eth")]
        fds = [os.open(path, os.O_RDONLY) for path in ("/run/netns/sw", "/proc/self/ns/net")]
        far = run(f"ip netns exec sw cat /sys/class/net/{conduit}/ifindex").strip()
        near = Path("/sys/class/net/b0/ifindex").read_text().strip()
        write(BUS / "netdevsim/link_device", f"{fds[0]}:{far} {fds[1]}:{near}")
        write(NEW, f"2 {fds[0]}:{conduit} b0 2 edsa wan")
        for fd in fds:
            os.close(fd)
        assert {"wan1", "wan2"} <= set(run("ip netns exec sw ls /sys/class/net").split())
        run("ip -n sw link set wan1 up")
        run("ip link set sw2p1 up")
        near_tap, far_tap = lab.tap("sw2p1"), Tap("wan1", "sw")
        wait_until("carrier", lambda: "LOWER_UP" in run("ip -n sw -br link show wan1"))
        near_tap.send(frame(BROADCAST, "02:00:00:00:00:dd", b"into a namespace"))
        assert far_tap.got(b"into a namespace")
        far_tap.close()
        run("ip netns del sw")
        wait_until("the switch goes with its conduit's namespace", lambda: _alive() == ["dsa_netlab.1"])


def case_two_switches_do_not_know_each_other(lab: Bench) -> None:
    with spare_cards():
        link_cards("a0", "b0")
        write(NEW, "2 a0 b0 2 trailer wan")
        for name in ("wan1", "wan2", "sw2p1", "sw2p2"):
            run(f"ip link set {name} up")
        lab.bridge("br0", [1, 2])
        for name in ("wan1", "wan2"):
            run(f"ip link set {name} master br0")
        for name in ("wan1", "wan2"):
            wait_for_text(f"/sys/class/net/{name}/brport/state", "3\n")
        far = [lab.tap("sw2p1"), lab.tap("sw2p2")]
        token = lab.host(1).send()
        assert lab.host(2).gets(token) and all(tap.got(token) for tap in far)
        assert [tap.count(token) for tap in far] == [1, 1]
        write(DEL, "2")
        assert lab.host(2).gets(lab.host(1).send())


def case_a_taggers_module_is_loaded_when_it_is_wanted() -> None:
    run("rmmod tag_trailer")
    MODPROBE.write_text("/sbin/modprobe\n")
    with spare_cards():
        link_cards("a0", "b0")
        write(NEW, "2 a0 b0 1 trailer")
        assert Path("/sys/class/net/a0/dsa/tagging").read_text() == "trailer\n"
    MODPROBE.write_text("\n")


def case_deleted_with_traffic_running(lab: Bench) -> None:
    lab.bridge("br0", [1, 2, 3, 4])
    with _traffic(lab):
        time.sleep(0.5)
        write(DEL, "1")
        time.sleep(0.1)
    assert _alive() == []


def case_a_nodes_namespace_goes_with_traffic_running(lab: Bench) -> None:
    lab.bridge("br0", [1, 2, 3, 4])
    with _traffic(lab):
        time.sleep(0.2)
        lab.host(1).tap.close()  # it holds the namespace
        run("ip netns del h1")
        wait_until("the outer side comes home", lambda: Path("/sys/class/net/sw1p1").exists())
    wait_until("no carrier", lambda: "NO-CARRIER" in run("ip -br link show lan1"))
    lab.host(3).reopen()
    assert lab.host(3).gets(lab.host(2).send())


def case_the_wires_device_goes_with_traffic_running(lab: Bench) -> None:
    with _traffic(lab):
        time.sleep(0.2)
        lab.cards[1].remove()
        wait_until("the switch goes", lambda: _alive() == [])


def case_the_conduits_device_goes_with_traffic_running(lab: Bench) -> None:
    with _traffic(lab):
        time.sleep(0.2)
        lab.cards[0].remove()
    assert not Path("/sys/class/net/lan1").exists()
    assert _alive() == ["dsa_netlab.1"]


def case_the_module_goes_and_comes_back() -> None:
    """Several times: what the kernel still does with a switch that is gone must not need a module that is gone."""
    for _ in range(6):
        lab = Bench()
        lab.bridge("br0", [1, 2])
        with _traffic(lab):
            time.sleep(0.1)
            run("rmmod dsa_netlab")
        assert not Path("/sys/class/net/lan1").exists()
        lab.close()
        run("modprobe dsa_netlab")


def case_many_hands_at_once(lab: Bench) -> None:
    """The table is written by the bridge, by tc and by the frames, and read by dumps."""
    lab.bridge("br0", [1, 2, 3, 4], "vlan_filtering 1 ageing_time 100")
    with _traffic(lab):
        hands = [subprocess.Popen(["bash", "-c", work], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for work in HANDS]
        assert [hand.wait(300) for hand in hands] == [0] * len(hands)
    lab.host(2).reopen()
    assert lab.host(2).gets(lab.host(1).send())
