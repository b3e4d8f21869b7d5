"""The Celery application of the sweeper: the queue's application, with Django and the sweeps loaded.

Run as `celery -A netlab.celery worker -Q sweeps`. Workers of a host's queues and beat run `-A netlab.queue.app`, which
knows neither Django nor the database nor its secret key.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netlab.settings")
django.setup()

import netlab.runs.sweeps  # noqa: E402, F401  registers the sweeps
from netlab.queue.app import app  # noqa: E402

__all__ = ["app"]
