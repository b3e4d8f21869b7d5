"""`make test`, `test-fast`, `lint`, `lock`, `bench-*`: installs what they need, then runs the tools with their output shown."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from netlab.install import (
    bpf_objects,
    content,
    environment,
    frontend,
    guest_app,
    guest_image,
    guest_paths,
    packages,
    processes,
    rootfs,
    settings_files,
)
from netlab.install.failure import Failed
from netlab.install.instance import PYTHON, TOP, VENV, load_instance
from netlab.install.locks import alone
from netlab.install.progress import Progress

LOG = TOP / "var" / "log" / "test.log"
FRONTEND_TOOLS = ("biome", "tsc", "vitest")
BENCHES = {
    "bench-start": ("bench.start", "bench.engine_create"), "bench-create": ("bench.engine_create",),
    "bench-vm": ("bench.vm_start", "bench.vm"), "bench-page": ("bench.page",),
    "bench-counters": ("bench.counters", "bench.fanout", "bench.traces"), "bench-storm": ("bench.storm",),
    "bench-scale": ("bench.scale",),
}
"""Modules, one after the other: `bench-start` gives all figures in one run."""
NEED_NETLAB = {"bench-start", "bench-vm", "bench-page", "bench-storm"}
HERE = ("--python", "/usr/bin/python3", "--python-version", "3.11")
GUEST = ("--python-platform", "x86_64-unknown-linux-gnu", "--python-version", guest_app.GUEST_PYTHON)
LOCKS = {"base": HERE, "dev": HERE, "guest": GUEST}
"""What is locked, and for which Python."""
LOCK = (f"{VENV}/bin/uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-emit-index-url")


@dataclass(frozen=True)
class Tool:
    """A static check: its name, its words, where it runs."""

    name: str
    argv: tuple[str, ...]
    cwd: Path = TOP


TOOLS = (
    Tool("ruff", ("ruff", "check", "--quiet", ".")),
    Tool("mypy", ("mypy", "--no-error-summary", "netlab", "tests", "bench", "manage.py")),
    Tool("import-linter", ("lint-imports", "--no-logo")),
    Tool("biome and tsc", ("npm", "run", "--silent", "check"), frontend.FRONTEND),
    Tool("vitest", ("npm", "run", "--silent", "test"), frontend.FRONTEND),
)


def test(fast: bool, arguments: Sequence[str]) -> int:
    """All tests; `fast` leaves out those that drive a browser. pytest's closing line is the last that is printed."""
    tree = prepare("test-fast" if fast else "test", ["run", "test"])
    if tree is None:
        return 1
    if guest_image.image_dir_of("guest", LOG.with_name("guest.log")) is None:
        return 1
    failed = run_tools()
    with tempfile.TemporaryDirectory(prefix="netlab-test-", ignore_cleanup_errors=True) as state:
        Path(state).chmod(0o755)
        words: list[str | Path] = [str(PYTHON), "-m", "pytest", *(["-m", "not browser"] if fast else []), *arguments]
        code = subprocess.run(words, cwd=TOP, env=test_environment(tree, Path(state)), check=False).returncode
    if failed:
        print(f"make test: {', '.join(failed)} failed, see above", flush=True)
    return code or (1 if failed else 0)


def lint() -> int:
    if prepare("lint", []) is None:
        return 1
    return 1 if run_tools([tool for tool in TOOLS if tool.name != "vitest"]) else 0


def lock() -> int:
    """Resolve requirements/*.in anew into hashed locks without addresses, and install them."""
    if prepare("lock", []) is None:
        return 1
    for name, python in LOCKS.items():
        words = [*LOCK, *python, f"requirements/{name}.in", "-o", f"requirements/{name}.txt"]
        code = subprocess.run(words, cwd=TOP, check=False).returncode
        if code:
            return code
    print("Locked. `make test` installs and tries it.")
    return 0


