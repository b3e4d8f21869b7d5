"""Two plain namespaces with a veth pair between them, made by `ip` and taken away again whatever happens."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from netlab.domain.lab import LabSpec
from netlab.domain.resolve import ResolvedLab, resolve
from netlab.host.kernel.syscalls import inside_netns
from netlab.host.nodes.api import NodePlace
from netlab.host.probe import bpf


@dataclass
class Pair:
    """Nodes a (10.77.0.1) and b (10.77.0.2), each with eth0."""

    names: dict[str, str]
    links: list[int] = field(default_factory=list)

    def path(self, node: str) -> Path:
        return Path("/run/netns") / self.names[node]

    def ip(self, node: str, *args: str) -> None:
        subprocess.run(["ip", "-n", self.names[node], *args], check=True, capture_output=True)

    def netns(self, verb: str, node: str) -> None:
        subprocess.run(["ip", "netns", verb, self.names[node]], check=True)

    def run(self, node: str, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = ["ip", "netns", "exec", self.names[node], *argv]
        return subprocess.run(command, check=check, capture_output=True, text=True, errors="surrogateescape")

    def ping(self, count: int) -> None:
        self.run("a", "ping", "-q", "-n", "-i", "0.002", "-c", str(count), "-W", "1", "10.77.0.2", check=False)

    def attach_xdp(self, node: str, action: int, mode: int = bpf.XDP_FLAGS_DRV_MODE) -> None:
        """A program that always answers `action` on the node's eth0, until `detach_all`."""
        program = bpf.load(bpf.PROG_TYPE_XDP, bpf.returns(action), attach_type=bpf.ATTACH_XDP)
        try:
            with inside_netns(self.path(node)):
                index = int(self.run(node, "cat", "/sys/class/net/eth0/ifindex").stdout)
                self.links.append(bpf.attach_link(program, index, bpf.ATTACH_XDP, mode))
        finally:
            os.close(program)

    def detach_all(self) -> None:
        while self.links:
            os.close(self.links.pop())

    def lab(self, **more: object) -> ResolvedLab:
        return resolve(LabSpec.model_validate({
            "id": "t", "title": "Two nodes", "summary": "Two nodes and a wire.", "topic": "xdp", "minutes": 1,
            "nodes": [{"name": "a"}, {"name": "b"}], "links": [{"ends": ["a:eth0", "b:eth0"]}],
            "steps": [{"id": "one", "title": "One", "text": "one.md"}], **more,
        }))

    def places(self) -> dict[str, NodePlace]:
        return {n: NodePlace(n, self.path(n), None, 0, 0, None) for n in ("a", "b")}


@pytest.fixture
def pair() -> Iterator[Pair]:
    mark = f"nlt.h4.{secrets.token_hex(3)}"
    pair = Pair({"a": f"{mark}.a", "b": f"{mark}.b"})
    try:
        for name in pair.names.values():
            subprocess.run(["ip", "netns", "add", name], check=True)
        pair.ip("a", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", pair.names["b"])
        for node, address in (("a", "10.77.0.1/24"), ("b", "10.77.0.2/24")):
            pair.run(node, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
            pair.ip(node, "addr", "add", address, "dev", "eth0")
            pair.ip(node, "link", "set", "lo", "up")
            pair.ip(node, "link", "set", "eth0", "up")
        yield pair
    finally:
        pair.detach_all()
        for name in pair.names.values():
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
