"""Which queue a command or a sweep goes to. Used by the web side to send and by Celery's configuration; no I/O.

Two queues a host instead of priorities: what must not wait (stop, a terminal, a saved file) has workers of its own.
"""

from netlab.wire.commands import URGENT_KINDS, Command

SWEEPS_QUEUE = "sweeps"
NUDGE_TASK = "host.nudge"


def control_queue(host: str) -> str:
    return f"host.{host}.control"


def work_queue(host: str) -> str:
    return f"host.{host}.work"


def queue_for(host: str, commands: list[Command]) -> str:
    """Commands that travel together go where the last of them belongs: what comes before it is its preparation."""
    return control_queue(host) if commands[-1].kind in URGENT_KINDS else work_queue(host)
