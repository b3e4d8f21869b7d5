"""Page pools of a namespace's interfaces, as netdev-genl tells them: pages in flight, how they were got and given back.

Used by the node's slow reader. Source: Documentation/netlink/specs/netdev.yaml. A kernel without statistics of page pools
(CONFIG_PAGE_POOL_STATS) tells what is in flight; drivers that name no interface (veth) are told by events alone.
"""

import errno
import socket
from collections import defaultdict

from netlab.host.counters.readings import Slow
from netlab.host.kernel import genetlink

FAMILY = "netdev"
CMD_PAGE_POOL_GET, CMD_PAGE_POOL_STATS_GET = 5, 9
POOL_ID, POOL_IFINDEX, POOL_INFLIGHT, POOL_INFLIGHT_MEM = 1, 2, 4, 5
STATS_INFO = 1
POOL_COUNTERS = (("page_pools", "1"), ("page_pool_pages_in_flight", "1"), ("page_pool_bytes_in_flight", "bytes"))
STATS_COUNTERS = (
    (8, "page_pool_alloc_fast"), (9, "page_pool_alloc_slow"), (11, "page_pool_alloc_empty"), (12, "page_pool_alloc_refill"),
    (13, "page_pool_alloc_waived"), (14, "page_pool_recycle_cached"), (15, "page_pool_recycle_cache_full"),
    (16, "page_pool_recycle_ring"), (17, "page_pool_recycle_ring_full"), (18, "page_pool_recycle_released"),
)
REFUSED = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOENT})
"""EINVAL: the kernel's family is older than this command."""


class PoolReader:
    def __init__(self) -> None:
        self._family: int | None = None
        self._has_pools = self._has_stats = True

    def read(self, sock: socket.socket, names: dict[int, str]) -> list[Slow]:
        """`sock`: generic netlink of the namespace; `names`: shown interfaces by index. Raises OSError."""
        if not self._has_pools or self._family_of(sock) is None:
            return []
        pools: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
        for pool in self._ask(sock, CMD_PAGE_POOL_GET):
            said = dict(genetlink.attributes(pool))
            sums = pools[_number(said.get(POOL_IFINDEX, b""))]
            for at, value in enumerate((1, _number(said.get(POOL_INFLIGHT, b"")), _number(said.get(POOL_INFLIGHT_MEM, b"")))):
                sums[at] += value
        stats = self._stats(sock) if pools else {}
        found = []
        for index, sums in pools.items():
            if index in names:
                more = stats.get(index, {})
                counters = POOL_COUNTERS + tuple((name, "1") for number, name in STATS_COUNTERS if number in more)
                values = (*sums, *(more[number] for number, _ in STATS_COUNTERS if number in more))
                found.append(Slow(names[index], "page_pool", counters, values))
        return found

    def _stats(self, sock: socket.socket) -> dict[int, dict[int, int]]:
        """{interface: {attribute: sum over its pools}}"""
        found: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        for answer in self._ask(sock, CMD_PAGE_POOL_STATS_GET) if self._has_stats else ():
            said = dict(genetlink.attributes(answer))
            index = _number(dict(genetlink.attributes(said.get(STATS_INFO, b""))).get(POOL_IFINDEX, b""))
            for number, _ in STATS_COUNTERS:
                if number in said:
                    found[index][number] += _number(said[number])
        return {index: dict(sums) for index, sums in found.items()}

    def _family_of(self, sock: socket.socket) -> int | None:
        if self._family is None:
            self._family = genetlink.family_id(sock, FAMILY)
            self._has_pools = self._family is not None
        return self._family

    def _ask(self, sock: socket.socket, command: int) -> list[bytes]:
        assert self._family is not None
        try:
            return genetlink.request(sock, self._family, command, b"", dump=True)
        except OSError as error:
            if error.errno not in REFUSED:
                raise
            if command == CMD_PAGE_POOL_GET:
                self._has_pools = False
            else:
                self._has_stats = False
            return []


def _number(value: bytes) -> int:
    return int.from_bytes(value, "little")
