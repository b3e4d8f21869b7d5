"""How fast a guest may speak: a token bucket that says how long to wait. Used by the reader of a port, who then reads nothing,
so that a guest that says too much holds up itself and not the host."""

import time


class Bucket:
    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s, self._burst = per_s, burst
        self._level = burst
        self._at = time.monotonic()

    def wait_for(self, cost: float) -> float:
        """Take `cost` and return after how many seconds it is paid for; 0 while the burst lasts."""
        now = time.monotonic()
        self._level = min(self._burst, self._level + (now - self._at) * self._per_s) - cost
        self._at = now
        return max(0.0, -self._level / self._per_s)
