"""Ends the loading of kernel modules on a host that serves netlab alone. Called by the agent after the probe.

An attendee's `ip link add type X` makes the host load module X: with strangers, the less there is to choose from the better.
By then the probe has made the kernel load what labs use, by trying it. Only a reboot takes this back, so it is never done
unasked.
"""

from pathlib import Path

SWITCH = Path("/proc/sys/kernel/modules_disabled")


def end_loading(switch: Path = SWITCH) -> bool:
    """True when no module can be loaded any more, also where the kernel has no modules at all. Raises OSError."""
    if not switch.exists():
        return True
    switch.write_text("1")
    return switch.read_text().strip() == "1"
