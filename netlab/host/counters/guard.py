"""The storm guard's judgement: is an interface flooded? Pure; fed by the sampler, acted upon by the engine.

A bridge loop, or XDP_TX on both ends of a link, burns softirq time that no cgroup is charged for; so whoever reads the
counters anyway also looks at the rate. It never touches a device itself.
"""

from dataclasses import dataclass, field

from netlab.host.counters.reader import DeviceCounters

CHECK_EVERY_S = 0.5
SAMPLES = 2
"""A rate above the limit in so many samples running is a storm; one alone may be a burst of a benchmark."""
AGAIN_SAMPLES = 10
"""A storm that goes on is told again after so many samples: setting the link down may have failed."""


@dataclass(frozen=True)
class Storm:
    device: bytes
    pps: int


@dataclass
class StormGuard:
    """One node's interfaces. Give it every sample that is at least CHECK_EVERY_S after the last."""

    limit_pps: int
    _at: float = 0.0
    _packets: dict[bytes, int] = field(default_factory=dict)
    _hot: dict[bytes, int] = field(default_factory=dict)

    def judge(self, devices: dict[bytes, DeviceCounters], at: float) -> list[Storm]:
        """The interfaces that have just become flooded. `at` is a monotonic clock's seconds."""
        packets = {name: c.rx_packets + c.tx_packets for name, c in devices.items()}
        last, elapsed_s = self._packets, at - self._at
        self._packets, self._at = packets, at
        storms, hot = [], {}
        for name, count in packets.items():
            if name not in last or elapsed_s <= 0:
                continue
            pps = (count - last[name]) / elapsed_s
            if pps > self.limit_pps:
                hot[name] = self._hot.get(name, 0) + 1
                if hot[name] % AGAIN_SAMPLES == SAMPLES:
                    storms.append(Storm(name, int(pps)))
        self._hot = hot
        return storms
