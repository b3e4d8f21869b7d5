"""Runs the cases and prints one TAP line for each. In a guest, as root: python3 -m inside.run [WORD...]

With words, only cases whose name has one of them in it.
"""

import importlib
import inspect
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType

from . import bench
from .bench import Case

CASES = ("cases_tags", "cases_bridge", "cases_vlan", "cases_host", "cases_flower", "cases_ports", "cases_life")
MODULES = ("netdevsim", "dsa_netlab", "tag_trailer", "tag_brcm", "tag_qca", "tag_mtk", "tag_ksz", "tag_ocelot", "tag_none")
COMPLAINTS = re.compile(r"WARNING:|BUG:|Oops|general protection|possible (circular|recursive) locking|suspicious RCU|KASAN|"
                        r"sleeping function|waiting for .* to become free")  # fmt: skip


def _module(name: str) -> ModuleType:
    return importlib.import_module(f".{name}", __package__)


def cases(words: list[str]) -> list[tuple[str, Case]]:
    found: list[tuple[str, Case]] = []
    for module in map(_module, CASES):
        for name, function in vars(module).items():
            if inspect.isfunction(function) and name.startswith("case_") and function.__module__ == module.__name__:
                part = module.__name__.rpartition("cases_")[2]
                title = f"{part}: {name.removeprefix('case_').replace('_', ' ')}"
                if not words or any(word in title for word in words):
                    found.append((title, function))
    return found


def kernel_log() -> str:
    return subprocess.run(["dmesg"], capture_output=True, text=True).stdout


def run_case(function: Case) -> str | None:
    """None, or what went wrong."""
    Path("/dev/kmsg").write_text("dsa test: a case begins\n")
    options = function.__dict__.get("bench", {})
    made = None
    try:
        if "lab" in inspect.signature(function).parameters:
            made = bench.Bench(**options)
            function(made)
        else:
            function()
    except Exception:
        return traceback.format_exc()
    finally:
        if made:
            made.close()
    log = kernel_log().rpartition("dsa test: a case begins")[2]
    complaints = [line for line in log.splitlines() if COMPLAINTS.search(line)]
    return "the kernel's log: " + "; ".join(complaints) if complaints else None


def main(words: list[str]) -> int:
    for module in MODULES:
        subprocess.run(["modprobe", module], check=True)
    # devices come and go all the time: without these that is most of what is waited for
    Path("/sys/kernel/rcu_expedited").write_text("1")
    Path("/proc/sys/net/core/fb_tunnels_only_for_init_net").write_text("1")
    bench.MODPROBE.write_text("\n")  # the kernel looks for a driver of every PHY
    for key in ("all", "default"):
        Path("/proc/sys/net/ipv6/conf", key, "disable_ipv6").write_text("1")
    Path("/run/netns").mkdir(exist_ok=True)
    chosen, failed = cases(words), 0
    print(f"1..{len(chosen)}", flush=True)
    for number, (title, function) in enumerate(chosen, 1):
        began = time.monotonic()
        wrong = run_case(function)
        failed += wrong is not None
        print(f"{'not ok' if wrong else 'ok'} {number} - {title}", flush=True)
        for line in (wrong or f"{time.monotonic() - began:.1f} s").splitlines():
            print(f"# {line}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
