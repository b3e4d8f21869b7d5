"""What a person does in a node: commands, terminals, files; and what they see of it."""

import asyncio
import os
import stat
import struct
import termios
from collections.abc import AsyncIterator
from fcntl import ioctl
from pathlib import Path

import pytest
import pytest_asyncio

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.host.nodes.api import RunNodes
from tests.kernel.kit import Host, Typist
from tests.waiting import until

pytestmark = pytest.mark.kernel


@pytest_asyncio.fixture
async def made(both: Host) -> RunNodes:
    return await both.build()


@pytest_asyncio.fixture
async def typist(both: Host, made: RunNodes) -> AsyncIterator[Typist]:
    """At the prompt of a plain bash, with a prompt that cannot be mistaken for an echo."""
    terminal = await both.nodes.open_terminal(made, "client", 31, 101, ["/bin/bash", "--norc", "-i"])
    typist = Typist(terminal)
    typist.type("PS1='rea''dy> '\n")
    await typist.see("ready> ")
    yield typist
    typist.close()


# commands ---------------------------------------------------------------------------------------------------------------


async def test_a_command_has_input_output_and_an_exit_code(both: Host, made: RunNodes) -> None:
    done = await both.nodes.execute(made, "client", ["sh", "-c", "cat; echo bad >&2; pwd; exit 3"], stdin=b"in\n")
    assert (done.exit_code, done.stderr, done.timed_out, done.truncated) == (3, b"bad\n", False, False)
    assert done.stdout.startswith(b"in\n/") and done.stdout.endswith(b"/lab\n")


async def test_a_lot_of_input_and_output(both: Host, made: RunNodes) -> None:
    data = os.urandom(3 << 20)
    done = await both.nodes.execute(made, "client", ["cat"], stdin=data, output_limit=4 << 20)
    assert done.stdout == data and not done.truncated
    cut = await both.nodes.execute(made, "client", ["cat"], stdin=data, output_limit=1000)
    assert cut.stdout == data[:1000] and cut.truncated and cut.exit_code == 0


async def test_time_is_limited_and_nothing_runs_on(both: Host, made: RunNodes) -> None:
    for timeout_s in (0.5, 4, 16):  # it may take longer than the first to begin
        sleeps = ["sh", "-c", "echo begun; sleep 4321 & sleep 4321"]
        done = await both.nodes.execute(made, "client", sleeps, timeout_s=timeout_s)
        if done.stdout:
            break
    assert done.timed_out and done.exit_code == -1 and done.stdout == b"begun\n"
    await until(lambda: not _running("sleep\x004321"), "the end of what it has left")


async def test_a_command_in_the_background_lives_until_the_node_ends(both: Host, made: RunNodes) -> None:
    async with asyncio.timeout(60):
        await both.nodes.execute(made, "client", ["sh", "-c", "while echo on; do sleep 0.1; done > beats"], background=True)
        while not (made.lab_dir / "beats").exists() or (made.lab_dir / "beats").stat().st_size < 9:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_what_a_command_leaves_behind_does_not_hold_the_caller(both: Host, made: RunNodes) -> None:
    async with asyncio.timeout(60):
        done = await both.nodes.execute(made, "client", ["sh", "-c", "sleep 300 & echo done"], timeout_s=200)
    assert done.stdout == b"done\n" and done.exit_code == 0


async def test_a_command_that_is_not_there(both: Host, made: RunNodes) -> None:
    done = await both.nodes.execute(made, "client", ["no-such-command"])
    assert done.exit_code != 0 and b"no-such-command" in done.stderr + done.stdout


async def test_the_hosts_null_device_stays_the_hosts(both: Host, made: RunNodes) -> None:
    before = os.stat("/dev/null")
    await both.nodes.execute(made, "client", ["true"])
    await both.nodes.execute(made, "client", ["true"], background=True)
    after = os.stat("/dev/null")
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (before.st_uid, before.st_gid, 0o666)


# files ------------------------------------------------------------------------------------------------------------------


async def test_the_lab_folder_is_shared_and_of_limited_size(sandboxed: Host) -> None:
    made = await sandboxed.build()
    (made.lab_dir / "from-host").write_text("hello")
    seen = await sandboxed.nodes.execute(made, "server", ["sh", "-c", "cat from-host; echo mine > from-node; stat -c %u ."])
    assert seen.stdout == b"hello0\n"
    other = await sandboxed.nodes.execute(made, "client", ["cat", "/lab/from-node"])
    assert other.stdout == b"mine\n"
    assert (made.lab_dir / "from-node").stat().st_uid == made.places["client"].uid_base
    await sandboxed.nodes.execute(made, "client", ["dd", "if=/dev/zero", "of=/lab/big", "bs=1M", "count=64"])
    assert (made.lab_dir / "big").stat().st_size <= 16 << 20


