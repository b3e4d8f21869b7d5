"""`make up`: everything from a bare Debian to a running netlab, in numbered steps; what is done already is skipped."""

import os
import re
import sys
from pathlib import Path

from netlab.install import (
    bpf_objects,
    certificate,
    code_folder,
    content,
    environment,
    frontend,
    guest,
    guest_image,
    guest_paths,
    packages,
    processes,
    readiness,
    rootfs,
    settings_files,
    users,
)
from netlab.install.certificate import Tls
from netlab.install.digests import Stamp
from netlab.install.failure import Failed
from netlab.install.instance import TOP, Instance
from netlab.install.locks import alone
from netlab.install.progress import Progress, Step
from netlab.install.settings_files import Resolved

STEPS = 12
MIN_FREE_GB = 3
TOKENS_SINCE = (6, 9)
"""BPF tokens: without them nodes work, but their shells load no program. The probe finds out for certain."""


def up(instance: Instance) -> int:
    progress = Progress("up", STEPS, instance.log_dir / "install.log")
    build: rootfs.Build | None = None
    try:
        with progress.step("This machine") as step:
            check_machine(step, instance)
        with progress.step("Debian packages") as step:
            packages.install(step, ["run"])
        build = rootfs.Build(instance.log_dir / "rootfs.log")
        with progress.step("Users and folders") as step:
            users.ensure_users(step)
            users.ensure_folders(instance)
        with progress.step("Python environment") as step, alone(TOP):
            environment.ensure(step)
        with progress.step("Front end") as step, alone(TOP):
            frontend.ensure(step)
        with progress.step("Root file system of the shells") as step:
            tree = build.wait(step)
            point_current_at(tree)
            bpf_objects.point_current_at(bpf_objects.ensure(step, tree))
        with progress.step("Certificate") as step:
            tls = certificate.ensure(step, instance)
        with progress.step("Settings") as step:
            wanted = settings_files.write(step, instance, tls, tree)
            folder = code_folder.find(step, instance)
        with progress.step("Database and static files") as step:
            content.ensure_database(step, instance, folder)
        with progress.step("Instructor and demo workshop") as step:
            sign_in = content.ensure_sign_in(step, instance, folder)
        with progress.step("Processes") as step, alone(instance.state_dir):
            start(step, instance, folder, wanted, tls)
        with progress.step("Waiting for answers") as step:
            readiness.wait(step, instance, wanted)
    except Failed as failure:
        progress.failed(failure.what, failure.hint, failure.log)
        return 1
    except KeyboardInterrupt:
        progress.failed("it was interrupted", "", None)
        return 130
    finally:
        if build is not None:
            build.stop()
    print_welcome(instance, wanted, tls, sign_in, progress)
    return 0


def check_machine(step: Step, instance: Instance) -> None:
    if os.geteuid() != 0:
        raise Failed("this needs root: netlab makes users, namespaces and containers", "Run it as root, or with sudo.")
    if not Path("/etc/debian_version").exists():
        raise Failed(
            "this is not a Debian system", "netlab is made for Debian 12; docs/operate.md says what it needs from others."
        )
    if sys.version_info < (3, 11):  # noqa: UP036  the one place that may meet an older one
        raise Failed(f"/usr/bin/python3 is {sys.version.split()[0]}, netlab needs 3.11", "Debian 12 or newer has it.")
    if os.uname().machine != "x86_64":
        raise Failed(
            f"this is {os.uname().machine}; the nodes' system call filter is written for x86_64", "Use an x86_64 machine."
        )
    free = os.statvfs(instance.state_dir if instance.state_dir.exists() else "/var/lib")
    free_gb = free.f_bavail * free.f_frsize / 1e9
    if free_gb < MIN_FREE_GB:
        raise Failed(f"only {free_gb:.1f} GB are free below {instance.state_dir}", f"netlab needs {MIN_FREE_GB} GB: make room.")
    settings_files.check_names(instance)
    release = Path("/etc/debian_version").read_text().strip()
    step.note = f"Debian {release}, Linux {os.uname().release}, {os.cpu_count()} cores, {free_gb:.0f} GB free"
    if kernel_version(os.uname().release) < TOKENS_SINCE:
        step.note += f"; shells that load programs need Linux {'.'.join(map(str, TOKENS_SINCE))} (docs/operate.md)"


