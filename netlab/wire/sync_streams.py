"""Redis for synchronous code: the few calls that Django's actions and pages make. The agent and sockets use `streams`."""

import redis

from netlab.wire.events import Event
from netlab.wire.host_report import HostReport
from netlab.wire.redis_names import ENDED_EXPIRE_S, EVENTS_MAX, HOST_EVENTS_MAX, Keys
from netlab.wire.web_report import WebReport


class SyncStreams:
    """The calls of Django's synchronous code: actions publish events, admission reads host reports."""

    def __init__(self, url: str, instance: str) -> None:
        self.client = redis.Redis.from_url(url, health_check_interval=15)
        self.keys = Keys(instance)

    def publish_event(self, event: Event) -> None:
        pipe = self.client.pipeline(transaction=False)
        pipe.xadd(self.keys.run_events(event.run), {"e": event.model_dump_json()}, maxlen=EVENTS_MAX, approximate=True)
        pipe.publish(self.keys.run_wake(event.run), b"")
        pipe.expire(self.keys.run_events(event.run), ENDED_EXPIRE_S)
        pipe.execute()

    def publish_host_event(self, host: str, event: Event) -> None:
        """An event that concerns rows, too: what a worker tells when the agent refused a command or is away."""
        self.publish_event(event)
        self.client.xadd(self.keys.host_events(host), {"e": event.model_dump_json()}, maxlen=HOST_EVENTS_MAX, approximate=True)

    def take_blob(self, command: str) -> bytes | None:
        """Once: it is megabytes, and whoever asked for it asks again if it does not arrive."""
        data = self.client.getdel(self.keys.blob(command))
        return data if isinstance(data, bytes) else None

    def host_report(self, host: str) -> HostReport | None:
        """None: the host has been silent for REPORT_EXPIRE_S, it is away."""
        data = self.client.get(self.keys.report(host))
        return HostReport.model_validate_json(data) if isinstance(data, bytes) else None

    def queue_lengths(self, names: list[str]) -> dict[str, int]:
        pipe = self.client.pipeline(transaction=False)
        for name in names:
            pipe.llen(self.keys.celery_queue(name))
        return dict(zip(names, pipe.execute(), strict=True))

    def web_reports(self) -> list[WebReport]:
        """Of all web processes that serve a socket."""
        keys = list(self.client.scan_iter(self.keys.web_report("*"), count=1000))
        found = self.client.mget(keys) if keys else []
        return sorted((WebReport.model_validate_json(data) for data in found if data), key=lambda report: report.process)

    def watched(self, runs: list[str]) -> set[str]:
        if not runs:
            return set()
        values = self.client.mget([self.keys.watch(run) for run in runs])
        return {run for run, value in zip(runs, values, strict=True) if value is not None}
