"""A client, a server and a wire between them as sandboxed nodes, for tests that need a real lab without the engine."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from netlab.config import Config
from netlab.domain.ids import new_run_id
from netlab.domain.lab import Isolation, LabSpec, ProgramSpec
from netlab.domain.resolve import resolve
from netlab.host.nodes.api import ExecResult, RunNodes
from netlab.host.nodes.sandboxed import SandboxedNodes
from netlab.host.nsworker.client import NsWorker
from netlab.host.programs.service import Programs
from netlab.host.steps import SilentSink, Steps

HEADER = "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n"
LICENSE = '\nchar _license[] SEC("license") = "GPL";\n'

SPEC = LabSpec.model_validate(
    {
        "id": "two-nodes",
        "title": "Two nodes",
        "summary": "Two nodes and a wire.",
        "topic": "basics",
        "minutes": 5,
        "nodes": [
            {"name": "client", "interfaces": [{"name": "eth0", "addresses": ["10.0.0.1/24"]}]},
            {"name": "server", "interfaces": [{"name": "eth0", "addresses": ["10.0.0.2/24"]}]},
        ],
        "links": [{"ends": ["client:eth0", "server:eth0"]}],
        "programs": [
            {"name": "xdp", "source": "xdp.c", "function": "prog", "attach": {"node": "server", "interface": "eth0"}},
            {
                "name": "tc",
                "source": "tc.c",
                "function": "cls",
                "attach": {"node": "server", "interface": "eth0", "hook": "tc-egress"},
            },
        ],
        "steps": [{"id": "look", "title": "Look around", "text": "steps/01-look.md"}],
    }
)


@dataclass
class TwoNodes:
    config: Config
    nodes: SandboxedNodes
    run_nodes: RunNodes
    programs: Programs

    async def sh(self, node: str, script: str, timeout_s: float = 10) -> ExecResult:
        return await self.nodes.execute(self.run_nodes, node, ["bash", "-c", script], timeout_s=timeout_s)

    def program(self, name: str = "xdp") -> ProgramSpec:
        found = SPEC.program(name)
        assert found
        return found


def own_config(instance: str, tmp_path: Path) -> Config:
    run_dir = Path("/run/netlab") / instance
    run_dir.mkdir(parents=True, exist_ok=True)
    run_dir.chmod(0o711)
    return Config(instance=instance, run_dir=run_dir, state_dir=tmp_path)


@asynccontextmanager
async def two_nodes(instance: str, tmp_path: Path, isolation: Isolation = Isolation.STRANGERS) -> AsyncIterator[TwoNodes]:
    assert os.geteuid() == 0, "these tests make namespaces: run them as root"
    config = own_config(instance, tmp_path)
    worker, run = NsWorker(), new_run_id()
    await worker.start()
    nodes = SandboxedNodes(config, worker)
    try:
        async with Steps(SilentSink()) as steps:
            run_nodes = await nodes.create(run, resolve(SPEC), isolation, steps)
            steps.keep()
        yield TwoNodes(config, nodes, run_nodes, Programs(config, nodes))
    finally:
        await nodes.remove(run)
        await worker.close()
        shutil.rmtree(config.run_dir, ignore_errors=True)
