"""The Celery application. `celery -A netlab.queue.app` runs a host's workers and beat; the sweeper uses netlab.celery.

A task is a nudge of milliseconds: the wanted state is in the database and on the host's disk, so a doubled or a lost
message changes nothing and everything may be acknowledged late.
"""

from typing import Any

from celery import Celery
from kombu import Queue

from netlab.config import Config, load_config
from netlab.queue.routing import SWEEPS_QUEUE, control_queue, work_queue

SOFT_TIME_LIMIT_S = 60
TIME_LIMIT_S = 90
VISIBILITY_TIMEOUT_S = 600
"""After which Redis hands an unacknowledged task out again: far beyond the time limit, so only after a crash."""
ADMIT_EVERY_S = 2
HEAL_EVERY_S = 5
EXPIRE_EVERY_S = 10
TIDY_EVERY_S = 600


def broker_url(redis_url: str) -> str:
    """kombu writes a unix socket's URL in its own way."""
    return redis_url.replace("unix://", "redis+socket://", 1)


def _sweep(task: str, every_s: int) -> dict[str, Any]:
    """A sweep that was not run before the next one comes is pointless: it expires, none pile up."""
    return {"task": task, "schedule": every_s, "options": {"queue": SWEEPS_QUEUE, "expires": every_s}}


def celery_settings(config: Config) -> dict[str, Any]:
    return {
        "broker_url": broker_url(config.redis_url),
        "broker_transport_options": {
            "global_keyprefix": f"{config.redis_prefix}celery:",
            "visibility_timeout": VISIBILITY_TIMEOUT_S,
            "socket_keepalive": True,
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
        },
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "task_track_started": False,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "task_soft_time_limit": SOFT_TIME_LIMIT_S,
        "task_time_limit": TIME_LIMIT_S,
        "task_queues": [Queue(name) for name in (control_queue(config.host_name), work_queue(config.host_name), SWEEPS_QUEUE)],
        "task_create_missing_queues": False,
        "task_default_queue": SWEEPS_QUEUE,
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        "worker_enable_remote_control": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "timezone": "UTC",
        "imports": ["netlab.queue.tasks"],
        "beat_schedule": {
            "admit": _sweep("sweeps.admit_queued", ADMIT_EVERY_S),
            "heal": _sweep("sweeps.heal_runs", HEAL_EVERY_S),
            "expire": _sweep("sweeps.expire_runs", EXPIRE_EVERY_S),
            "tidy": _sweep("sweeps.tidy", TIDY_EVERY_S),
        },
    }


app = Celery("netlab", set_as_current=True)
app.config_from_object(celery_settings(load_config()))
