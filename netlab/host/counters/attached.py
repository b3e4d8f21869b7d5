"""How often each attached BPF program has run and how long that took, by interface and hook.

Used by the node's slow reader while somebody looks; the kernel counts only while the sampler holds `StatsSwitch`. It loads
nothing and takes nothing off. Source: bpf(2) (BPF_ENABLE_STATS, BPF_OBJ_GET_INFO_BY_FD), include/uapi/linux/bpf.h.
"""

import errno
import logging
import os
import socket

from netlab.host.counters.readings import Slow
from netlab.host.kernel import bpf
from netlab.host.kernel.netlink_dump import (
    IFLA_XDP_DRV_PROG_ID,
    IFLA_XDP_HW_PROG_ID,
    IFLA_XDP_SKB_PROG_ID,
    Link,
    bpf_classifiers,
    number,
)
from netlab.host.kernel.syscalls import inside_netns
from netlab.host.kernel.tc_filters import PARENTS

log = logging.getLogger(__name__)

PROGRAMS_MAX = 16
XDP_MODES = {IFLA_XDP_DRV_PROG_ID: "xdp", IFLA_XDP_SKB_PROG_ID: "xdp generic", IFLA_XDP_HW_PROG_ID: "xdp offload"}
PROGRAM_COUNTERS = (("program_runs", "1"), ("program_ns", "ns"))
NO_CLSACT = frozenset({errno.EINVAL, errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV})


class StatsSwitch:
    """Makes the kernel measure its programs, all of the machine's, for as long as it is on: some 20 ns a run."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._refused = False

    def turn(self, on: bool) -> None:
        if on and self._descriptor < 0 and not self._refused:
            try:
                self._descriptor = bpf.enable_stats()
            except OSError as error:
                self._refused = True
                log.warning("runs of BPF programs cannot be counted here: %s", error)
        elif not on and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class ProgramReader:
    def __init__(self, netns: str) -> None:
        self._netns = netns

    def read(self, route: socket.socket, links: list[Link], classful: set[int], shown: set[str]) -> list[Slow]:
        """`route`: rtnetlink of the namespace; `classful`: interfaces with a clsact or ingress qdisc. Raises OSError."""
        there = [link for link in links if link.name in shown]
        attached = [
            (f"{link.name} {words}", number(link.xdp[at])) for link in there for at, words in XDP_MODES.items() if at in link.xdp
        ]
        for link in there:
            if link.index in classful:
                attached += [(f"{link.name} tc-{way}", one) for way in PARENTS for one in _classifiers(route, link.index, way)]
        attached += self._tcx(there)
        return [slow for place, program in attached[:PROGRAMS_MAX] for slow in _counted(place, program)]

    def has_tcx(self, indexes: list[int]) -> bool:
        """Whether any of these interfaces has one, or has gone: then it is time to look at all. Raises OSError."""
        with inside_netns(self._netns):
            try:
                return any(bpf.tcx_programs(index, hook) for index in indexes for hook in bpf.TCX)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return True
                raise

    def _tcx(self, links: list[Link]) -> list[tuple[str, int]]:
        found = []
        with inside_netns(self._netns):
            for link in links:
                for hook in bpf.TCX:
                    found += [(f"{link.name} {hook}", program) for program, _ in bpf.tcx_programs(link.index, hook)]
        return found


def _classifiers(route: socket.socket, index: int, way: str) -> list[int]:
    try:
        return bpf_classifiers(route, index, PARENTS[way])
    except OSError as error:
        if error.errno in NO_CLSACT:
            return []
        raise


def _counted(place: str, program: int) -> list[Slow]:
    """None for one that has gone meanwhile."""
    try:
        name, runs, nanoseconds = bpf.program_runs(program)
    except FileNotFoundError:
        return []
    return [Slow(f"{place} {name or f'#{program}'}", "program", PROGRAM_COUNTERS, (runs, nanoseconds))]
