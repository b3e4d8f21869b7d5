"""Runs one trial where it can do no harm: in a forked child with network and mount namespaces of its own.

Called by `abilities`; the trials themselves are in the `*_trials` modules. All that a trial makes goes with its child.
A trial may make the kernel load a module, but only as an attendee's own command would: by asking for a kind of thing
by its name. Forks, so it belongs into a single-threaded process, never into the agent's event loop.
"""

import errno
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from netlab.host.kernel import syscalls
from netlab.wire.host_report import AbilityReport

LIMIT_S = 2.0
"""A trial that takes longer counts as a no: the kernel hangs in something."""
UID_BASE = 2_000_000_000
"""Far from every lab's range."""
UID_RANGE = 65536
RESULT_BYTES_MAX = 4096


class No(Exception):
    """A trial's answer is no, for this reason."""


Attempt = Callable[[], str]
"""Does it, and says what was seen. Raises OSError or No."""


def errno_name(error: OSError) -> str:
    """Linux calls 95 EOPNOTSUPP everywhere; Python knows it by its other name."""
    number = error.errno or 0
    return "EOPNOTSUPP" if number == errno.EOPNOTSUPP else errno.errorcode.get(number, str(number))


def words(error: OSError) -> str:
    """'EOPNOTSUPP (Operation not supported) from rtnetlink ...'."""
    number = error.errno or 0
    name = errno_name(error)
    plain = os.strerror(number)
    said = (error.strerror or "").removesuffix(plain).rstrip(": ")
    return f"{name} ({plain}){f' from {said}' if said else ''}"


def attempt(ability: str, what: str, body: Attempt, limit_s: float = LIMIT_S) -> AbilityReport:
    """The report of one trial, whatever it does."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(writing, body)
    os.close(writing)
    try:
        result = _await_result(reading, limit_s)
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    if result is None:
        return AbilityReport(ability=ability, works=False, why=f"{what}: no answer within {limit_s:g} s")
    works, said = result
    return AbilityReport(ability=ability, works=works, why=f"{what}: {said}" if said else what)


def _await_result(reading: int, limit_s: float) -> tuple[bool, str] | None:
    end, data = time.monotonic() + limit_s, b""
    while (left := end - time.monotonic()) > 0 and select.select([reading], [], [], left)[0]:
        chunk = os.read(reading, RESULT_BYTES_MAX)
        if not chunk:
            works, said = json.loads(data) if data else (False, "the trial's process died")
            return bool(works), str(said)
        data += chunk
    return None


def _child(writing: int, body: Attempt) -> None:
    """Never returns."""
    result: tuple[bool, str] = (False, "")
    try:
        syscalls.die_with_parent(signal.SIGKILL)
        syscalls.unshare(syscalls.CLONE_NEWNET | syscalls.CLONE_NEWNS)
        syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        result = (True, body())
    except No as reason:
        result = (False, str(reason))
    except OSError as error:
        result = (False, words(error))
    except BaseException as error:
        result = (False, f"the trial itself is broken: {error!r}")
    os.write(writing, json.dumps(result).encode()[:RESULT_BYTES_MAX])
    os._exit(0)


def in_user_namespace(body: Callable[[socket.socket], str], serve: Callable[[socket.socket], None] | None = None) -> str:
    """Run `body` as root of a new user namespace with network and mount namespaces owned by it.

    `serve` runs meanwhile out here, as root of the host, at the other end of the socket that `body` gets. Raises what
    `body` raised, as OSError or No.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        ours.close()
        _namespace_child(theirs, body)
    theirs.close()
    try:
        _expect(ours)
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}/{name}").write_text(f"0 {UID_BASE} {UID_RANGE}\n")
        ours.send(b"m")
        _expect(ours)
        if serve:
            serve(ours)
        return _result(ours.recv(RESULT_BYTES_MAX))
    finally:
        ours.close()
        os.waitpid(pid, 0)


def send_fd(channel: socket.socket, descriptor: int) -> None:
    socket.send_fds(channel, [b"f"], [descriptor])


def receive_fd(channel: socket.socket) -> int:
    """A descriptor from the other end; raises what the other end has failed with instead."""
    data, descriptors, _, _ = socket.recv_fds(channel, RESULT_BYTES_MAX, 1)
    if not descriptors:
        _result(data)
        raise No("no descriptor came from the other side")
    return descriptors[0]


def _result(data: bytes) -> str:
    if not data:
        raise No("the trial's process ended without a word")
    number, said = json.loads(data)
    if number > 0:
        raise OSError(number, said)
    if number < 0:
        raise No(said)
    return str(said)


def _expect(sock: socket.socket) -> None:
    """One byte: go on. More: how it has failed."""
    data = sock.recv(RESULT_BYTES_MAX)
    if len(data) != 1:
        _result(data)


def _namespace_child(channel: socket.socket, body: Callable[[socket.socket], str]) -> None:
    """Never returns."""
    result = (-1, "")
    try:
        syscalls.die_with_parent(signal.SIGKILL)
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        channel.send(b"u")
        _expect(channel)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        os.setgroups([])
        syscalls.unshare(syscalls.CLONE_NEWNET | syscalls.CLONE_NEWNS)
        channel.send(b"n")
        result = (0, body(channel))
    except No as reason:
        result = (-1, str(reason))
    except OSError as error:
        result = (error.errno or errno.EIO, error.strerror or "")
    except BaseException as error:
        result = (-1, f"the trial itself is broken: {error!r}")
    with suppress(OSError):
        channel.send(json.dumps(result).encode()[:RESULT_BYTES_MAX])
    os._exit(0)
