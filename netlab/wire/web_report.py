"""WebReport: what a web process says of its sockets every few seconds, for the metrics. Published with an expiry."""

from pydantic import BaseModel, ConfigDict

LAG_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
"""From the sampler's reading until the frame was handed to the browser's connection."""


class WebReport(BaseModel):
    """Counts are since the process began."""

    model_config = ConfigDict(extra="ignore")

    process: int
    at: float
    sockets: dict[str, int] = {}
    """Open now, by kind: run, terminal, workshop."""
    frames_sent: int = 0
    frames_skipped: int = 0
    """A browser had not taken the one before: it gets the newest instead."""
    lag_counts: list[int] = []
    """Frames by LAG_BUCKETS_S, not cumulative; one more for those above."""
    lag_sum_s: float = 0
