"""Whether somebody on this machine has loaded a program, made a map or a BPF link lately: who looks for attached ones need not
ask every namespace every second while nobody has. Used by the engine and the sampler.

Three system calls a look while there is nothing new. Container runtimes load programs for control groups all the time; only such
as can be attached to an interface count. It holds nothing.
"""

import errno
import time

from netlab.host.kernel import bpf

LOOK_EVERY_S = 0.5
NEWS_MAX = 4096
"""Ids looked at in one go; the rest the next time."""
FOR_INTERFACES = frozenset({3, 4, 6})
"""BPF_PROG_TYPE_SCHED_CLS, _SCHED_ACT, _XDP (include/uapi/linux/bpf.h)."""


class BpfNews:
    """Of one process."""

    def __init__(self) -> None:
        self._looked_at = self._news_at = float("-inf")
        self._programs = self._maps = self._links = 0
        self._blind = False

    def within(self, seconds: float) -> bool:
        """Whether there was anything new in so many seconds. True where the kernel does not say."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_EVERY_S and not self._blind:
            self._looked_at = now
            if self._look():
                self._news_at = now
        return self._blind or now - self._news_at < seconds

    def _look(self) -> bool:
        try:
            programs, maps = bpf.newer_programs(self._programs, NEWS_MAX), bpf.newer_maps(self._maps, NEWS_MAX)
            links = bpf.newer_links(self._links, NEWS_MAX)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EINVAL):
                raise
            self._blind = True
            return True
        self._programs, self._maps = max(programs, default=self._programs), max(maps, default=self._maps)
        self._links = max(links, default=self._links)
        return bool(maps or links) or any(_is_for_interfaces(number) for number in programs)


def _is_for_interfaces(program: int) -> bool:
    try:
        return bpf.program_info(program).type in FOR_INTERFACES
    except FileNotFoundError:  # gone already
        return False

