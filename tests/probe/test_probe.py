"""The probe against this kernel: complete, quick, clean, and honest about trials that fail, hang or break."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netlab.domain.lab import Ability
from netlab.host.kernel import modules
from netlab.host.probe import network_trials
from netlab.host.probe.abilities import probe_all
from netlab.host.probe.table import table
from netlab.host.probe.trial import No, attempt, in_user_namespace, receive_fd, words
from netlab.wire.host_report import AbilityReport

pytestmark = pytest.mark.kernel
GUESTS = {Ability.KVM, Ability.VM}


def _machine() -> tuple[object, ...]:
    """What a trial could leave behind: links, mounts (less those of labs beside this test), cgroups, descriptors, children."""
    return (
        sorted(os.listdir("/sys/class/net")),
        [line.split()[4:] for line in Path("/proc/self/mountinfo").read_text().splitlines() if "/run/net" not in line],
        sorted(str(p) for p in Path("/sys/fs/cgroup").glob("**/netlab-probe-*")),
        len(os.listdir("/proc/self/fd")),
        Path(f"/proc/self/task/{os.getpid()}/children").read_text() if Path("/proc/self/task").exists() else "",
    )


def test_every_ability_is_tried_quickly_and_nothing_is_left(tmp_path: Path) -> None:
    before, began = _machine(), time.monotonic()
    reports = probe_all(tmp_path, leave_out=GUESTS)  # tests/vm tries those
    assert time.monotonic() - began < 5
    assert {r.ability for r in reports} == set(Ability) - GUESTS
    assert len(reports) == len(Ability) - len(GUESTS)
    assert _machine() == before
    broken = [r for r in reports if "broken" in r.why or "no answer" in r.why]
    assert not broken
    assert all(r.why for r in reports)


def test_it_agrees_with_what_the_machine_shows_otherwise(tmp_path: Path) -> None:
    found = {r.ability: r.works for r in probe_all(tmp_path, leave_out=GUESTS)}
    assert found["btf"] == Path("/sys/kernel/btf/vmlinux").exists()
    for kind in ("bridge", "bond", "vrf", "vxlan", "wireguard"):
        more = ["id", "5"] if kind == "vxlan" else ["table", "5"] if kind == "vrf" else []
        done = subprocess.run(["unshare", "-n", "ip", "link", "add", "x", "type", kind, *more], capture_output=True)
        assert found[kind] == (done.returncode == 0), kind
    for kind in ("netem", "fq_codel", "cake"):
        done = subprocess.run(["unshare", "-n", "tc", "qdisc", "add", "dev", "lo", "root", kind], capture_output=True)
        assert found[kind] == (done.returncode == 0), kind


def test_the_command_prints_a_table_and_refuses_to_guess_without_root(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "netlab.host.probe", "--rootfs", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "veth" in done.stdout and "abilities" in done.stdout
    code = "import os,sys; os.setuid(65534); from netlab.host.probe.__main__ import main; sys.exit(main([]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and "root" in done.stderr


def test_a_trial_that_hangs_dies_breaks_or_refuses_is_a_no_with_its_reason() -> None:
    def hang() -> str:
        time.sleep(60)
        return ""

    def die() -> str:
        os.kill(os.getpid(), signal.SIGKILL)
        return ""

    def refuse() -> str:
        raise No("for a reason")

    def fail() -> str:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    def broken() -> str:
        raise ValueError("oops")

    assert attempt("x", "try", lambda: "seen").works
    for body, said in ((hang, "no answer"), (die, "died"), (refuse, "for a reason"), (fail, "EOPNOTSUPP"), (broken, "oops")):
        report = attempt("x", "try", body)
        assert not report.works and said in report.why, report


def test_a_kind_that_no_kernel_has_is_a_no() -> None:
    report = attempt("x", "make it", network_trials.link("nosuchkind"))
    assert not report.works and "nosuchkind" in report.why
    report = attempt("x", "make it", network_trials.qdisc("nosuchkind"))
    assert not report.works and "ENOENT" in report.why


def test_what_fails_inside_a_user_namespace_is_told_outside() -> None:
    def fails(_: socket.socket) -> str:
        Path("/proc/sys/kernel/hostname-of-nobody").read_text()
        return ""

    report = attempt("x", "try", lambda: in_user_namespace(fails, lambda channel: os.close(receive_fd(channel))))
    assert not report.works and "ENOENT" in report.why

    def is_root_without_the_hosts_powers(_: socket.socket) -> str:
        try:
            Path("/proc/sys/kernel/threads-max").write_text("1000000")
        except OSError:
            return f"uid {os.getuid()}"
        raise No("wrote a global sysctl")

    report = attempt("x", "try", lambda: in_user_namespace(is_root_without_the_hosts_powers))
    assert report.works and "uid 0" in report.why


def test_module_loading_ends_only_by_its_switch(tmp_path: Path) -> None:
    switch = tmp_path / "modules_disabled"
    assert modules.end_loading(switch)  # a kernel without modules
    switch.write_text("0")
    assert modules.end_loading(switch)
    assert switch.read_text() == "1"


def test_errno_in_words() -> None:
    assert words(OSError(errno.EPERM, f"setns: {os.strerror(errno.EPERM)}")) == "EPERM (Operation not permitted) from setns"
    assert words(OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))) == "EOPNOTSUPP (Operation not supported)"


def test_the_table_has_one_aligned_line_per_ability() -> None:
    long = AbilityReport(ability="netdevsim", works=False, why="w " * 90)
    lines = table([AbilityReport(ability="veth", works=True, why="make it"), long]).splitlines()
    assert lines[0].startswith("veth       yes  make it")
    assert lines[1].startswith("netdevsim  no   w w")
    assert all(len(line) <= 120 for line in lines)
    assert "1 of 2 abilities" in lines[-1]