async def test_homes_are_apart_and_writable(sandboxed: Host) -> None:
    made = await sandboxed.build()
    await sandboxed.nodes.execute(made, "client", ["sh", "-c", "echo x > /root/mine && rm -r /usr/share/bash-completion"])
    seen = await sandboxed.nodes.execute(made, "server", ["sh", "-c", "ls -A /root; ls -d /usr/share/bash-completion; id -u"])
    assert b"mine" not in seen.stdout and b"/usr/share/bash-completion\n0\n" in seen.stdout


# terminals --------------------------------------------------------------------------------------------------------------


async def test_a_login_shell_greets_in_the_lab_folder(sandboxed: Host) -> None:
    made = await sandboxed.build()
    terminal = await sandboxed.nodes.open_terminal(made, "server", 24, 80)
    typist = Typist(terminal)
    assert "server" in await typist.see("# ")
    typist.type("tty; pwd; echo $TERM $LANG $HOME; shopt -q login_shell && echo a-lo''gin\n")
    seen = await typist.see("a-login")
    assert "/dev/pts/0" in seen and "/lab" in seen and "xterm-256color C.UTF-8 /root" in seen
    assert Path(f"/proc/{terminal.pid}").exists()
    typist.close()


async def test_a_login_shell_has_colours_and_completion(sandboxed: Host) -> None:
    made = await sandboxed.build()
    terminal = await sandboxed.nodes.open_terminal(made, "server", 24, 80)
    typist = Typist(terminal)
    assert "\x1b[1;32mserver\x1b[0m" in await typist.see("# "), "a prompt in colours"
    typist.type("ls -d /usr\n")
    assert "\x1b[01;34m/usr" in await typist.see("/usr\x1b[0m")
    typist.type("ip nei\t")
    await typist.see("ghbo")  # neighbour or neighbor: as far as they agree
    typist.type("\x03")
    await typist.see("# ")
    typist.type("cat /etc/hostn\t")
    await typist.see("cat /etc/hostname ")
    typist.close()


async def test_size_is_given_and_changed(typist: Typist) -> None:
    typist.type("stty size\n")
    assert "31 101" in await typist.see("31 101\r\n")
    typist.type("trap 'echo win''ch' WINCH; echo tra''pped; while :; do read -t 0.1; done\n")
    await typist.see("trapped")
    ioctl(typist.terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    await typist.see("winch")
    typist.type("\x03")
    await typist.see("ready> ")
    typist.type("stty size\n")
    await typist.see("40 120\r\n")


async def test_letters_of_all_the_world(typist: Typist) -> None:
    typist.type("stty -a | grep -o iutf8; printf '%s\\n' 'żółć 日本語 🐧'\n")
    assert "iutf8" in await typist.see("żółć 日本語 🐧\r\n")


async def test_job_control(typist: Typist) -> None:
    typist.type("sleep 1234\n")
    await until(lambda: _running("sleep\x001234"), "the job")  # before that the shell itself has the terminal
    typist.type("\x03")
    await typist.see("ready> ")
    typist.type("sleep 1234\n")
    await until(lambda: _running("sleep\x001234"), "the second job")
    typist.type("\x1a")
    await typist.see("Stopped")
    typist.type("jobs; kill %1; wait; echo fini''shed\n")
    assert "sleep 1234" in await typist.see("finished")


async def test_the_end_of_a_shell_is_seen(typist: Typist) -> None:
    typist.type("exit\n")
    await typist.see_end()


async def test_closing_a_terminal_ends_its_shell(both: Host, made: RunNodes) -> None:
    terminal = await both.nodes.open_terminal(made, "client", 24, 80)
    typist = Typist(terminal)
    await typist.see("# ")
    typist.close()
    async with asyncio.timeout(60):
        while Path(f"/proc/{terminal.pid}").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_shell_that_cannot_start_is_explained(sandboxed: Host) -> None:
    made = await sandboxed.build()
    with pytest.raises(NetlabError) as refused:
        await sandboxed.nodes.open_terminal(made, "client", 24, 80, ["/no/such/shell"])
    assert refused.value.code is ErrorCode.TERMINAL_FAILED and "/no/such/shell" in refused.value.message
    assert not [path for path in (sandboxed.config.run_dir / "runs" / made.run).iterdir() if path.name.startswith(".")]


async def test_shells_outlive_the_fork_server(both: Host, made: RunNodes) -> None:
    terminal = await both.nodes.open_terminal(made, "client", 24, 80, ["/bin/bash", "--norc", "-i"])
    typist = Typist(terminal)
    os.kill(both.worker.pid, 9)
    await asyncio.sleep(0.2)
    typist.type("echo still the''re\n")
    await typist.see("still there")
    typist.close()


def _running(words: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if words in (folder / "cmdline").read_text(errors="replace"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found
