"""What a node may use up is its own: bombs of every kind end inside, and the neighbour does not notice."""

import asyncio
import os

import pytest

from netlab.domain.lab import Isolation
from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.nodes.api import ExecResult, RunNodes
from netlab.host.sandbox import delegation
from tests.kernel.kit import Host

pytestmark = pytest.mark.kernel

CAP_BPF = 39

BUILD = "clang -O2 -g -target bpf -I/usr/include/$(uname -m)-linux-gnu -c p.c -o p.o"
PROGRAM = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, __u32); __type(value, __u64); } seen SEC(".maps");
SEC("xdp") int count(struct xdp_md *c)
{
	__u32 k = 1;
	__u64 *v = bpf_map_lookup_elem(&seen, &k);
	if (v)
		*v += 1;
	return XDP_PASS;
}
SEC("tc") int look(struct __sk_buff *skb) { return 0; }
char _license[] SEC("license") = "GPL";
"""


async def sh(on: Host, made: RunNodes, node: str, script: str, timeout_s: float = 60) -> ExecResult:
    return await on.nodes.execute(made, node, ["sh", "-c", script], timeout_s=timeout_s)


async def neighbour_is_well(on: Host, made: RunNodes) -> None:
    assert (await on.nodes.execute(made, "server", ["echo", "well"], timeout_s=30)).stdout == b"well\n"


async def test_fork_bomb(sandboxed: Host) -> None:
    made = await sandboxed.build()
    before = len(os.listdir("/proc"))
    bomb = "i=0; while [ $i -lt 400 ]; do sleep 60 & i=$((i+1)); done 2>/dev/null"
    await sandboxed.nodes.execute(made, "client", ["bash", "-c", bomb], background=True)
    await asyncio.sleep(1.5)
    assert len(sandboxed_pids(sandboxed, made, "client")) <= 128
    assert len(os.listdir("/proc")) < before + 300
    await neighbour_is_well(sandboxed, made)


async def test_memory_bomb(sandboxed: Host) -> None:
    made = await sandboxed.build()
    done = await sh(sandboxed, made, "client", "exec head -c 2000000000 /dev/zero | tail -c 2000000000 | wc -c", 30)
    assert done.stdout.strip() != b"2000000000"
    await neighbour_is_well(sandboxed, made)
    assert (await sh(sandboxed, made, "client", "echo well")).stdout == b"well\n", "the node's init was killed"


async def test_disk_bomb(sandboxed: Host) -> None:
    made = await sandboxed.build()
    for path, limit_mb in (("/root/big", 64), ("/dev/shm/big", 16), ("/run/big", 4)):
        script = f"dd if=/dev/zero of={path} bs=1M count=200 2>&1; stat -c %s {path}; rm {path}"
        done = await sh(sandboxed, made, "client", script)
        assert b"No space left" in done.stdout and int(done.stdout.split()[-1]) <= limit_mb << 20, path
    many = await sh(sandboxed, made, "client", "cd /root && seq 25000 | xargs touch; ls | wc -l; ls | xargs rm", 60)
    assert int(many.stdout.split()[-1]) < 20_000


async def test_descriptors_are_limited(sandboxed: Host) -> None:
    made = await sandboxed.build()
    limits = (await sh(sandboxed, made, "client", "ulimit -Hn; ulimit -c; cat /proc/self/status")).stdout.decode()
    assert limits.splitlines()[:2] == ["4096", "0"]
    assert "NoNewPrivs:\t1" in limits and "Seccomp:\t2" in limits


async def test_cpu_is_limited(sandboxed: Host) -> None:
    made = await sandboxed.build()
    hog = "timeout 1 sh -c 'while :; do :; done'"
    done = await sh(sandboxed, made, "client", f"date +%s.%N; {hog} & {hog}; wait; date +%s.%N; times")
    began, ended, *times = done.stdout.decode().split()
    used = sum(float(part.rstrip("s").partition("m")[2]) for part in times[2:])
    late_s = max(float(ended) - float(began) - 1, 0)  # whoever ends them late lets them go on at half a core
    assert used < 0.9 + late_s / 2, f"two busy loops of 1 s (and {late_s} s) used {used} s at a quota of half a core"


def sandboxed_pids(on: Host, made: RunNodes, node: str) -> set[int]:
    return Hierarchies.of_this_host().pids(f"netlab/{on.config.instance}/{made.run}/{node}")


@pytest.mark.parametrize("isolation", [Isolation.STRANGERS, Isolation.TRUSTED])
async def test_the_real_bpf_tools_work(sandboxed: Host, isolation: Isolation) -> None:
    made = await sandboxed.build(isolation=isolation)
    (made.lab_dir / "p.c").write_text(PROGRAM)
    assert (await sh(sandboxed, made, "server", BUILD)).exit_code == 0

    for script, expected in (
        ("ip link set dev eth0 xdp obj p.o sec xdp && ip link show eth0", b"prog/xdp"),
        ("ip link set dev eth0 xdp off; ip link show eth0", b"state UP"),
        ("bpftool prog load p.o /sys/fs/bpf/p type xdp pinmaps /sys/fs/bpf 2>&1; ls /sys/fs/bpf", b"seen"),
        ("tc qdisc add dev eth0 clsact && tc filter add dev eth0 ingress bpf da obj p.o sec tc", b""),
        ("tc filter show dev eth0 ingress", b"direct-action"),
    ):
        done = await sh(sandboxed, made, "server", script)
        assert done.exit_code == 0 and expected in done.stdout, (script, done)


async def test_maps_are_charged_to_the_node(sandboxed: Host) -> None:
    made = await sandboxed.build()
    (made.lab_dir / "p.c").write_text(PROGRAM.replace("max_entries, 4", "max_entries, 100000000"))
    assert (await sh(sandboxed, made, "client", BUILD)).exit_code == 0
    done = await sh(sandboxed, made, "client", "ip link set dev eth0 xdp obj p.o sec xdp")
    assert done.exit_code != 0 and b"Cannot allocate memory" in done.stderr


async def test_a_kernel_without_tokens_gives_no_bpf_at_all(sandboxed: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """As before Linux 6.9: the kernel refuses to make a BPF file system that delegates."""
    monkeypatch.setattr(delegation, "options", lambda isolation: {"delegate_cmds": "no_such_command"})
    made = await sandboxed.build()
    assert [place.bpffs for place in made.places.values()] == [None, None]
    assert (await sh(sandboxed, made, "client", "ping -c1 -w30 10.0.0.2")).exit_code == 0
    status = (await sh(sandboxed, made, "client", "grep CapBnd /proc/self/status")).stdout.split()[1]
    assert not int(status, 16) >> CAP_BPF & 1
    denied = await sh(sandboxed, made, "client", "bpftool map create /sys/fs/bpf/m type array key 4 value 4 entries 1 name m")
    assert denied.exit_code != 0 and b"Operation not permitted" in denied.stdout + denied.stderr
