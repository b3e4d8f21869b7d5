"""Bombs: a node that takes all it can get hits its own limits; the neighbour works on, and so does the node afterwards."""

import os
import time
from pathlib import Path

import pytest

from netlab.host.kernel import bpf
from netlab.host.sandbox.bundle import DEVPTS_MAX, FILES_HARD, PIDS_MAX, SHM_MB
from tests.attacks.conftest import Box

pytestmark = pytest.mark.kernel

MIB = 1 << 20
NEIGHBOUR_LATE_S = 3.0
"""Two cores, shared with the rest of the tests: what matters is that the neighbour is served at all, and soon."""


@pytest.fixture(autouse=True)
def nobody_else_notices(box: Box) -> object:
    yield
    began = time.monotonic()
    assert box.out("v", "ping -c1 -W1 -q 10.88.0.2 >/dev/null && echo well").strip() == "well"
    assert time.monotonic() - began < NEIGHBOUR_LATE_S
    assert box.out("a", "echo still here").strip() == "still here"
    box.alive()


def test_forks(box: Box) -> None:
    began = time.monotonic()
    done = box.execute("a", ["/usr/bin/perl", "-e", r"""
        my $n = 0; for (1 .. 5000) { my $p = fork; last unless defined $p; if (!$p) { sleep 20; exit } $n++ }
        print "$n ", $! + 0, "\n"; kill "KILL", -$$ """], timeout_s=15)
    count, number = done.stdout.split()[:2]
    assert 20 < int(count) < PIDS_MAX
    assert int(number) == 11  # EAGAIN
    assert time.monotonic() - began < 15


def test_a_fork_bomb_that_is_left_running_lets_others_in(box: Box) -> None:
    box.sh("a", "bomb() { bomb | bomb & }; bomb; sleep 1", timeout_s=3)
    try:
        assert box.out("v", "echo well").strip() == "well"
        assert box.out("b", "echo well").strip() == "well"
    finally:
        box.runner.run(_kill_all_in(box, "a"))


async def _kill_all_in(box: Box, node: str) -> None:
    """What resetting the node does to its processes, short of its init."""
    init = box.attacker.places[node].init_pid
    (group, *_) = [line.split(":")[2] for line in Path(f"/proc/{init}/cgroup").read_text().splitlines() if "netlab" in line]
    for _ in range(50):
        pids = [int(p) for p in _pids_of(group) if int(p) != init]
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue


def _pids_of(group: str) -> list[str]:
    for root in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")):
        file = root / group.lstrip("/") / "cgroup.procs"
        if file.exists():
            return file.read_text().split()
    raise AssertionError(f"no cgroup {group}")


def test_memory(box: Box) -> None:
    done = box.execute("a", ["/usr/bin/perl", "-e", r"""
        $| = 1; my @all; for (1 .. 64) { push @all, "x" x (16 << 20); print 16 * $_, "\n" }"""], timeout_s=20)
    reached = int((done.stdout.split() or [b"0"])[-1])
    assert done.exit_code in (137, -9), done
    assert reached <= 256


def test_disk(box: Box) -> None:
    done = box.sh("a", "dd if=/dev/zero of=/root/big bs=1M count=500 2>&1; stat -c %s /root/big; rm /root/big", timeout_s=30)
    assert int(done.stdout.split()[-1]) <= 64 * MIB


def test_the_shared_lab_folder(box: Box) -> None:
    done = box.sh("a", "dd if=/dev/zero of=/lab/big bs=1M count=500 2>&1; stat -c %s /lab/big; rm /lab/big", timeout_s=30)
    assert int(done.stdout.split()[-1]) <= 16 * MIB


def test_shared_memory_and_run(box: Box) -> None:
    done = box.sh("a", """
        for d in /dev/shm /run /dev; do
            dd if=/dev/zero of=$d/big bs=64k count=4000 2>/dev/null; stat -c %s $d/big; rm $d/big
        done""")
    sizes = [int(s) for s in done.stdout.split()]
    assert sizes[0] <= SHM_MB * MIB and sizes[1] <= 4 * MIB and sizes[2] <= MIB


@pytest.mark.parametrize("folder", ["/root", "/lab", "/dev/shm", "/run"])
def test_inodes(box: Box, folder: str) -> None:
    done = box.execute("a", ["/usr/bin/perl", "-e", r"""
        my $d = "$ARGV[0]/many"; mkdir $d; my $n = 0; while ($n < 60000) { open(my $f, ">", "$d/$n") or last; $n++ }
        print "$n ", $! + 0, "\n"; system("rm", "-rf", $d)""", folder], timeout_s=40)
    count, number = (int(x) for x in done.stdout.split())
    assert count < 21_000
    assert number == 28  # ENOSPC


