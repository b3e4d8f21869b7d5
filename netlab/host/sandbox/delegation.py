"""What a node's BPF file system delegates to its root by token, for each isolation. Called by `nodes.sandboxed`.

The strangers' set is the smallest with which `ip link ... xdp`, `bpftool prog load` and `tc ... bpf` work. It leaves
out btf_load: with BTF come callbacks (bpf_loop, timers), hence packets that keep a CPU busy for tens of milliseconds.
"""

from netlab.domain.lab import Isolation

STRANGERS = {
    "delegate_cmds": "prog_load:map_create",
    "delegate_progs": "socket_filter:xdp:sched_cls",  # socket_filter: libbpf probes the kernel with one
    "delegate_maps": "hash:array:percpu_hash:percpu_array:lru_hash:lpm_trie:ringbuf:devmap:prog_array",
    "delegate_attachs": "xdp:cgroup_inet_ingress",  # the second is type 0, which sched_cls and socket_filter carry
}
TRUSTED = STRANGERS | {"delegate_cmds": "prog_load:map_create:btf_load"}


def options(isolation: Isolation) -> dict[str, str]:
    """Raises ValueError for PRIVATE: in a kernel of their own, attendees have plain nodes."""
    if isolation is Isolation.PRIVATE:
        raise ValueError("sandboxed nodes are for shared kernels")
    return TRUSTED if isolation is Isolation.TRUSTED else STRANGERS
