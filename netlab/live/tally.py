"""What this web process has counted of its sockets since it began. Written by sockets, told by the hub for the metrics.

Plain numbers of one thread: the event loop's. It does no I/O.
"""

import os
import time
from bisect import bisect_left
from collections import Counter

from netlab.wire.web_report import LAG_BUCKETS_S, WebReport


class Tally:
    def __init__(self) -> None:
        self.sockets: Counter[str] = Counter()
        self.frames_sent = self.frames_skipped = 0
        self._lag_counts = [0] * (len(LAG_BUCKETS_S) + 1)
        self._lag_sum_s = 0.0

    def sent(self, sampled_at: float | None) -> None:
        """A frame was handed to a browser's connection; of that time (Unix, s), when it came straight through."""
        self.frames_sent += 1
        if sampled_at is None:
            return
        lag_s = max(0.0, time.time() - sampled_at)
        self._lag_counts[bisect_left(LAG_BUCKETS_S, lag_s)] += 1
        self._lag_sum_s += lag_s

    def report(self) -> WebReport:
        return WebReport(
            process=os.getpid(), at=time.time(), sockets=dict(self.sockets), frames_sent=self.frames_sent,
            frames_skipped=self.frames_skipped, lag_counts=self._lag_counts, lag_sum_s=self._lag_sum_s,
        )


tally = Tally()
