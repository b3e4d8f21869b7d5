"""The fork server's loop: one request at a time, in order, on one thread. Started by `__main__`; it keeps no state
but the children it has to reap and its view of the mounts, so it may die and be started again at any moment.
"""

import errno
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from netlab.host.kernel import bpf, syscalls
from netlab.host.nsworker import confined, folders, namespaces, node_views, spawn, topology
from netlab.host.nsworker.places import RunDir
from netlab.host.nsworker.protocol import MESSAGE_BYTES_MAX, Message, close_all, encode, receive, send

Reply = tuple[object, list[int]]
"""A result and the descriptors that go with it; they are closed after they are sent."""

TCX_INTERFACES_MAX = 64
"""Of a node that are asked what is attached to them by tcx: an attendee may make any number."""


class Server:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._view_fd: int | None = None
        self._view_checked = False
        self._children: set[int] = set()
        self._ops: dict[str, Callable[[Message, list[int]], Reply]] = {
            "make_run": self._make_run, "build_plain": self._build_plain, "make_plain": self._make_plain,
            "make_sandboxes": self._make_sandboxes,
            "apply_topology": self._apply_topology, "rejoin": self._rejoin, "cut": self._cut,
            "fresh_keys": self._fresh_keys,
            "set_link": self._set_link, "open_socket": self._open_socket, "tcx": self._tcx, "detach_tcx": self._detach_tcx,
            "spawn": self._spawn, "kill": self._kill,
            "spawn_confined": self._spawn_confined,
            "remove_run": self._remove_run, "remove_node": self._remove_node,
            "remove_shared": self._remove_shared,
        }

    def run(self) -> None:
        """Until the client is gone."""
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the agent, which closes us
        buffer = bytearray(MESSAGE_BYTES_MAX)
        poll = select.poll()
        for fd in (self._sock.fileno(), wake_read):
            poll.register(fd, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if wake_read in ready:
                os.read(wake_read, 4096)
                self._reap()
            if self._sock.fileno() in ready:
                try:
                    message, fds = receive(self._sock, buffer)
                except ConnectionResetError:  # it has gone without reading the last that we said
                    return
                if message is None:
                    return
                self._answer(message, fds)

    def _answer(self, message: Message, fds: list[int]) -> None:
        answer: Message = {"id": message["id"]}
        out: list[int] = []
        try:
            answer["result"], out = self._ops[message["op"]](message, fds)
        except OSError as failure:
            answer |= {"errno": failure.errno or errno.EIO, "error": str(failure)}
        except Exception as bug:  # the process's edge: the client raises it again as a bug of ours
            answer |= {"errno": errno.EPROTO, "error": f"{message['op']}: {bug!r}"}
        finally:
            close_all(fds)
        send(self._sock, encode(answer), out)
        close_all(out)

    def _reap(self) -> None:
        """Our own children, and as their subreaper the nodes' processes whose parent has gone (a container's init)."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in self._children:
                self._children.discard(pid)
                send(self._sock, encode({"exited": pid, "status": os.waitstatus_to_exitcode(status)}))

    # ops ------------------------------------------------------------------------------------------------------------

    def _make_run(self, m: Message, _: list[int]) -> Reply:
        base, limits = Path(m["base"]), (m["lab_mb"], m["lab_inodes"])
        if folders.make_run(base, m["run"], m["mark"], m["uid"], *limits, m["shared"]):
            self._drop_view()
        return None, []

    def _build_plain(self, m: Message, fds: list[int]) -> Reply:
        """A whole plain run in one request: round trips are a good part of a small lab's time."""
        for op in (self._make_run, self._make_plain, self._apply_topology):
            op(m, fds)
        folders.write_mark(_run(m), m["complete_mark"])
        return None, []

    def _make_plain(self, m: Message, _: list[int]) -> Reply:
        namespaces.make_plain(_run(m), m["instance"], m["nodes"])
        if m["bpffs"]:
            namespaces.make_plain_bpffs(_run(m), m["nodes"])
        if m.get("pinned"):
            node_views.make_views(_run(m), m["nodes"])
        return None, []

    def _make_sandboxes(self, m: Message, _: list[int]) -> Reply:
        return namespaces.make_sandboxes(namespaces.spec_from(m, _run(m)), m["nodes"]), []

    def _apply_topology(self, m: Message, _: list[int]) -> Reply:
        topology.apply(_run(m), m["topology"])
        return None, []

    def _rejoin(self, m: Message, _: list[int]) -> Reply:
        topology.rejoin(_run(m), m["topology"], [(node, interface) for node, interface in m["removed"]])
        return None, []

    def _cut(self, m: Message, _: list[int]) -> Reply:
        topology.cut(_run(m), m["node"], m["interfaces"], m["machine"])
        return None, []

    def _fresh_keys(self, m: Message, _: list[int]) -> Reply:
        topology.fresh_keys(_run(m), m["tunnels"])
        return None, []

    def _set_link(self, m: Message, _: list[int]) -> Reply:
        topology.set_link(_run(m), m["node"], m["interface"], m["up"])
        return None, []

    def _open_socket(self, m: Message, _: list[int]) -> Reply:
        with syscalls.inside_netns(_run(m).node(m["node"]).netns):
            sock = socket.socket(m["family"], m["type"], m["protocol"])
        return None, [sock.detach()]

    def _tcx(self, m: Message, _: list[int]) -> Reply:
        """[[interface, hook, program id], ...]: bpf(2) looks for an interface where its caller is."""
        found = []
        with syscalls.inside_netns(_run(m).node(m["node"]).netns):
            for index, name in socket.if_nameindex()[:TCX_INTERFACES_MAX]:
                for hook in bpf.TCX:
                    with suppress(OSError):  # gone meanwhile; a kernel that does not let us
                        found += [[name, hook, program] for program, _ in bpf.tcx_programs(index, hook)]
        return found, []

    def _detach_tcx(self, m: Message, _: list[int]) -> Reply:
        with syscalls.inside_netns(_run(m).node(m["node"]).netns):
            bpf.detach_tcx(socket.if_nametoindex(m["interface"]), m["hook"])
        return None, []

    def _spawn(self, m: Message, fds: list[int]) -> Reply:
        spec = spawn.spec_from(m)
        pid = spawn.spawn(spec, fds, self._view(Path(m["base"])) if spec.view else None)
        self._children.add(pid)
        return pid, []

    def _spawn_confined(self, m: Message, fds: list[int]) -> Reply:
        pid = confined.spawn(confined.spec_from(m), fds)
        self._children.add(pid)
        return pid, []

    def _kill(self, m: Message, _: list[int]) -> Reply:
        if m["pid"] in self._children:
            spawn.send_signal(m["pid"], m["signal"], m["whom"])
        return None, []

    def _remove_run(self, m: Message, _: list[int]) -> Reply:
        last = folders.remove_run(Path(m["base"]), m["instance"], m["run"])
        if last:
            self._drop_view()
        return last, []

    def _remove_shared(self, m: Message, _: list[int]) -> Reply:
        if folders.remove_shared_if_empty(Path(m["base"])):
            self._drop_view()
        return None, []

    def _remove_node(self, m: Message, _: list[int]) -> Reply:
        folders.remove_node_mounts(Path(m["base"]), m["instance"], m["run"], m["node"])
        return None, []

    def _view(self, base: Path) -> int | None:
        if not self._view_checked:
            self._view_fd = spawn.make_view(base) if spawn.view_wanted() else None
            self._view_checked = True
        return self._view_fd

    def _drop_view(self) -> None:
        """It belongs to one tmpfs of the runs; the next needs another."""
        if self._view_fd is not None:
            os.close(self._view_fd)
        self._view_fd, self._view_checked = None, False


def _run(m: Message) -> RunDir:
    return RunDir(Path(m["base"]), m["run"])


def serve(fd: int) -> None:
    syscalls.die_with_parent(signal.SIGKILL)
    syscalls.reap_orphans()
    os.umask(0o022)
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    Server(sock).run()
