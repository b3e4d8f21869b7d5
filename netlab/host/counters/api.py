"""What the rest of the host asks of live counters. Used by checks and the engine; it knows nothing of the sampler."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """One counter now: its absolute value, and its mean rate over the last two seconds."""

    value: int
    per_second: float