def bench(name: str, arguments: Sequence[str]) -> int:
    """Starts against the running netlab, and chains of nodes of its own (bench-start); the chains alone (bench-create);
    starts in VMs against the running netlab, then machines of its own (bench-vm), for which the guest image has to be there; the
    lab page in Chromium against the running netlab (bench-page); namespaces of its own (bench-counters); a storm in one
    lab of the running netlab (bench-storm); a netlab of its own with 500 nodes and as many browsers (bench-scale)."""
    tree = prepare(name, ["run", "test", "bench"])
    if tree is None:
        return 1
    env = {**os.environ, "PATH": environment.tool_path(), "NETLAB_ROOTFS_DIR": str(tree), **guest_environment()}
    if name in NEED_NETLAB and not {"NETLAB_URL", "NETLAB_CODE"} <= env.keys():
        env |= running_netlab()
    words = [[str(PYTHON), "-m", module, *arguments] for module in BENCHES[name]]
    return max((subprocess.run(argv, cwd=TOP, env=env, check=False).returncode for argv in words), key=abs)


def running_netlab() -> dict[str, str]:
    """The address and the demo workshop's code of this machine's netlab."""
    instance = load_instance()
    sign_in, wanted = content.read_sign_in(instance), settings_files.read(instance)
    if sign_in is None or not processes.is_running(instance):
        raise Failed("netlab does not run", "Run `make up` first, or give NETLAB_URL and NETLAB_CODE.")
    return {"NETLAB_URL": wanted.public_url, "NETLAB_CODE": sign_in.code}


def prepare(command: str, groups: list[str]) -> Path | None:
    """What the tools need, in steps; the root file system's place, or None after having said what failed."""
    progress = Progress(command, 4 if groups else 2, LOG)
    build = None
    try:
        if groups:
            with progress.step("Debian packages") as step:
                packages.install(step, groups)
            build = rootfs.Build(LOG.with_name("rootfs.log"))
        with progress.step("Python environment") as step, alone(TOP):
            environment.ensure(step, ("base", "dev"))
        with progress.step("Front end") as step, alone(TOP):
            frontend.ensure(step)
        if build is None:
            return rootfs.tree()
        with progress.step("Root file system of the shells") as step:
            tree = build.wait(step)
            bpf_objects.ensure(step, tree)
            return tree
    except Failed as failure:
        progress.failed(failure.what, failure.hint, failure.log)
    except KeyboardInterrupt:
        progress.failed("it was interrupted", "", None)
    finally:
        if build is not None:
            build.stop()
    return None


def test_environment(tree: Path, state: Path) -> Mapping[str, str]:
    """The caller's environment without settings of a running netlab: tests have an instance, ports and folders of their own."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("NETLAB_")}
    return {
        **env,
        "PATH": environment.tool_path(),
        "NETLAB_ROOTFS_DIR": str(tree),
        **guest_environment(),
        "NETLAB_INSTANCE": "test",
        "NETLAB_STATE_DIR": str(state),
        "NETLAB_RUN_DIR": "/run/netlab/test",
        "NETLAB_SECRET_KEY": "only-for-tests",
        "NETLAB_CHECK_LEFTOVERS": "1",
    }


def guest_environment() -> dict[str, str]:
    """This checkout's image and BPF objects, and templates that later runs use again."""
    cache = guest_paths.cache_dir()
    return {
        "NETLAB_GUEST_DIR": str(guest_paths.image_dir()), "NETLAB_TEMPLATES_DIR": str(cache / "templates"),
        "NETLAB_BPF_DIR": str(bpf_objects.folder()),
    }  # fmt: skip


def run_tools(tools: Sequence[Tool] = TOOLS) -> list[str]:
    """Run the static checks two at a time; print a line each and what the failing ones said. Returns the failed ones' names."""
    env = {**os.environ, "PATH": environment.tool_path(), "CI": "1", "NO_COLOR": "1"}

    def run(tool: Tool) -> tuple[Tool, float, "subprocess.CompletedProcess[str]"]:
        began = time.monotonic()
        done = subprocess.run(
            tool.argv,
            cwd=tool.cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return tool, time.monotonic() - began, done

    failed = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for tool, seconds, done in pool.map(run, tools):
            print(f"{tool.name:34} {seconds:6.1f} s  {'ok' if done.returncode == 0 else 'FAILED'}", flush=True)
            if done.returncode:
                failed.append(tool.name)
                print(done.stdout, flush=True)
    return failed
