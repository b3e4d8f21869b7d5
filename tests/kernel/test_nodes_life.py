"""Nodes are made, used, made anew, found again and unmade; and nothing is left, whatever went wrong in between."""

import asyncio
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_run_id
from netlab.domain.lab import Isolation
from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.nodes.sandboxed import ContainerFailed, SandboxedNodes
from netlab.host.nsworker.client import NsWorker, WorkerDied
from netlab.host.steps import SilentSink, Steps
from tests.kernel.kit import Host, exists, host, lab, make
from tests.waiting import until

pytestmark = pytest.mark.kernel
PING = ["ping", "-c1", "-w8"]
"""Again each second: a link that has just come up takes its first packets when the kernel has noticed."""


async def test_a_lab_is_as_it_was_written(both: Host) -> None:
    made = await both.build()
    assert (await both.nodes.execute(made, "client", [*PING, "10.0.0.2"])).exit_code == 0
    link = (await both.nodes.execute(made, "server", ["ip", "-o", "link", "show", "eth0"])).stdout.decode()
    assert "10: eth0@" in link and "02:4e:4c:00:02:00" in link and "mtu 1400" in link
    routes = (await both.nodes.execute(made, "client", ["ip", "route"])).stdout.decode()
    assert "10.9.0.0/16 via 10.0.0.2" in routes
    forward = await both.nodes.execute(made, "server", ["cat", "/proc/sys/net/ipv4/ip_forward"])
    assert forward.stdout == b"1\n"
    assert (await both.nodes.execute(made, "server", ["hostname"])).stdout == b"server\n"
    assert set(made.places) == {"client", "server"} and made.places["client"].netns.exists()


async def test_wires_are_quiet(both: Host) -> None:
    made = await both.build()
    await asyncio.sleep(1)
    for node in ("client", "server"):
        packets = await both.nodes.execute(made, node, ["cat", "/sys/class/net/eth0/statistics/rx_packets"])
        assert packets.stdout == b"0\n"


async def test_ipv6_without_solicitations_or_duplicate_detection(both: Host) -> None:
    written = lab(ipv6=True, nodes=[
        {"name": "client", "interfaces": [{"name": "eth0", "addresses": ["fd00::1/64"]}]},
        {"name": "server", "interfaces": [{"name": "eth0", "addresses": ["fd00::2/64"]}]},
    ])
    made = await both.build(written)
    assert (await both.nodes.execute(made, "client", [*PING, "fd00::2"])).exit_code == 0
    counters = (await both.nodes.execute(made, "client", ["cat", "/proc/net/snmp6"])).stdout.decode().split()
    assert counters[counters.index("Icmp6OutRouterSolicits") + 1] == "0"
    addresses = (await both.nodes.execute(made, "client", ["ip", "-6", "addr", "show", "dev", "eth0"])).stdout
    assert b"tentative" not in addresses


async def test_operator_reaches_a_node_by_name(both: Host) -> None:
    made = await both.build()
    ip = await asyncio.create_subprocess_exec(
        "ip", "-n", f"nl.{both.config.instance}.{made.run}.server", "-o", "addr", stdout=asyncio.subprocess.PIPE
    )
    assert b"10.0.0.2/24" in (await ip.communicate())[0]


async def test_links_go_down_and_up(both: Host) -> None:
    made = await both.build()
    await both.nodes.set_link(made, "server", "eth0", up=False)
    assert b"DOWN" in (await both.nodes.execute(made, "server", ["ip", "-br", "link", "show", "eth0"])).stdout
    await both.nodes.set_link(made, "server", "eth0", up=True)
    assert (await both.nodes.execute(made, "client", [*PING, "10.0.0.2"])).exit_code == 0
    with pytest.raises(OSError, match="No such device"):
        await both.nodes.set_link(made, "server", "eth9", up=False)


async def test_a_socket_is_of_the_node(both: Host) -> None:
    made = await both.build()
    with await both.nodes.open_socket(made, "client", socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("10.0.0.2", 9))
        assert sock.getsockname()[0] == "10.0.0.1"


async def test_an_unknown_node_is_explained(both: Host) -> None:
    made = await both.build()
    with pytest.raises(NetlabError) as refused:
        await both.nodes.execute(made, "nobody", ["true"])
    assert refused.value.code is ErrorCode.NODE_UNKNOWN and "client, server" in refused.value.hint


