"""`/healthz`: whether this web process can do its work. For `make status`, load balancers and tests; needs no session."""

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 with {"database": true, "redis": true}, or 503 with what does not answer as false."""
    checks = {"database": _database_answers(), "redis": _redis_answers()}
    return JsonResponse(checks, status=200 if all(checks.values()) else 503, headers={"Cache-Control": "no-store"})


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _redis_answers() -> bool:
    client = redis.Redis.from_url(settings.CONFIG.redis_url, socket_timeout=1, socket_connect_timeout=1, retry=None)
    try:
        return bool(client.ping())
    except (RedisError, OSError):
        return False
    finally:
        client.close()
