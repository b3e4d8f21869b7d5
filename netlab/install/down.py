"""`make down`: stops every process, then removes all that labs left in the kernel. Works on half-started netlabs too."""

import os
import shutil
from contextlib import suppress

from netlab.install import code_folder, processes
from netlab.install.failure import Failed
from netlab.install.instance import PYTHON, TOP, Instance
from netlab.install.locks import alone
from netlab.install.progress import Progress

STEPS = 3


def down(instance: Instance) -> int:
    if os.geteuid() != 0:
        print("make down needs root: run it as root, or with sudo.")
        return 1
    if not instance.state_dir.exists() and not instance.run_dir.exists():
        print(f"Nothing to stop: there is no netlab in {instance.state_dir}.")
        return 0
    progress = Progress("down", STEPS, instance.log_dir / "down.log")
    try:
        with progress.step("Stopping the processes") as step, alone(instance.state_dir):
            step.note = f"{len(processes.states(instance))} stopped" if processes.is_running(instance) else "none ran"
            processes.stop(step, instance)
        with progress.step("Removing what labs left") as step:
            if PYTHON.exists() and instance.env_file.exists():
                env = {
                    "NETLAB_ENV_FILE": str(instance.env_file),
                    "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
                    "LANG": "C.UTF-8",
                }
                step.note = step.output([PYTHON, "-m", "netlab.host", "clean"], env=env, cwd=TOP).strip().replace("\n", ", ")
        with progress.step("Removing the run folder") as step:
            remove_run_folder(instance)
    except Failed as failure:
        progress.failed(failure.what, failure.hint, failure.log)
        return 1
    print(f"\nnetlab is stopped. Database, files and sign-in stay in {instance.state_dir}; `make up` goes on from there.")
    return 0


def remove_run_folder(instance: Instance) -> None:
    """What is ours; a folder that still holds a mount is reported, never emptied."""
    code_folder.release(instance)
    with open("/proc/self/mountinfo") as mounts:
        inside = [line.split()[4] for line in mounts if line.split()[4].startswith(f"{instance.run_dir}/")]
    if inside:
        raise Failed(f"still mounted: {', '.join(inside[:5])}", "Run `make down` again; if it stays, `umount` it.")
    if instance.run_dir.exists():
        shutil.rmtree(instance.run_dir)
    with suppress(OSError):  # another instance is there, or uid slots of one
        (instance.run_dir.parent / "uid-slots").rmdir()
    with suppress(OSError):
        instance.run_dir.parent.rmdir()
