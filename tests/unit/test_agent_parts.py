"""How the agent's parts hang together, without starting any."""

import asyncio
import os
from pathlib import Path

from netlab.host.agent.process import Agent
from netlab.host.programs.service import Programs
from netlab.host.runtimes.several import SeveralRuntimes
from tests.contract.kit import own_config


async def test_both_runtimes_build_in_the_same_slots(tmp_path: Path) -> None:
    """A second sandbox of one instance would put other people's files into the folder of a build that is under way."""
    with own_config(tmp_path) as config:
        agent = Agent(config.model_copy(update={"redis_url": f"unix://{tmp_path}/nobody"}))
        try:
            runtime = agent.runtime
            assert isinstance(runtime, SeveralRuntimes)
            programs = runtime.namespaces._parts.programs
            assert isinstance(programs, Programs) and runtime.vms._parts.compiler is programs.compiler
        finally:
            os.close(agent._lock)
            await asyncio.wait_for(agent._client.aclose(), 2)