async def test_a_node_is_made_anew(both: Host) -> None:
    made = await both.build()
    await both.nodes.execute(made, "server", ["ip", "addr", "add", "10.7.7.7/32", "dev", "lo"])
    before = os.stat(made.places["server"].netns).st_ino
    async with Steps(SilentSink()) as steps:
        await both.nodes.reset_node(made, "server", steps)
        steps.keep()
    assert os.stat(made.places["server"].netns).st_ino != before
    assert b"10.7.7.7" not in (await both.nodes.execute(made, "server", ["ip", "addr"])).stdout
    assert (await both.nodes.execute(made, "client", [*PING, "10.0.0.2"])).exit_code == 0
    assert b"via 10.0.0.2" in (await both.nodes.execute(made, "client", ["ip", "route"])).stdout
    assert (await both.fresh().adopt(made.run, made.lab)) is not None


async def test_a_renamed_interface_does_not_stop_a_reset(both: Host) -> None:
    made = await both.build()
    for command in ("ip link set eth0 down", "ip link set eth0 name wan0"):
        assert (await both.nodes.execute(made, "client", command.split())).exit_code == 0
    async with Steps(SilentSink()) as steps:
        await both.nodes.reset_node(made, "client", steps)
        steps.keep()
    assert (await both.nodes.execute(made, "client", [*PING, "10.0.0.2"])).exit_code == 0


async def test_a_run_is_found_again(both: Host) -> None:
    made = await both.build()
    worker = NsWorker()
    try:
        nodes = make(both.kind, both.config, worker)
        assert await nodes.owned_runs() == {made.run}
        found = await nodes.adopt(made.run, made.lab)
        assert found is not None and found.places == made.places and found.lab_dir == made.lab_dir
        assert (await nodes.execute(found, "client", [*PING, "10.0.0.2"])).exit_code == 0
        assert await nodes.adopt(new_run_id(), made.lab) is None
        assert await nodes.leftovers({made.run}) == []
        kinds = {left.kind for left in await nodes.leftovers(set())}
        assert kinds >= {"folder", "mount", "netns"}
        await nodes.remove(made.run)
    finally:
        await worker.close()
    assert exists(both.config) == []


async def test_a_run_without_its_container_is_not_whole(sandboxed: Host) -> None:
    made = await sandboxed.build()
    os.kill(made.places["client"].init_pid, signal.SIGKILL)
    await Hierarchies.of_this_host().remove(f"netlab/{sandboxed.config.instance}/{made.run}/client")
    assert await sandboxed.fresh().adopt(made.run, made.lab) is None
    await sandboxed.nodes.remove(made.run)
    assert exists(sandboxed.config) == []


async def test_removal_is_whole_and_may_be_repeated(both: Host) -> None:
    made = await both.build()
    pids = [place.init_pid for place in made.places.values() if place.init_pid]
    await both.nodes.execute(made, "client", ["sleep", "1000"], background=True)
    await both.nodes.remove(made.run)
    assert exists(both.config) == []
    assert not any(map(_lives, pids))
    await both.nodes.remove(made.run)
    await both.nodes.remove(new_run_id())


def _lives(pid: int) -> bool:
    """A zombie does not: its parent has not looked yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_removal_of_what_was_half_removed(sandboxed: Host) -> None:
    """Whatever has gone already: the mounts, the containers' state, the names, the processes."""
    for halfway in (_without_mounts, _without_state, _without_names, _without_processes):
        made = await sandboxed.build()
        await halfway(sandboxed, made.run)
        assert made.run in await sandboxed.fresh().owned_runs()
        assert await sandboxed.fresh().leftovers(set()) != []
        await sandboxed.nodes.remove(made.run)
        assert exists(sandboxed.config) == [], halfway.__name__


async def _without_mounts(on: Host, run: str) -> None:
    umount = await asyncio.create_subprocess_exec("umount", "-l", str(on.config.run_dir / "runs" / run))
    assert await umount.wait() == 0


async def _without_state(on: Host, run: str) -> None:
    for path in sorted((on.config.run_dir / "crun").glob(f"{run}.*/*")):
        if path.is_file():
            path.unlink()


async def _without_names(on: Host, run: str) -> None:
    for path in Path("/run/netns").glob(f"nl.{on.config.instance}.{run}.*"):
        path.unlink()


async def _without_processes(on: Host, run: str) -> None:
    await Hierarchies.of_this_host().remove(f"netlab/{on.config.instance}/{run}")


async def test_a_create_that_fails_leaves_nothing(both: Host) -> None:
    bad = lab(nodes=[
        {"name": "client", "interfaces": [{"name": "eth0"}]},
        {"name": "server", "sysctls": {"net.ipv4.no_such_thing": 1}},
    ])
    with pytest.raises(FileNotFoundError):
        await both.build(bad)
    assert exists(both.config) == []
    await both.build()


async def test_a_root_file_system_without_an_init_leaves_nothing(tmp_path: Path) -> None:
    async with host("sandboxed", tmp_path, Path("/usr/share")) as broken:
        with pytest.raises(ContainerFailed):
            await broken.build()
        assert exists(broken.config) == []


