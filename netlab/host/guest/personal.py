"""Makes one clone different from all others: randomness, clock, host name, machine id. Called by the agent, once a clone.

The kernel makes its boot id when somebody first reads it, and its TCP secrets with the first TCP socket: before a machine
is personalised nothing in it does either. What clones share by nature is told in THREAT_MODEL.md.
"""

import fcntl
import logging
import os
import random
import socket
import struct
import time
from pathlib import Path
from typing import Protocol

log = logging.getLogger(__name__)

# include/uapi/linux/random.h
RNDADDENTROPY = 0x40085203
RNDRESEEDCRNG = 0x5207
URANDOM = "/dev/urandom"
MACHINE_ID = Path("/etc/machine-id")
CLOCK_SLACK_S = 0.01


def reseed(seed: bytes) -> None:
    """The seed counts as full entropy and is used at once; generators of this process begin anew from the kernel's."""
    descriptor = os.open(URANDOM, os.O_WRONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, RNDADDENTROPY, struct.pack("ii", len(seed) * 8, len(seed)) + seed)
        fcntl.ioctl(descriptor, RNDRESEEDCRNG)
    finally:
        os.close(descriptor)
    random.seed()


def set_clock(now: float) -> None:
    """Unix time, as the host has it."""
    if abs(time.time() - now) > CLOCK_SLACK_S:
        time.clock_settime(time.CLOCK_REALTIME, now)


class MachineId:
    """/etc/machine-id, held open by a template, so that no clone has to look it up through the overlay."""

    def __init__(self) -> None:
        self._descriptor = -1

    def write(self, machine_id: str) -> None:
        if self._descriptor < 0:
            self._descriptor = os.open(MACHINE_ID, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o444)
        os.pwrite(self._descriptor, machine_id.strip().encode() + b"\n", 0)


class Identity(Protocol):
    """What the agent does to the machine that it is in."""

    def reseed(self, seed: bytes) -> None: ...

    def set_clock(self, now: float) -> None: ...

    def name_machine(self, hostname: str, machine_id: str) -> None: ...

    def nobody_yet(self) -> None:
        """Before a template is made: what the others do for the first time is done once."""


class OwnMachine:
    """A guest: all of it is ours."""

    def __init__(self) -> None:
        self._machine_id = MachineId()

    def reseed(self, seed: bytes) -> None:
        reseed(seed)

    def set_clock(self, now: float) -> None:
        set_clock(now)

    def name_machine(self, hostname: str, machine_id: str) -> None:
        """Nodes have names of their own in UTS namespaces of their own; this is the machine's."""
        socket.sethostname(hostname)
        self._machine_id.write(machine_id)

    def nobody_yet(self) -> None:
        """What is copied into the overlay when it is first written is there before the template is made."""
        reseed(os.urandom(32))
        self.name_machine(socket.gethostname(), "")


class BorrowedMachine:
    """Where the agent is only being tried: it remembers what it was told and leaves the machine as it is."""

    def __init__(self) -> None:
        self.seeds: list[bytes] = []
        self.now = 0.0
        self.names: tuple[str, str] = "", ""

    def reseed(self, seed: bytes) -> None:
        self.seeds.append(seed)

    def set_clock(self, now: float) -> None:
        self.now = now

    def name_machine(self, hostname: str, machine_id: str) -> None:
        self.names = hostname, machine_id

    def nobody_yet(self) -> None:
        pass
