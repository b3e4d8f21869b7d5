"""An agent that is about to be killed: makes one machine, says which, and waits. Started by test_adopt.py.

argv: instance, run folder, templates' folder, image's folder, image's digest, run.
"""

import asyncio
import sys
from pathlib import Path

from netlab.config import load_config
from netlab.host.vm.api import GuestImage
from tests.vm.kit import FIRST_UID, Vms, ask


async def main() -> None:
    instance, run_dir, templates_dir, folder, digest, run = sys.argv[1:]
    config = load_config().model_copy(update={
        "instance": instance, "run_dir": Path(run_dir), "templates_dir": Path(templates_dir),
    })
    host = await Vms.open(config, GuestImage(Path(folder), digest, ""))
    machine = await host.machines.clone(run, await host.lab(), FIRST_UID)
    assert await ask(machine, "remember before") == "ok"
    print(machine.pid, flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
