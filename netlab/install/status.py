"""`make status`: what runs, since when, what is wrong and what to do. Exit code 0 well, 1 something is wrong, 3 not running."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from netlab.install import certificate, guest, processes, readiness, settings_files
from netlab.install.failure import Failed
from netlab.install.instance import Instance, read_env_file
from netlab.install.settings_files import Resolved

WELL, WRONG, NOT_RUNNING = 0, 1, 3
REPORT_LATE_S = 15
CERTIFICATE_SOON_DAYS = 14
DISK_LOW_GB = 1
ALL_PROCESSES = ("redis", "holder", "agent", "projector", "sweeper", "beat", "worker-control", "worker-work", "web")


def status(instance: Instance) -> int:
    if os.geteuid() != 0:
        print("make status needs root: run it as root, or with sudo.")
        return WRONG
    try:
        wanted = settings_files.read(instance)
    except Failed as failure:
        print(f"netlab does not run: {failure.what}. {failure.hint}")
        return NOT_RUNNING
    infos = processes.states(instance)
    if not infos:
        left = processes.ours(instance)
        also = f" {len(left)} of its processes have lost it: `make down` ends them." if left else ""
        print(f"netlab does not run: no supervisord answers on {instance.supervisor_socket}.{also}\nRun `make up`.")
        return NOT_RUNNING
    print_processes(processes.lasting(infos))
    report = readiness.host_report(instance, wanted)
    problems = list(find_problems(instance, wanted, processes.lasting(infos), report))
    print_rest(instance, wanted, report)
    if not problems:
        print("\nAll is well.")
        return WELL
    print(f"\n{len(problems)} thing{'s' if len(problems) > 1 else ''} wrong:")
    for what, fix in problems:
        print(f"  - {what}\n    {fix}")
    return WRONG


def print_processes(infos: list[dict[str, Any]]) -> None:
    print(f"{'process':16} {'state':10} {'pid':>7}  since")
    for info in sorted(infos, key=lambda info: ALL_PROCESSES.index(info["name"]) if info["name"] in ALL_PROCESSES else 99):
        running = info["state"] == processes.RUNNING
        since = duration(info["now"] - info["start"]) if running else info["spawnerr"] or info["description"]
        print(f"{info['name']:16} {info['statename'].lower():10} {info['pid'] or '-':>7}  {since}")


def print_rest(instance: Instance, wanted: Resolved, report: readiness.Report | None) -> None:
    print(f"\n{'address':16} {wanted.public_url}/")
    image = guest.of_instance(instance)
    print(f"{'guest image':16} {image.text}")
    print(f"{'sign-in':16} {instance.sign_in_file}, or `make password`")
    if report:
        print(f"{'host report':16} {report.age_s:.0f} s old; {report.runs} labs run; {len(report.leftovers)} leftovers")
        print(f"{'VM labs':16} {guest_words(report.guest, image.state)}")
        if report.missing:
            print(f"{'kernel without':16} {', '.join(report.missing)} (why: .venv/bin/python -m netlab.host probe)")


def guest_words(guest: dict[str, Any], image: str = "absent") -> str:
    """How it stands with VMs, in half a line. `image` is what the image's folder says: the agent notices a moment later."""
    state, doing, left = guest.get("state", "absent"), guest.get("doing", ""), guest.get("minutes_left")
    if state == "ready":
        how = "hardware virtualisation" if guest.get("acceleration") == "kvm" else "software emulation"
        return f"ready, Linux {guest.get('kernel')}, by {how}"
    if state == "building":
        return f"building the guest kernel{f', about {left} min left' if left is not None else ''} ({doing})"
    words = {
        "trying": "trying whether the guest kernel boots", "failed": "the guest kernel could not be built",
        "cannot_boot": "the guest kernel does not boot",
    }
    if image == "building":
        return "as soon as the guest image is built"
    return words.get(state, "no guest kernel; `make guest` builds it")


def find_problems(
    instance: Instance, wanted: Resolved, infos: list[dict[str, Any]], report: readiness.Report | None
) -> Iterator[tuple[str, str]]:
    """(what is wrong, what to do)."""
    for info in infos:
        if info["state"] != processes.RUNNING:
            yield (
                f"{info['name']} is {info['statename'].lower()}: {info['spawnerr'] or info['description']}",
                f"Look into {instance.log_dir / info['name']}.log, then run `make up`.",
            )
    for name in sorted(set(ALL_PROCESSES) - {info["name"] for info in infos}):
        yield f"{name} is not known to supervisord", "Run `make up`."
    page = readiness.page_answers(instance, wanted)
    if page:
        yield f"the web page gives {page}", f"Look into {instance.log_dir}/web.log."
    if report is None:
        yield (
            "the host agent has sent no report for 20 s",
            f"Look into {instance.log_dir}/agent.log; `make up` restarts it when it has ended.",
        )
    else:
        if report.age_s > REPORT_LATE_S:
            yield (
                f"the host's report is {report.age_s:.0f} s old",
                f"The agent is slow or stuck: look into {instance.log_dir}/agent.log.",
            )
        if "bpf_token" in report.missing:
            yield (
                f"programs are loaded by the button alone, XDP only: {report.missing['bpf_token']}",
                "Shells and tc programs need Linux 6.9 or newer: docs/operate.md, 'What the machine needs'.",
            )
        if report.guest.get("state") == "cannot_boot":  # failed: find_resource_problems has the log
            yield f"{guest_words(report.guest)}: {report.guest.get('doing')}", "`make guest` builds it again and shows its log."
        if report.leftovers:
            shown = ", ".join(report.leftovers[:5])
            yield (
                f"{len(report.leftovers)} leftovers belong to no lab: {shown}",
                "The agent removes them by itself; if they stay: `make down`, `make up`.",
            )
    yield from find_resource_problems(instance)


def find_resource_problems(instance: Instance) -> Iterator[tuple[str, str]]:
    settings = read_env_file(instance.env_file)
    rootfs = Path(settings["NETLAB_ROOTFS_DIR"])
    if not (rootfs / "usr").is_dir():
        yield f"the shells' root file system is not in {rootfs}", "Run `make up`, which makes it again."
    image = guest.of_instance(instance)
    if image.state in ("failed", "absent"):
        yield f"there are no VM labs: the guest image is {image.text}", image.hint
    if pem := settings.get("NETLAB_TLS_CERTIFICATE"):
        left = certificate.days_left(Path(pem))
        if left < CERTIFICATE_SOON_DAYS:
            yield (
                f"the certificate ends in {left:.0f} days",
                "`make up` renews a self-made one; renew your own, then run `make up`.",
            )
    free_gb = shutil.disk_usage(instance.state_dir).free / 1e9
    if free_gb < DISK_LOW_GB:
        yield (
            f"only {free_gb:.1f} GB are free below {instance.state_dir}",
            "Make room: the database and Redis stop when it is full.",
        )


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"