async def test_a_missing_root_file_system_is_said_in_words(tmp_path: Path) -> None:
    async with host("sandboxed", tmp_path, Path("/no/such/tree")) as broken:
        with pytest.raises(NetlabError, match="the root file system of its nodes is missing") as failed:
            await broken.build()
        assert failed.value.code is ErrorCode.START_FAILED
        assert exists(broken.config) == []


async def test_a_create_that_is_cancelled_leaves_nothing(both: Host) -> None:
    for delay_ms in (0, 1, 2, 4, 8, 12, 16, 20, 25, 30, 40):
        building = asyncio.ensure_future(both.build())
        await asyncio.sleep(delay_ms / 1000)
        building.cancel()
        with suppress(asyncio.CancelledError):
            await both.nodes.remove((await building).run)  # it was quicker
        assert exists(both.config) == [], f"cancelled after {delay_ms} ms"


async def test_the_fork_server_is_started_again(both: Host) -> None:
    made = await both.build()
    first = both.worker.pid
    os.kill(first, signal.SIGSTOP)
    waiting = asyncio.ensure_future(both.nodes.set_link(made, "client", "eth0", True))
    await asyncio.sleep(0.05)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(WorkerDied):
        await waiting
    assert (await both.nodes.execute(made, "client", [*PING, "10.0.0.2"])).exit_code == 0
    assert both.worker.pid not in (0, first)


async def test_many_labs_at_once(both: Host) -> None:
    made = await asyncio.gather(*(both.build() for _ in range(6)))
    bases = {m.places["client"].uid_base for m in made}
    assert len(bases) == (6 if both.kind == "sandboxed" else 1)
    answers = await asyncio.gather(*(both.nodes.execute(m, "client", [*PING, "10.0.0.2"]) for m in made))
    assert all(answer.exit_code == 0 for answer in answers)
    await asyncio.gather(*(both.nodes.remove(m.run) for m in made))
    assert exists(both.config) == []


async def test_no_descriptor_is_left_open(both: Host) -> None:
    """Neither here nor in the fork server."""
    async def once() -> None:
        made = await both.build()
        await both.nodes.execute(made, "client", ["true"])
        os.close((await both.nodes.open_terminal(made, "client", 24, 80)).master)
        await both.nodes.remove(made.run)

    await once()
    before = [_descriptors(pid) for pid in (os.getpid(), both.worker.pid)]
    for _ in range(3):
        await once()

    def gone() -> bool:
        """What was closed a moment ago may still be there, then and now."""
        return all(_descriptors(pid) <= was for pid, was in zip((os.getpid(), both.worker.pid), before, strict=True))

    await until(gone, f"as few descriptors as after the first: {before}", 30)


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.parametrize("kind", ["runc", "overlay_by_host"])
async def test_the_other_ways_work_too(kind: str, tmp_path: Path) -> None:
    """A host without crun, and a kernel before 6.6."""
    async with host(kind, tmp_path) as other:
        made = await other.build()
        assert (await other.nodes.execute(made, "client", [*PING, "10.0.0.2"])).exit_code == 0
        shell = "rm -r /usr/share/bash-completion && echo new > /usr/share/bash-completion && cat /usr/share/bash-completion"
        assert (await other.nodes.execute(made, "client", ["sh", "-c", shell])).stdout == b"new\n"
        terminal = await other.nodes.open_terminal(made, "client", 24, 80)
        os.close(terminal.master)
        assert (await other.fresh().adopt(made.run, made.lab)) is not None
        async with Steps(SilentSink()) as steps:
            await other.nodes.reset_node(made, "client", steps)
            steps.keep()
        assert (await other.nodes.execute(made, "client", [*PING, "10.0.0.2"])).exit_code == 0


async def test_private_isolation_is_for_kernels_of_their_own(sandboxed: Host) -> None:
    with pytest.raises(ValueError, match="shared kernels"):
        await sandboxed.build(isolation=Isolation.PRIVATE)
    assert exists(sandboxed.config) == []


async def test_what_a_kill_left_of_the_shared_folder_is_tidied_up(sandboxed: Host) -> None:
    """The host was killed after it had made room for runs and before it made one."""
    assert isinstance(sandboxed.nodes, SandboxedNodes)
    base, run = sandboxed.config.run_dir, new_run_id()
    await sandboxed.worker.call(
        "make_run", base=str(base), run=run, mark=None, uid=0, lab_mb=1, lab_inodes=10, shared=True
    )
    for command in ("umount -l", "rmdir"):
        ended = await asyncio.create_subprocess_exec(*command.split(), str(base / "runs" / run))
        assert await ended.wait() == 0
    assert exists(sandboxed.config) == [f"mount {base}/runs"]
    await sandboxed.nodes.tidy()
    assert exists(sandboxed.config) == []
