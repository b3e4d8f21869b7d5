"""`python -m netlab.host`: the processes of a host and its operator's tools. Arguments in, one call, exit code out."""

import argparse
import asyncio
import logging.config
import os
import sys
from typing import Any

from netlab.config import Config, load_config

WALKED_UMASK = 0o022
"""Containers of other uids walk through the folders that a host makes; what is private has a mode of its own."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m netlab.host", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("agent", help="own the labs of this host (root)")
    commands.add_parser("holder", help="keep terminals across restarts of the agent (root)")
    guest = commands.add_parser("guest", help="inside a lab's VM: carry out what comes through its port (root)")
    guest.add_argument("--port", default="/dev/virtio-ports/netlab", help="a device, a unix socket or a descriptor")
    guest.add_argument("--instance", default="guest", help="for trying it on a host")
    commands.add_parser("clean", help="remove every lab and leftover of this instance, and put sysctls back (root)")
    commands.add_parser("inventory", help="what exists of this instance")
    probe = commands.add_parser("probe", help="what this kernel can do, found by trying")
    probe.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args()
    os.umask(WALKED_UMASK)
    if arguments.command == "guest":
        return _guest(arguments)
    logging.config.dictConfig(_logging())
    return COMMANDS[arguments.command](load_config(), arguments)


def _logging() -> dict[str, Any]:
    from netlab.logs import logging_config

    return logging_config()


def _guest(arguments: argparse.Namespace) -> int:
    """Its log is the machine's console: plain lines, and few."""
    from netlab.host.guest.process import main as guest

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    return guest(arguments.port, arguments.instance)


def _agent(config: Config, _: argparse.Namespace) -> int:
    from netlab.host.agent.process import Agent, AnotherAgent

    async def run() -> bool:
        return await Agent(config).run()

    try:
        return 0 if asyncio.run(run()) else 1
    except AnotherAgent as error:
        print(error, file=sys.stderr)
        return 1


def _holder(config: Config, _: argparse.Namespace) -> int:
    from netlab.host.holder import server

    server.main(config.holder_socket)
    return 0


def _clean(config: Config, _: argparse.Namespace) -> int:
    from netlab.host.agent.upkeep import clean

    left = asyncio.run(clean(config))
    for leftover in left:
        print(f"still there: {leftover.kind} {leftover.name}", file=sys.stderr)
    return 1 if left else 0


def _inventory(config: Config, _: argparse.Namespace) -> int:
    from netlab.host.agent.upkeep import inventory

    for line in asyncio.run(inventory(config)):
        print(line)
    return 0


def _probe(config: Config, arguments: argparse.Namespace) -> int:
    from netlab.host.probe.__main__ import main as probe

    return probe(["--rootfs", str(config.rootfs_dir), *(["--json"] if arguments.json else [])])


COMMANDS = {"agent": _agent, "holder": _holder, "clean": _clean, "inventory": _inventory, "probe": _probe}

if __name__ == "__main__":
    sys.exit(main())
