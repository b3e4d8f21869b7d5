"""What the kernel's reasons for dropping a packet mean, in plain words. Pure; used by the sampler and the help page.

A drop's name is the kernel's own (`enum skb_drop_reason`), or, where the kernel gives none, that of the place it happened at.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from netlab.domain.drop_words import IP_WORDS, LINK_WORDS, SOCKET_WORDS
from netlab.domain.drop_words_tcp import TCP_WORDS

NOT_SPECIFIED = "NOT_SPECIFIED"
OTHER = "OTHER"
AT = "NOT_SPECIFIED at "
XDP_DROP, XDP_GENERIC_DROP = "XDP_DROP", "XDP_GENERIC_DROP"
GENERIC_XDP_PLACES = frozenset({"do_xdp_generic", "netif_receive_generic_xdp", "bpf_prog_run_generic_xdp"})
"""Whichever of them the compiler has kept."""
PLACES = {
    "veth_xdp_rcv_skb": XDP_DROP, "veth_xdp_rcv": XDP_DROP, "veth_poll": XDP_DROP,
    **dict.fromkeys(GENERIC_XDP_PLACES, XDP_GENERIC_DROP),
}
"""Kernel functions that drop without a reason, and what that means."""
HIDDEN = frozenset({("NO_SOCKET", "ping_rcv"), ("NO_SOCKET", "icmp_rcv"), (NOT_SPECIFIED, "ip6_mc_input")})
"""What happens all the time and is no loss: every echo reply is offered to ping sockets (older kernels, 6.12 among
them, give it up one function later); IPv6 multicast that nobody joined."""
NO_DROPS = frozenset({"SKB_NOT_DROPPED_YET", "SKB_CONSUMED", "MAX", "SUBSYS_MASK"})
"""Values of the enum that say no reason."""

XDP_WORDS = {
    XDP_DROP: ("an XDP program dropped it (native)", "Its answer was XDP_DROP or XDP_ABORTED. The interface's XDP actions are"
        " counted beside; XDP_ABORTED shows as an XDP exception, too."),
    XDP_GENERIC_DROP: ("an XDP program dropped it (generic)", "Its answer was XDP_DROP or XDP_ABORTED. In generic mode the"
        " packet had been received like any other before it was judged."),
}
KERNEL_WORDS = {
    NOT_SPECIFIED: ("the kernel gives no reason", "The place in the kernel where it was dropped does not say why. The"
        " function's name is shown beside; its source is the next place to look."),
    OTHER: ("other reasons", "There were more different reasons, places and interfaces than are listed one by one for a node."),
}


@dataclass(frozen=True)
class Family:
    """Reasons that belong together on the page."""

    title: str
    words: Mapping[str, tuple[str, str]]


FAMILIES = (
    Family("XDP", XDP_WORDS),
    Family("Link, queues and devices", LINK_WORDS),
    Family("IP and neighbours", IP_WORDS),
    Family("Sockets", SOCKET_WORDS),
    Family("TCP", TCP_WORDS),
    Family("Without a reason", KERNEL_WORDS),
)
_WORDS = {name: words for family in FAMILIES for name, words in family.words.items()}


def is_hidden(reason: str, place: str) -> bool:
    """Not a loss that anybody wants to hear of."""
    return reason in NO_DROPS or (reason, place) in HIDDEN


def drop_name(reason: str, place: str) -> str:
    """The counter's name: the reason, or without one the place."""
    if reason != NOT_SPECIFIED:
        return reason
    return PLACES.get(place) or (AT + place if place else NOT_SPECIFIED)


def label(name: str) -> str:
    """A few plain words; of a reason that a newer kernel has, its own name read aloud."""
    if name.startswith(AT):
        return f"no reason given, in {name.removeprefix(AT)}()"
    words = _WORDS.get(name)
    return words[0] if words else name.replace("_", " ").lower()