def test_descriptors(box: Box) -> None:
    done = box.execute("a", ["/usr/bin/perl", "-e", r"""
        my @all; while (@all < 20000) { open(my $f, "<", "/etc/hostname") or last; push @all, $f }
        print scalar(@all), " ", $! + 0, "\n" """])
    count, number = (int(x) for x in done.stdout.split())
    assert count < FILES_HARD and number == 24  # EMFILE


def test_processor(box: Box) -> None:
    """Eight busy loops get what one node may have, and no more."""
    init = box.attacker.places["a"].init_pid
    began = time.monotonic()
    done = box.sh("a", "for i in 1 2 3 4 5 6 7 8; do (timeout 3 sh -c 'while :; do :; done') & done; wait; times", timeout_s=15)
    assert time.monotonic() - began < 10
    used_s = sum(_seconds(t) for t in done.stdout.decode().split()[-2:])
    assert 0.5 < used_s < 3 * 0.5 * 1.5, done.stdout
    assert Path(f"/proc/{init}").exists()


def _seconds(text: str) -> float:
    minutes, _, seconds = text.rstrip("s").partition("m")
    return int(minutes) * 60 + float(seconds)


def test_terminals(box: Box) -> None:
    done = box.execute("a", ["/usr/bin/perl", "-e", r"""
        use Fcntl; my @all; while (@all < 100) { sysopen(my $m, "/dev/ptmx", O_RDWR | O_NOCTTY) or last; push @all, $m }
        print scalar(@all), "\n" """])
    assert int(done.stdout) <= DEVPTS_MAX
    assert box.out("v", "script -qc 'echo own terminal' /dev/null").strip().endswith("own terminal")


def test_output_without_end(box: Box) -> None:
    """What a command prints beyond the limit is read and dropped; nothing grows here."""
    done = box.sh("a", "timeout 2 yes", timeout_s=5, output_limit=100_000)
    assert len(done.stdout) == 100_000 and done.truncated


def test_a_terminal_that_nobody_reads_stands_still(box: Box) -> None:
    terminal = box.runner.run(box.nodes.open_terminal(box.attacker, "a", 24, 80, ["/usr/bin/yes"]))
    try:
        deadline, before = time.monotonic() + 5, -10
        while _cpu_ticks(terminal.pid) - before > 1:
            assert time.monotonic() < deadline
            before = _cpu_ticks(terminal.pid)
            time.sleep(0.5)
    finally:
        os.close(terminal.master)  # hangs up on it


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_interfaces(box: Box) -> None:
    """Devices are charged to the node that makes them, and go with it."""
    made = box.out("a", """
        i=0; while [ $i -lt 100 ]; do echo "link add d$i type bridge"; i=$((i + 1)); done | ip -batch - 2>/dev/null
        ip -o link | grep -c ' d[0-9]'
        i=0; while [ $i -lt 100 ]; do echo "link del d$i"; i=$((i + 1)); done | ip -force -batch - 2>/dev/null; true""")
    assert int(made.split()[0]) <= 100


def test_bpf_maps_are_charged_to_the_node(box: Box) -> None:
    """Maps of 16 MB until the node's memory is used up: the node's own process ends, or the kernel says ENOMEM."""
    done = box.execute("a", ["/usr/bin/perl", "-e", _MANY_MAPS], timeout_s=20)
    count = int((done.stdout.split() or [b"0"])[-1])
    assert 0 < count * 16 <= 256


def test_a_bpf_file_system_full_of_links_costs_the_agent_nothing(box: Box) -> None:
    """The agent looks for names of pins there about once a second."""
    bpffs = box.attacker.places["a"].bpffs
    assert bpffs
    made = box.execute("a", ["/usr/bin/perl", "-e", r"""
        my $n = 0; while ($n < 20000) { symlink("x", "/sys/fs/bpf/l$n") or last; $n++ } print $n"""], timeout_s=20)
    assert int(made.stdout) > 10_000
    began = time.process_time()
    bpf.read_pins(bpffs)
    spent_s = time.process_time() - began
    box.sh("a", "find /sys/fs/bpf -type l -delete", timeout_s=20)
    assert spent_s < 0.05


_MANY_MAPS = r"""
    use Fcntl; $| = 1; sysopen(my $d, "/sys/fs/bpf", O_RDONLY | 0200000) or die; my $a = pack("LLx8", 0, fileno $d);
    my $t = syscall(321, 36, $a, 16); $t > 0 or die "token";
    for my $n (1 .. 64) { my $m = pack("LLLLL", 2, 4, 1 << 20, 16, 1 << 16) . ("\0" x 56) . pack("l", $t);
      my $fd = syscall(321, 0, $m, length $m); last if $fd < 0; print "$n\n" }
"""
