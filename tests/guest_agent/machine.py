"""A guest of the real image in QEMU for a test: cold boot, port, template and clones, without the host's runtime.

The image is NETLAB_GUEST_DIR's (`make guest`). Software emulation, 256 MiB, no network, as labs have it.
"""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from netlab.config import load_config
from netlab.host.vm.image import KERNEL_COMMAND_LINE
from netlab.wire.guest_port import PORT_NAME
from tests.guest_agent.host_side import HostSide

MEMORY_MB = 256
ANSWERS_MAX = 30_000


class Machine:
    """One QEMU. `host` is the other end of its port."""

    def __init__(self, folder: Path, name: str, memory: Path, *, share: bool) -> None:
        self.host = HostSide()
        self._folder, self._name, self._memory, self._share = folder, name, memory, share
        self._process: asyncio.subprocess.Process | None = None
        self._monitor: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.began = 0.0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def console(self) -> str:
        return (self._folder / f"{self._name}.console").read_text(errors="replace")

    async def start(self, state: Path | None = None) -> None:
        self.began = time.monotonic()
        more = ["-incoming", "defer"] if state else []
        self._process = await asyncio.create_subprocess_exec(*self._command(), *more, stdin=asyncio.subprocess.DEVNULL)
        self._monitor = await _connect(self._folder / f"{self._name}.qmp")
        await self._monitor[0].readline()
        await self.command("qmp_capabilities")
        if state:
            await self.command("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])
            await self.command("migrate-incoming", uri=f"exec:cat {state}")
            await self._until("query-status", lambda status: status != "inmigrate")
            await self.command("cont")
        await self.connect()

    async def connect(self) -> None:
        self.host.connect(*await _connect(self._folder / f"{self._name}.port"))

    async def template(self, state: Path) -> None:
        """Stop it and write its state; its memory file is the template's. Ends the machine."""
        await self.host.disconnect()
        await asyncio.sleep(0.5)
        await self.command("stop")
        await self.command("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])
        await self.command("migrate", uri=f"exec:cat>{state}")
        await self._until("query-migrate", lambda status: status == "completed")
        await self.end()

    async def command(self, name: str, **arguments: Any) -> Any:
        assert self._monitor is not None
        reader, writer = self._monitor
        writer.write(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        while line := await reader.readline():
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            assert "error" not in answer, answer
        raise AssertionError("QEMU has ended")

    async def _until(self, question: str, fits: Callable[[str], bool]) -> None:
        for _ in range(ANSWERS_MAX):
            if fits((await self.command(question)).get("status", "")):
                return
            await asyncio.sleep(0.002)
        raise AssertionError(f"{question} does not come to its end")

    async def end(self) -> None:
        await self.host.disconnect()
        if self._monitor is not None:
            self._monitor[1].close()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    # --- what it costs

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def private_mb(self) -> float:
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()[1:]
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024

    def _command(self) -> list[str]:
        image, at = load_config().guest_dir, self._folder / self._name
        share = "on" if self._share else "off"
        words = ["qemu-system-x86_64", "-M", "q35,memory-backend=m0", "-accel", "tcg", "-cpu", "max", "-m", str(MEMORY_MB)]
        words += ["-object", f"memory-backend-file,id=m0,size={MEMORY_MB}M,mem-path={self._memory},share={share}"]
        words += ["-nodefaults", "-no-user-config", "-display", "none", "-serial", f"file:{at}.console"]
        words += ["-device", "virtio-serial-pci", "-chardev", f"socket,id=c0,path={at}.port,server=on,wait=off"]
        words += ["-device", f"virtserialport,chardev=c0,name={PORT_NAME}", "-device", "virtio-rng-pci"]
        for number, part in enumerate(("root", "app")):
            words += ["-drive", f"file={image}/{part}.squashfs,if=none,id=d{number},format=raw,readonly=on"]
            words += ["-device", f"virtio-blk-pci,drive=d{number}"]
        words += ["-qmp", f"unix:{at}.qmp,server=on,wait=off", "-kernel", f"{image}/bzImage", "-append", KERNEL_COMMAND_LINE]
        return words


@asynccontextmanager
async def machines() -> AsyncIterator["Shelf"]:
    """Where machines are made; all of them end with the block."""
    with tempfile.TemporaryDirectory(prefix="netlab-guest-", dir="/dev/shm") as name:
        shelf = Shelf(Path(name))
        try:
            yield shelf
        finally:
            for machine in shelf.made:
                await machine.end()


class Shelf:
    def __init__(self, folder: Path) -> None:
        self.made: list[Machine] = []
        self._folder = folder

    async def boot(self) -> Machine:
        return await self._make("base", None)

    async def keep(self, machine: Machine) -> None:
        """Make a template of it."""
        await machine.template(self._folder / "state")

    async def clone(self) -> Machine:
        return await self._make(f"clone{len(self.made)}", self._folder / "state")

    async def _make(self, name: str, state: Path | None) -> Machine:
        machine = Machine(self._folder, name, self._folder / "memory", share=state is None)
        self.made.append(machine)
        await machine.start(state)
        return machine


async def _connect(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    for _ in range(12_000):
        with suppress(OSError):
            return await asyncio.open_unix_connection(str(path))
        await asyncio.sleep(0.005)
    raise AssertionError(f"nobody listens on {path}")
