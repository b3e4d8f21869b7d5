"""How often one attendee may start, reset, pause or resume labs. Counted in Redis, so it also holds over new runs.

Each of these costs the host what a room shares; a person presses such a button a few times a minute, a loop does not stop.
"""

from django.conf import settings
from redis.exceptions import RedisError

from netlab.accounts.limits import FailureLimit
from netlab.domain.errors import ErrorCode
from netlab.workshops.models import Attendee

WINDOW_S = 60


def check_pace(attendee: Attendee) -> None:
    """Count one wish. Raises TOO_OFTEN, saying how long to wait. Without Redis nothing is counted, and nothing starts."""
    limit = FailureLimit(f"wishes:{attendee.pk}", settings.CONFIG.wishes_per_minute, WINDOW_S, ErrorCode.TOO_OFTEN)
    try:
        limit.check()
        limit.failed()
    except RedisError:
        return