def kernel_version(release: str) -> tuple[int, int]:
    """(6, 1) of '6.1.0-41-amd64'."""
    major, minor = re.match(r"(\d+)\.(\d+)", release).groups()  # type: ignore[union-attr]  # every release begins so
    return int(major), int(minor)


def point_current_at(tree: Path) -> None:
    """/var/lib/netlab/rootfs/current, for whoever looks; netlab itself is told the tree's own path."""
    link = Path("/var/lib/netlab/rootfs/current")
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink() or link.readlink() != tree:
        partial = link.with_name(f"current.{os.getpid()}")
        partial.symlink_to(tree)
        partial.replace(link)


def start(step: Step, instance: Instance, folder: Path, wanted: Resolved, tls: Tls) -> None:
    """Start supervisord, or bring a running one to what is wanted now."""
    listen = (wanted.listen_host, wanted.listen_port)
    all_programs = processes.programs(instance, folder, wanted.host_name, tls, listen, wanted.web_processes)
    if builds_guest(instance):
        cache = guest_paths.cache_dir().parent
        all_programs.append(processes.guest_build(folder, cache, guest.build_log(instance)))
    text = processes.write_configuration(instance, folder, all_programs)
    certificates = tls.certificate.read_text() if tls.certificate else ""
    built = frontend.BUILD_STAMP.path.read_text()  # the web process remembers which static files there are
    running = Stamp(instance.stamps_dir / "running")
    now = settings_files.hash_text("".join([code_folder.digest(), built, instance.web_env_file.read_text(), certificates]))
    if not processes.is_running(instance):
        processes.stop_orphans(instance)
        readiness.port_is_free(wanted)
        processes.start(step, instance, folder)
        step.note = f"{len(all_programs)} started: {', '.join(program.name for program in all_programs)}"
    elif not running.holds(now) or not Stamp(instance.stamps_dir / "processes").holds(settings_files.hash_text(text)):
        processes.refresh(step, instance, restart=True)
        step.note = "restarted with new code or settings; labs and their shells went on"
    else:
        processes.refresh(step, instance, restart=False)
        step.note = "running already"
    running.write(now)
    Stamp(instance.stamps_dir / "processes").write(settings_files.hash_text(text))


def builds_guest(instance: Instance) -> bool:
    """There is no guest image, and nobody has said that theirs is elsewhere."""
    return not guest_image.is_there() and "NETLAB_GUEST_DIR" not in instance.settings


def print_welcome(instance: Instance, wanted: Resolved, tls: Tls, sign_in: content.SignIn, progress: Progress) -> None:
    import time

    own = tls.certificate is not None and tls.certificate.name.startswith("own-")
    suffix = "" if instance.name == "main" else f" NETLAB_INSTANCE={instance.name}"
    print(
        f"""
netlab is running ({time.monotonic() - progress.started:.0f} s).

  Open           {wanted.public_url}/
  Join           {wanted.public_url}/join/{sign_in.code}/   (the demo workshop, for everybody)
  Instructor     name {sign_in.name}, password {sign_in.password}   (kept in {instance.sign_in_file})
""",
        end="",
    )
    if tls.certificate and not own:
        print("\n  The certificate is self-made: a browser asks once whether to go on (docs/operate.md: use your own).")
    if builds_guest(instance):
        print("\n  VM labs follow: their kernel is being built in the background (`make status` says how long it takes).")
    print(f"\n  make status{suffix}   make logs{suffix}   make down{suffix}", flush=True)
