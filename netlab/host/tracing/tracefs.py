"""netlab's own corner of a guest's ftrace: which functions may be traced, a tracefs instance that is made, turned on and removed.

Used by `graph_process`, which traces, and by `function_trace`, which searches and clears up. Whoever has this kernel may use
ftrace, too: nothing outside the instance is ever written, only read.
"""

import os
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

TRACEFS = Path("/sys/kernel/tracing")
INSTANCE = TRACEFS / "instances" / "netlab-trace"
FTRACE_ENABLED = Path("/proc/sys/kernel/ftrace_enabled")
NET_BEGINS, NET_IS_OVER = "devm_register_netdev", "pcibios_align_resource"
"""The linker puts what is in net/ into one piece: net/devres.c is its first file, arch/x86/pci/ follows it."""
DRIVERS = (
    "bond_", "ifb_", "ipvlan_", "loopback_", "macsec_", "macvlan_", "macvtap_", "netkit_", "tap_", "team_", "tun_", "veth_",
    "virtnet_", "vrf_", "vxlan_", "wg_", "geneve_",
)
NOT_OF_A_PACKETS_WAY = (
    "__bpf_trace_", "__probestub_", "__traceiter_", "bpf_trace_", "perf_trace_", "trace_", "ethnl_", "netdev_nl_", "devlink_",
    "netdev_genl_", "nl80211_", "cfg80211_",
)
"""Names' beginnings. What only tools ask for need not be patched while packets are followed."""
FOUND_MAX = 60
BUFFER_KIB = 2048
"""Of all processors together: a guest may have few memory."""
REMOVED_WITHIN_S, TRY_AGAIN_S = 3.0, 0.05


@dataclass(frozen=True)
class Function:
    name: str
    number: int
    """Its line in available_filter_functions, which the kernel takes instead of its name: finding ten thousand names is slow."""
    address: int


class Taken(Exception):
    """Somebody uses what holds for all function graphs of this kernel; the text says what, and how it is given back."""


def traceable(tracefs: Path = TRACEFS) -> Iterator[Function]:
    """What is followed below a start: the network stack, its drivers, all modules. Raises OSError."""
    with (tracefs / "available_filter_functions_addrs").open() as lines:
        there = list(_read(lines))
    (begins,) = [f.address for f, _ in there if f.name == NET_BEGINS] or [0]
    (is_over,) = [f.address for f, _ in there if f.name == NET_IS_OVER] or [0]
    for function, is_module in there:
        is_of_net = begins <= function.address < is_over or is_module or function.name.startswith(DRIVERS)
        if is_of_net and not function.name.startswith(NOT_OF_A_PACKETS_WAY):
            yield function


def _read(lines: Iterable[str]) -> Iterator[tuple[Function, bool]]:
    for number, line in enumerate(lines, 1):
        address, name, *module = line.split()
        yield Function(name, number, int(address, 16)), bool(module)


def named(functions: Iterable[Function], name: str) -> list[Function]:
    """Those of this name, else what the compiler has made of it: `NAME.constprop.0`, `NAME.isra.0`."""
    known = list(functions)
    return [f for f in known if f.name == name] or [f for f in known if f.name.startswith(name + ".")]


@lru_cache(1)
def _names() -> tuple[str, ...]:
    return tuple(sorted({function.name for function in traceable()}))


def find(search: str) -> tuple[list[str], int]:
    """Names in which each word is, and how many more there are; names that begin with the first word come first."""
    words = search.lower().split()
    if not words:
        return [], len(_names())
    found = [name for name in _names() if all(word in name.lower() for word in words)]
    found.sort(key=lambda name: (not name.lstrip("_").lower().startswith(words[0].lstrip("_")), len(name), name))
    return found[:FOUND_MAX], max(0, len(found) - FOUND_MAX)


def check_free(tracefs: Path = TRACEFS, enabled: Path = FTRACE_ENABLED) -> None:
    """Raises Taken. These files hold for every function graph of a kernel, in whichever instance (Linux 6.12)."""
    chosen = [line for line in (tracefs / "set_graph_function").read_text().splitlines() if line and not line.startswith("#")]
    if chosen:
        raise Taken(
            f"set_graph_function is set in this machine ({chosen[0]}): every function graph shows that alone."
            " Empty it: echo > /sys/kernel/tracing/set_graph_function"
        )
    for name, neutral in (("max_graph_depth", "0"), ("tracing_thresh", "0")):
        value = (tracefs / name).read_text().strip()
        if value != neutral:
            raise Taken(
                f"{name} is {value} in this machine, which holds for every function graph."
                f" Put it back: echo {neutral} > /sys/kernel/tracing/{name}"
            )
    if enabled.read_text().strip() == "0":
        raise Taken("ftrace is off in this machine. Turn it on: sysctl kernel.ftrace_enabled=1")


class Instance:
    """Made by `open`, removed by `clear`. Off until `turn(True)`."""

    def __init__(self, path: Path = INSTANCE) -> None:
        self._path = path

    def open(self, numbers: Iterable[int]) -> list[int]:
        """Its tracer set, for these functions alone; a descriptor of each processor's buffer. Raises OSError."""
        clear(self._path)
        self._path.mkdir()
        self._write("tracing_on", "0")
        self._write("trace_options", "overwrite")  # the newest stays; that something was lost is told in its place
        processors = sorted(self._path.glob("per_cpu/cpu*"))
        self._write("buffer_size_kb", str(BUFFER_KIB // len(processors)))
        chosen = os.open(self._path / "set_ftrace_filter", os.O_WRONLY | os.O_TRUNC)
        try:
            for number in numbers:
                os.write(chosen, b"%d " % number)
        finally:
            os.close(chosen)
        self._write("current_tracer", "function_graph")
        return [os.open(processor / "trace_pipe_raw", os.O_RDONLY | os.O_NONBLOCK) for processor in processors]

    def turn(self, on: bool) -> None:
        self._write("tracing_on", "1" if on else "0")

    def _write(self, name: str, value: str) -> None:
        (self._path / name).write_text(value)


def clear(path: Path = INSTANCE) -> None:
    """Nothing of ours is traced when this returns, whoever has left it. Raises OSError when somebody keeps a file of it open."""
    if not path.exists():
        return
    for name, value in (("tracing_on", "0"), ("current_tracer", "nop"), ("set_ftrace_filter", "")):
        with suppress(OSError):
            (path / name).write_text(value)
    deadline = time.monotonic() + REMOVED_WITHIN_S
    while True:
        try:
            return path.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(TRY_AGAIN_S)


class Names:
    """What is at an address."""

    def __init__(self, functions: Iterable[Function]) -> None:
        known = sorted((f.address, f.name) for f in functions)
        self._addresses, self._names = [a for a, _ in known], [n for _, n in known]

    def at(self, address: int) -> str:
        """An address within it is it, too. An address before all of them has no name."""
        place = bisect_left(self._addresses, address + 1) - 1
        return self._names[place] if place >= 0 else f"{address:x}"
