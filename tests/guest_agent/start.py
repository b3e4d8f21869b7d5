"""A lab and the StartRun for it, as the host's runtime sends them to a guest."""

from typing import Any

from netlab.domain.ids import new_command_id, new_terminal_id
from netlab.domain.lab import Isolation, LabSpec, RuntimeName
from netlab.wire.commands import LabFile, StartRun
from netlab.wire.guest_port import GUEST_RUN

PASS_C = """#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
"""

LAB = LabSpec.model_validate({
    "id": "guest", "title": "The guest's lab", "summary": "Two nodes and a wire between them.", "topic": "xdp", "minutes": 5,
    "nodes": [
        {"name": "client", "interfaces": [{"name": "eth0", "addresses": ["10.0.0.1/24"]}]},
        {"name": "server", "interfaces": [{"name": "eth0", "addresses": ["10.0.0.2/24"]}]},
    ],
    "links": [{"ends": ["client:eth0", "server:eth0"]}],
    "terminals": [{"node": "client"}, {"node": "server", "title": "The server"}],
    "programs": [{
        "name": "pass", "source": "pass.bpf.c", "function": "pass", "attach": {"node": "server", "interface": "eth0"},
    }],
    "steps": [{"id": "attach", "title": "Attach it", "text": "steps/01.md", "checks": [
        {"id": "attached", "title": "A program is attached", "probe": {"kind": "xdp", "node": "server", "interface": "eth0"}},
        {"id": "noted", "title": "A note was made", "probe": {"kind": "file", "path": "note.txt", "contains": "done"}},
    ]}],
})
FILES = {"pass.bpf.c": PASS_C, "old.txt": "starter\n"}


def start(files: dict[str, str] | None = None, **more: Any) -> StartRun:
    given = FILES if files is None else files
    return StartRun(**{
        "id": new_command_id(), "run": GUEST_RUN, "generation": 1, "lab": LAB, "lab_digest": "d",
        "files": [LabFile(path=path, content=text, version=1) for path, text in given.items()],
        "runtime": RuntimeName.VM, "isolation": Isolation.PRIVATE,
        "terminals": [new_terminal_id() for _ in LAB.terminals], **more,
    })
