"""What the kernel's packet softirqs count on each processor: for a lab that has its kernel to itself.

Used by the lab's sampler in a guest, once a second while somebody looks. On a host these numbers are everybody's.
"""

from netlab.host.counters.readings import Slow
from netlab.host.kernel.machine_load import softnet_by_processor

CPUS_MAX = 8
SOFTNET_COUNTERS = (("softnet_processed", "packets"), ("softnet_dropped", "packets"), ("softnet_squeezed", "1"))
"""Packets handled, dropped because the backlog was full, rounds ended with work left."""


def softnet() -> list[Slow]:
    """One object a processor. Raises OSError."""
    return [
        Slow(f"cpu{at}", "softnet", SOFTNET_COUNTERS, (one.processed, one.dropped, one.squeezed))
        for at, one in enumerate(softnet_by_processor()[:CPUS_MAX])
    ]
