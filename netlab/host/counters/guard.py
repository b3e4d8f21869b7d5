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
        if not last or elapsed_s <= 0:
            return []
        most = self.limit_pps * elapsed_s
        fast = [name for name, count in packets.items() if count - last.get(name, 0) > most]
        if not fast:
            self._hot = {}
            return []
        # a new name with a full counter is a device that was renamed: it inherits the judgement of those that have gone
        inherited = max((hot for name, hot in self._hot.items() if name not in packets), default=0)
        storms, hot_now = [], {}
        for name in fast:
            renamed = name not in last
            pps = (packets[name] - last.get(name, 0)) / elapsed_s
            hot = hot_now[name] = (inherited if renamed else self._hot.get(name, 0)) + 1
            if hot % AGAIN_SAMPLES == SAMPLES or (renamed and hot > SAMPLES):
                storms.append(Storm(name, int(pps)))
        self._hot = hot_now
        return storms
