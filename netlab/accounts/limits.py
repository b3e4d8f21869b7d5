"""Counters in Redis that expire by themselves. Used for wrong passwords, wrong join codes and an attendee's wishes.

Joins that succeed are never counted, so a room behind one address cannot lock itself out by being many.
"""

from functools import lru_cache

import redis
from django.conf import settings

from netlab.domain.errors import ErrorCode, NetlabError


@lru_cache
def _client() -> "redis.Redis":
    return redis.Redis.from_url(settings.CONFIG.redis_url, health_check_interval=15)


class FailureLimit:
    """At most `failures_max` failures (or whatever `code` says of them) in `window_s` seconds from the first one."""

    def __init__(self, name: str, failures_max: int, window_s: int, code: ErrorCode = ErrorCode.TOO_MANY_TRIES) -> None:
        self.key, self.failures_max, self.window_s = f"{settings.CONFIG.redis_prefix}limit:{name}", failures_max, window_s
        self.code = code

    def check(self) -> None:
        """Raise the code, saying how long to wait, when the limit is used up."""
        value = _client().get(self.key)
        if value is not None and int(value) >= self.failures_max:
            remaining = _client().ttl(self.key)
            raise NetlabError(self.code, retry_after_s=max(1, int(remaining)))

    def failed(self) -> None:
        """Count one failure. The window begins with its first; SET NX before INCR, so that a key never lacks its end."""
        pipe = _client().pipeline(transaction=True)
        pipe.set(self.key, 0, ex=self.window_s, nx=True)
        pipe.incr(self.key)
        pipe.execute()
