"""What devlink counts in a namespace: packets that a device has trapped, and how full its tables are.

Used by the node's slow reader where there are devlink devices. Source: Documentation/netlink/specs/devlink.yaml,
Documentation/networking/devlink/devlink-trap.rst. It sets nothing.
"""

import errno
import socket

from netlab.host.counters.readings import Slow
from netlab.host.kernel import genetlink
from netlab.host.kernel.netlink import attribute

FAMILY = "devlink"
CMD_GET, CMD_RESOURCE_DUMP, CMD_TRAP_GET = 1, 36, 61
BUS_NAME, DEV_NAME, STATS, TRAP_NAME = 1, 2, 129, 130
STATS_RX_PACKETS, STATS_RX_BYTES, STATS_RX_DROPPED = 0, 1, 2
RESOURCE_LIST, RESOURCE, RESOURCE_NAME, RESOURCE_SIZE, RESOURCE_OCC = 63, 64, 65, 67, 74
TRAP_COUNTERS = (("trap_packets", "packets"), ("trap_bytes", "bytes"))
RESOURCE_COUNTERS = (("resource_used", "1"), ("resource_size", "1"))
TRAPS_MAX, RESOURCES_MAX, DEVICES_MAX, DEPTH_MAX = 24, 12, 4, 4
GONE = frozenset({errno.ENODEV, errno.EOPNOTSUPP, errno.ENOENT})


class TrapReader:
    def __init__(self) -> None:
        self._family: int | None = None
        self._looked = False

    def read(self, sock: socket.socket) -> list[Slow]:
        """`sock`: generic netlink of the namespace. Raises OSError."""
        if not self._looked:
            self._looked, self._family = True, genetlink.family_id(sock, FAMILY)
        if self._family is None:
            return []
        devices = [dict(genetlink.attributes(a)) for a in genetlink.request(sock, self._family, CMD_GET, b"", dump=True)]
        if not devices:
            return []
        found = self._traps(sock)
        for device in devices[:DEVICES_MAX]:
            found += self._resources(sock, device[BUS_NAME], device[DEV_NAME])
        return found

    def _traps(self, sock: socket.socket) -> list[Slow]:
        """Those that have caught something."""
        found = []
        for answer in self._ask(sock, CMD_TRAP_GET, b"", dump=True):
            said = dict(genetlink.attributes(answer))
            stats = dict(genetlink.attributes(said.get(STATS, b"")))
            packets, octets = _number(stats.get(STATS_RX_PACKETS, b"")), _number(stats.get(STATS_RX_BYTES, b""))
            if packets and TRAP_NAME in said:
                name = f"{_name(said)} {_text(said[TRAP_NAME])}"
                found.append(Slow(name, "devlink_trap", TRAP_COUNTERS, (packets, octets)))
        return found[:TRAPS_MAX]

    def _resources(self, sock: socket.socket, bus: bytes, device: bytes) -> list[Slow]:
        """Those that say how much of them is used."""
        which = attribute(BUS_NAME, bus) + attribute(DEV_NAME, device)
        found: list[Slow] = []
        for answer in self._ask(sock, CMD_RESOURCE_DUMP, which):
            said = dict(genetlink.attributes(answer))
            prefix = _name({BUS_NAME: bus, DEV_NAME: device})
            found += _tree(said.get(RESOURCE_LIST, b""), prefix, "")
        return found[:RESOURCES_MAX]

    def _ask(self, sock: socket.socket, command: int, body: bytes, *, dump: bool = False) -> list[bytes]:
        assert self._family is not None
        try:
            return genetlink.request(sock, self._family, command, body, dump=dump)
        except OSError as error:
            if error.errno in GONE:
                return []
            raise


def _tree(resources: bytes, prefix: str, path: str, depth: int = 0) -> list[Slow]:
    found = []
    for kind, value in genetlink.attributes(resources):
        if kind != RESOURCE:
            continue
        said = dict(genetlink.attributes(value))
        name = f"{path}/{_text(said.get(RESOURCE_NAME, b''))}"
        if RESOURCE_OCC in said:
            values = _number(said[RESOURCE_OCC]), _number(said.get(RESOURCE_SIZE, b""))
            found.append(Slow(f"{prefix} {name}", "devlink_resource", RESOURCE_COUNTERS, values))
        if RESOURCE_LIST in said and depth < DEPTH_MAX:
            found += _tree(said[RESOURCE_LIST], prefix, name, depth + 1)
    return found


def _name(said: dict[int, bytes]) -> str:
    return f"{_text(said.get(BUS_NAME, b''))}/{_text(said.get(DEV_NAME, b''))}"


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _number(value: bytes) -> int:
    return min(int.from_bytes(value, "little"), 1 << 62)
