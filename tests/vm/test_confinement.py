"""What a machine's QEMU is shut in by, as the kernel sees it."""

import errno
import os
import sys
from pathlib import Path

import pytest

from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.nodes.marks import cgroup_of
from netlab.host.vm import confinement
from netlab.host.vm.api import Shape
from netlab.host.vm.machine import QemuMachine
from netlab.host.vm.qemu import MEMORY_FD
from tests.vm.kit import FIRST_UID, Vms, run

pytestmark = pytest.mark.kernel
ALLOWED_PLACES = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/dev", "/image", "/proc")


def _status(machine: QemuMachine) -> dict[str, str]:
    lines = Path(f"/proc/{machine.pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


async def test_it_is_nobody_and_can_become_nobody(host: Vms) -> None:
    machine = await host.clone()
    status = _status(machine)
    uid = str(FIRST_UID + 1)
    assert status["Uid"].split() == status["Gid"].split() == [uid] * 4
    assert status["Groups"] == ""
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2", "its own filter is on"
    assert status["Umask"] == "0077"
    assert os.getsid(machine.pid) == machine.pid, "nothing that happens to the agent's session reaches it"


async def test_it_has_no_io_uring(host: Vms, tmp_path: Path) -> None:
    call = "import ctypes; c = ctypes.CDLL(None, use_errno=True); c.syscall(425, 1, 0); print(ctypes.get_errno())"
    said = tmp_path / "said"
    with said.open("w") as out, open(os.devnull) as nothing:
        child = await host.worker.spawn_confined(
            ["/usr/bin/python3", "-c", call], [nothing.fileno(), out.fileno(), out.fileno()], uid=FIRST_UID,
            binds=confinement.binds(host.image), links=confinement.links(), devices=[], cgroups=[],
            limits=confinement.limits(), dies_with_worker=True,
        )
        assert await child.wait() == 0, said.read_text()
    assert said.read_text() == f"{errno.ENOSYS}\n"


async def test_it_has_namespaces_of_its_own_and_a_network_without_anything(host: Vms) -> None:
    machine, other = await host.clone(), await host.clone()
    for kind in ("mnt", "pid", "net", "ipc", "uts"):
        places = {os.readlink(f"/proc/{pid}/ns/{kind}") for pid in (machine.pid, other.pid, os.getpid())}
        assert len(places) == 3, kind
    interfaces = Path(f"/proc/{machine.pid}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]
    assert _status(machine)["NSpid"].split()[-1] == "1"


async def test_it_sees_little_of_the_host_and_writes_to_none_of_it(host: Vms) -> None:
    machine = await host.clone()
    mounts = [line.split() for line in Path(f"/proc/{machine.pid}/mountinfo").read_text().splitlines()]
    assert all("ro" in mount[5].split(",") for mount in mounts)
    places = {mount[4] for mount in mounts} - {"/"}
    assert all(place.startswith(ALLOWED_PLACES) for place in places), places
    root = Path(f"/proc/{machine.pid}/root")
    assert {path.name for path in root.iterdir()} <= {place.strip("/") for place in ALLOWED_PLACES}
    assert {path.name for path in (root / "image").iterdir()} == {"bzImage", "root.squashfs", "app.squashfs"}
    assert {path.name for path in (root / "dev").iterdir()} <= {"null", "urandom"}
    assert not any(path.name.isdigit() for path in (root / "etc").iterdir())


async def test_no_other_user_reaches_its_sockets(host: Vms) -> None:
    machine, uid = await host.clone(), FIRST_UID + 77
    place = host.config.run_dir / "vms" / machine.run
    code = f"""
import os, socket
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
for name in ("monitor", "port", "mark.json", "qemu.log"):
    try:
        socket.socket(socket.AF_UNIX).connect({str(place)!r} + "/" + name)
    except PermissionError:
        continue
    raise SystemExit(name)
"""
    run(sys.executable, "-c", code)
    assert place.stat().st_mode & 0o777 == place.parent.stat().st_mode & 0o777 == 0o700


async def test_a_template_cannot_be_written_through_a_machine_that_maps_it(host: Vms) -> None:
    """Not even by root, with QEMU's own descriptor, which is open for writing."""
    machine = await host.clone()
    memory = os.open(f"/proc/{machine.pid}/fd/{MEMORY_FD}", os.O_RDWR)
    try:
        with pytest.raises(PermissionError):
            os.pwrite(memory, b"x", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(memory, 0)
    finally:
        os.close(memory)


async def test_its_limits_hold(host: Vms) -> None:
    machine = await host.clone()
    limits = Path(f"/proc/{machine.pid}/limits").read_text().splitlines()
    found = {line[:26].strip(): line[26:].split()[:2] for line in limits}
    assert found["Max core file size"] == ["0", "0"]
    assert found["Max file size"] == [str(confinement.LOG_BYTES_MAX)] * 2
    values = {}
    for folder in Hierarchies.of_this_host().folders(cgroup_of(host.config.instance, machine.run)):
        assert str(machine.pid) in (folder / "cgroup.procs").read_text().split()
        for name in ("memory.limit_in_bytes", "memory.max", "pids.max", "cpu.cfs_quota_us", "cpu.max"):
            if (folder / name).exists():
                values[name.split(".")[0]] = (folder / name).read_text().split()[0]
    memory = confinement.memory_limit_mb(machine.shape) << 20
    assert values == {"memory": str(memory), "pids": str(confinement.THREADS_MAX), "cpu": "150000"}


async def test_the_groups_of_a_host_with_v2_alone(tmp_path: Path) -> None:
    """Written into a folder: this machine may have v1. The files are those of cgroup-v2.rst."""
    for folder in (tmp_path, tmp_path / "netlab", tmp_path / "netlab/main"):
        folder.mkdir(exist_ok=True)
    group = tmp_path / "netlab/main/r1"
    group.mkdir()
    (group / "memory.swap.max").write_text("max")
    made = confinement.make_group(Hierarchies((tmp_path,), v2=True), "main", "r1", Shape(256, 2))
    assert made == [str(group)]
    assert (tmp_path / "netlab/main/cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    assert (group / "memory.max").read_text() == str(confinement.memory_limit_mb(Shape(256)) << 20)
    assert (group / "memory.swap.max").read_text() == "0"
    assert (group / "cpu.max").read_text() == "250000 100000"
    (group / "memory.events").write_text("low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\n")
    assert confinement.was_out_of_memory(Hierarchies((tmp_path,), v2=True), "main", "r1")
