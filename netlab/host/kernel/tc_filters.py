"""tc filters as the kernel dumps them: their classifier, whether hardware carries them out, their first action and its hits.

Used by checks, with a route socket made inside a node. Constants: include/uapi/linux/{pkt_cls,gen_stats,tc_act/*}.h.
"""

import socket
import struct
from dataclasses import dataclass

from netlab.host.kernel.netlink_dump import TCA_KIND, TCA_OPTIONS, TCMSG, attributes, filters

PARENTS = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}
FLAGS_AND_ACTIONS = {"flower": (22, 3), "matchall": (3, 2), "u32": (11, 7), "bpf": (9, 1)}
"""Classifier -> attribute of its flags and of its actions."""
TCA_CLS_FLAGS_IN_HW = 1 << 2
TCA_ACT_KIND, TCA_ACT_OPTIONS, TCA_ACT_STATS = 1, 2, 4
TCA_ACT_PARMS = 2
"""TCA_GACT_PARMS, TCA_MIRRED_PARMS: both 2."""
TCA_STATS_BASIC, TCA_STATS_BASIC_HW, TCA_STATS_PKT64 = 1, 7, 8
GACT_WORDS = {0: "pass", 2: "drop", 8: "trap"}
MIRRED_WORDS = {1: "redirect", 2: "mirror", 3: "redirect", 4: "mirror"}

_GENERIC = struct.Struct("=IIiII")
_BASIC = struct.Struct("=QI")


@dataclass(frozen=True)
class Filter:
    """`action` is '' for none that has a word here. `packets` counts software and hardware together."""

    classifier: str
    in_hw: bool
    action: str
    packets: int
    hw_packets: int


def filters_of(sock: socket.socket, index: int, direction: str) -> list[Filter]:
    """Raises OSError(EINVAL, ENOENT) where there is no clsact or ingress qdisc."""
    found = []
    for answer in filters(sock, index, PARENTS[direction]):
        said = attributes(answer[TCMSG.size :])
        kind, options = said.get(TCA_KIND, b"").rstrip(b"\0").decode(errors="replace"), attributes(said.get(TCA_OPTIONS, b""))
        flags_at, actions_at = FLAGS_AND_ACTIONS.get(kind, (0, 0))
        if not options:
            continue  # a head without a filter
        flags = int.from_bytes(options.get(flags_at, b""), "little")
        actions = attributes(options.get(actions_at, b""))
        first = attributes(actions[min(actions)]) if actions else {}
        packets, in_hw_packets = _hits(first)
        found.append(Filter(kind, bool(flags & TCA_CLS_FLAGS_IN_HW), _word(first), packets, in_hw_packets))
    return found


def _word(action: dict[int, bytes]) -> str:
    kind = action.get(TCA_ACT_KIND, b"").rstrip(b"\0").decode(errors="replace")
    parameters = attributes(action.get(TCA_ACT_OPTIONS, b"")).get(TCA_ACT_PARMS, b"")
    if kind == "gact" and len(parameters) >= _GENERIC.size:
        return GACT_WORDS.get(_GENERIC.unpack_from(parameters)[2], "")
    if kind == "mirred" and len(parameters) >= _GENERIC.size + 4:
        return MIRRED_WORDS.get(struct.unpack_from("=i", parameters, _GENERIC.size)[0], "")
    return kind


def _hits(action: dict[int, bytes]) -> tuple[int, int]:
    """(all, in hardware). Counts beyond 32 bits come beside the old ones."""
    stats = attributes(action.get(TCA_ACT_STATS, b""))
    packets, hardware = (_BASIC.unpack_from(stats[k])[1] if k in stats else 0 for k in (TCA_STATS_BASIC, TCA_STATS_BASIC_HW))
    if TCA_STATS_PKT64 in stats:
        packets = int.from_bytes(stats[TCA_STATS_PKT64], "little")
    return packets, hardware
