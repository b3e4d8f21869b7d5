"""The agent's side of a trace: starts its process, reads its lines, ends it.

Used by `trace` and `function_trace`. The process holds everything that a trace attaches: once it has ended, the kernel has
nothing of it any more, except a tracefs instance, for which `end` gives it time.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import netlab
from netlab.host.kernel.kernel_types import member_offsets
from netlab.host.kernel.process import ENVIRONMENT
from netlab.wire.traces import TraceMode

PYTHON = "/usr/bin/python3"
"""Debian's: bcc is a package of Debian's and of no other registry."""
PROGRAM = Path(__file__).with_name("bcc_process.py")
PACKAGES = str(Path(netlab.__file__).resolve().parent.parent)
LINE_BYTES_MAX = 1 << 20
OFFSETS = {
    "OFFSET_SKB_DEV": "sk_buff.dev", "OFFSET_SKB_SK": "sk_buff.sk", "OFFSET_SKB_HEAD": "sk_buff.head",
    "OFFSET_SKB_DATA": "sk_buff.data", "OFFSET_SKB_LEN": "sk_buff.len", "OFFSET_SKB_PROTOCOL": "sk_buff.protocol",
    "OFFSET_SKB_NETWORK_HEADER": "sk_buff.network_header", "OFFSET_DEVICE_NET": "net_device.nd_net.net",
    "OFFSET_DEVICE_NAME": "net_device.name", "OFFSET_NET_COOKIE": "net.net_cookie",
    "OFFSET_SOCK_NET": "sock.__sk_common.skc_net.net", "OFFSET_SOCK_FAMILY": "sock.__sk_common.skc_family",
    "OFFSET_SOCK_PORT": "sock.__sk_common.skc_num", "OFFSET_SOCK_PROTOCOL": "sock.sk_protocol",
}
"""What the C texts call a member of the kernel's structures."""


def argv() -> list[str]:
    """What is started. Isolated: the agent's own packages are of another Python's."""
    return [PYTHON, "-I", str(PROGRAM)]


def make_job(mode: TraceMode, cookies: Sequence[int], defines: Mapping[str, int]) -> bytes:
    """For the process's input. Reads the kernel's BTF: not on the event loop. Raises OSError when it does not tell."""
    lie = member_offsets(OFFSETS.values())
    offsets = {name: lie[member] for name, member in OFFSETS.items()}
    return json.dumps({"mode": mode, "cookies": list(cookies), "offsets": offsets, "defines": dict(defines)}).encode() + b"\n"


class TraceProcess:
    """`end` it, whatever has happened."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(cls, job: bytes, program: Sequence[str] | None = None) -> "TraceProcess":
        """That with bcc, if not another. Raises OSError."""
        process = await asyncio.create_subprocess_exec(
            *(program or argv()), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL, env={**ENVIRONMENT, "PYTHONPATH": PACKAGES}, limit=LINE_BYTES_MAX,
        )
        assert process.stdin is not None
        process.stdin.write(job)  # its end, when this agent ends however it does, is the process's end
        return cls(process)

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """Until it ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            yield json.loads(line)

    async def end(self, patience_s: float = 0.0) -> None:
        """By the end of its input, if it is given time."""
        assert self._process.stdin is not None
        if patience_s:
            self._process.stdin.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self._process.wait()
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
