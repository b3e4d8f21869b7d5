"""`make up`, `status`, `password`, `down` on an instance of their own: what an operator does, and what they may meet."""

import os
import secrets
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netlab.install import processes, readiness, settings_files, status
from netlab.install.instance import Instance, load_instance
from tests import stack as real
from tests.stack import TOP, Stack

pytestmark = [pytest.mark.stack, pytest.mark.kernel, pytest.mark.timeout(300)]

SECOND_UP_LIMIT_S = 10
TAKEN_UP_AGAIN_S = 60


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    started = real.start(f"i{secrets.token_hex(3)}")
    yield started
    started.down()
    assert not Path(f"/run/netlab/{started.instance}").exists()


@pytest.fixture
def instance(stack: Stack) -> Instance:
    return load_instance(stack.env)


def make(stack: Stack, target: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["make", "--silent", target], cwd=TOP, env=stack.env, capture_output=True, text=True, check=False)


def test_status_says_that_all_is_well(stack: Stack) -> None:
    done = make(stack, "status")
    assert done.returncode == 0, done.stdout
    assert done.stdout.rstrip().endswith("All is well.")
    assert all(name in done.stdout for name in status.ALL_PROCESSES)


def test_a_second_run_is_quick_and_restarts_nothing(stack: Stack, instance: Instance) -> None:
    before = {info["name"]: info["pid"] for info in processes.lasting(processes.states(instance))}
    began = time.monotonic()
    done = make(stack, "up")
    assert done.returncode == 0, done.stdout
    assert time.monotonic() - began < SECOND_UP_LIMIT_S
    assert {info["name"]: info["pid"] for info in processes.lasting(processes.states(instance))} == before


def test_only_root_reads_the_sign_in_and_the_worker_no_secret(stack: Stack, instance: Instance) -> None:
    assert stat.S_IMODE(instance.sign_in_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(instance.web_env_file.stat().st_mode) == 0o400
    assert "SECRET" not in instance.env_file.read_text()
    assert stack.password in make(stack, "password").stdout
    for folder, user in ((instance.state_dir, "netlab-web"), (instance.state_dir / "web", "netlab-worker")):
        words = ["setpriv", f"--reuid={user}", "--regid=netlab", "--clear-groups", "touch", str(folder / "x")]
        tried = subprocess.run(words, check=False)
        assert tried.returncode != 0, f"{user} may write into {folder}"


def test_processes_run_as_the_users_that_the_manual_names(instance: Instance) -> None:
    owners = {info["name"]: Path(f"/proc/{info['pid']}").owner() for info in processes.lasting(processes.states(instance))}
    assert {name for name, owner in owners.items() if owner == "root"} == {"agent", "holder"}
    assert {name for name, owner in owners.items() if owner == "netlab-worker"} == {"worker-control", "worker-work"}


def test_the_certificate_is_for_every_address(stack: Stack, instance: Instance) -> None:
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", instance.state_dir / "tls" / "certificate.pem"],
        capture_output=True, text=True, check=True,
    ).stdout
    assert "DNS:localhost" in text and "IP Address:127.0.0.1" in text
    assert settings_files.read(instance).public_url.startswith("https://")


def test_a_killed_process_comes_back_by_itself(instance: Instance) -> None:
    web = next(info["pid"] for info in processes.states(instance) if info["name"] == "web")
    os.kill(web, signal.SIGKILL)
    wanted = settings_files.read(instance)
    deadline = time.monotonic() + TAKEN_UP_AGAIN_S
    while readiness.page_answers(instance, wanted):
        assert time.monotonic() < deadline, "the web did not come back"
        time.sleep(0.2)
    assert web not in {info["pid"] for info in processes.lasting(processes.states(instance))}


def test_a_killed_supervisord_is_told_and_made_good(stack: Stack, instance: Instance) -> None:
    with processes.supervisor(instance) as api:
        pid = int(api.getPID())
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)
    told = make(stack, "status")
    assert told.returncode == 2 and "have lost it" in told.stdout  # make's own code for a recipe that failed
    orphans = processes.ours(instance)
    assert len(orphans) >= len(status.ALL_PROCESSES)
    done = make(stack, "up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [pid for pid in orphans if processes.lives(pid)]
    assert make(stack, "status").returncode == 0


def test_a_taken_port_is_said_and_nothing_is_started(stack: Stack) -> None:
    other = {**stack.env, "NETLAB_INSTANCE": f"i{secrets.token_hex(3)}"}
    done = subprocess.run(["make", "--silent", "up"], cwd=TOP, env=other, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"port {stack.env['NETLAB_LISTEN_PORT']}" in done.stderr and "What to do:" in done.stderr
    instance = load_instance(other)
    assert not processes.is_running(instance)
    subprocess.run(["make", "--silent", "down"], cwd=TOP, env=other, capture_output=True, check=True)
    subprocess.run(["rm", "-rf", instance.state_dir], check=True)
    assert not instance.run_dir.exists()
