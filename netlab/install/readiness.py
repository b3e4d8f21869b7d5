"""Whether netlab really answers: a page over HTTPS and the host's own report. Used by `make up` and `status`; changes nothing."""

import http.client
import json
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass, field
from typing import Any

from netlab.install import processes
from netlab.install.failure import Failed
from netlab.install.instance import Instance, read_env_file
from netlab.install.progress import Step
from netlab.install.settings_files import EVERY_ADDRESS, Resolved

WAIT_S = 90
PROBE_WAIT_S = 45
"""A host that needs longer to find out what its kernel can do says so on its labs' pages until it knows."""
RESTARTS_MEAN_BROKEN = 3


@dataclass(frozen=True)
class Report:
    """What the host agent last said of itself (netlab.wire.host_report)."""

    age_s: float
    up_s: float
    runs: int
    leftovers: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    """Abilities that this kernel lacks, with the reason."""
    probed: bool = True
    """What its kernel can do is known: labs can be started."""
    guest: dict[str, Any] = field(default_factory=dict)
    """How it stands with VMs: netlab.wire.host_report.GuestReport."""


def page_answers(instance: Instance, wanted: Resolved) -> str:
    """Empty when a page came back; otherwise what happened instead."""
    settings = read_env_file(instance.env_file)
    host = dict(zip(EVERY_ADDRESS, ("127.0.0.1", "::1"), strict=True)).get(wanted.listen_host, wanted.listen_host)
    connection: http.client.HTTPConnection
    if settings.get("NETLAB_TLS_CERTIFICATE"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is our own, and asked of ourselves
        connection = http.client.HTTPSConnection(host, wanted.listen_port, timeout=5, context=context)
    else:
        connection = http.client.HTTPConnection(host, wanted.listen_port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error})"
    finally:
        connection.close()
    return "" if status < 400 else f"answers with status {status}"


def host_report(instance: Instance, wanted: Resolved) -> Report | None:
    """None: the agent has been silent for so long that Redis has forgotten it, or Redis is away."""
    key = report_key(instance.name, wanted.host_name)
    answer = subprocess.run(["redis-cli", "-s", instance.redis_socket, "GET", key], capture_output=True, text=True, check=False)
    try:
        report: dict[str, Any] = json.loads(answer.stdout)
        return Report(
            age_s=time.time() - report["at"],
            up_s=time.time() - report["started_at"],
            runs=len(report["runs"]),
            leftovers=[f"{entry['kind']} {entry['name']}" for entry in report["leftovers"]],
            missing={entry["ability"]: entry["why"] for entry in report["abilities"] if not entry["works"]},
            probed=bool(report["abilities"]),
            guest=report.get("guest", {}),
        )
    except (json.JSONDecodeError, KeyError, TypeError):
        return None


def report_key(instance: str, host: str) -> str:
    """netlab.wire.streams.Keys.report; a house test compares the two."""
    return f"nl:{instance}:host:{host}:report"


def port_is_free(wanted: Resolved) -> None:
    """Raises Failed when somebody else listens there."""
    family = socket.AF_INET6 if ":" in wanted.listen_host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((wanted.listen_host, wanted.listen_port))
        except OSError as error:
            raise Failed(
                f"port {wanted.listen_port} of {wanted.listen_host} cannot be listened on: {error.strerror}",
                f"`ss -ltnp sport = :{wanted.listen_port}` shows who has it; or choose another: make up NETLAB_LISTEN_PORT=9443",
            ) from error


def wait(step: Step, instance: Instance, wanted: Resolved) -> None:
    """Return when everything answers. Raises Failed with the log of the process that does not come up."""
    deadline = time.monotonic() + WAIT_S
    while True:
        infos = processes.lasting(processes.states(instance))
        for info in infos:
            if info["state"] == processes.FATAL:
                raise Failed(
                    f"{info['name']} does not stay up ({info['spawnerr'] or info['description']})",
                    "Its log above says why; `make logs` shows all.",
                    instance.log_dir / f"{info['name']}.log",
                )
        waiting = [info["name"] for info in infos if info["state"] != processes.RUNNING]
        page = "" if waiting else page_answers(instance, wanted)
        report = None if waiting or page else host_report(instance, wanted)
        patience_over = time.monotonic() > deadline - WAIT_S + PROBE_WAIT_S
        if report is not None and (report.probed or patience_over):
            step.note = f"web page and host report are there, {len(infos)} processes run"
            return
        step.doing = (
            f"waiting for {', '.join(waiting)}" if waiting else f"web: {page}" if page else "waiting for the agent's report"
            if report is None else "finding out what this kernel can do"
        )
        if time.monotonic() > deadline:
            culprit = waiting[0] if waiting else "web" if page else "agent"
            raise Failed(
                f"after {WAIT_S} s: {step.doing}", "`make status` and `make logs` show more.", instance.log_dir / f"{culprit}.log"
            )
        time.sleep(0.2)
