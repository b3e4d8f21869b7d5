"""The guest's agent in this kernel: baked, personalised, spoken to by a host that goes away and comes back."""

import asyncio
import json
import time
from functools import partial
from typing import Any

import pytest

from netlab.domain.ids import new_command_id, new_terminal_id
from netlab.domain.lab import ProgramSpec
from netlab.host.programs.compiler import SandboxCompiler, compile_for_guest
from netlab.wire.commands import (
    BuildProgram,
    Command,
    LabFile,
    OpenTerminal,
    ResetNode,
    RunCheck,
    StartRun,
    WriteFile,
)
from netlab.wire.guest_port import GUEST_RUN, Kind
from netlab.wire.terminals import TerminalAck, TerminalInput
from tests.guest_agent.conftest import Guest
from tests.guest_agent.start import PASS_C, start

pytestmark = pytest.mark.kernel
REAL_RUN = "r1234567890"


async def bake(guest: Guest) -> None:
    guest.host.send(Kind.BAKE, command=start().model_dump_json())
    assert (await guest.host.told(Kind.BAKED))["error"] is None


async def personalise(guest: Guest, wish: StartRun) -> dict[str, Any]:
    guest.host.send(
        Kind.PERSONALISE, seed=b"s" * 32, now=1_800_000_000.5, hostname="lab", machine_id="0123", start=wish.model_dump_json(),
    )
    return await guest.host.told(Kind.READY)


async def run_lab(guest: Guest) -> StartRun:
    wish = start()
    assert (await personalise(guest, wish))["error"] is None
    for terminal in wish.terminals:
        await guest.host.said(terminal, b"# ")
    return wish


def type_(guest: Guest, terminal: str, text: str) -> None:
    typed = TerminalInput(run=REAL_RUN, terminal=terminal, data=text.encode())
    guest.host.send(Kind.TERMINAL, message=typed.model_dump_json())


async def shell(guest: Guest, terminal: str, line: str, expect: str) -> None:
    """Type a line; wait for what it prints. `expect` must not be part of the line itself."""
    assert expect not in line
    before = len(guest.host.output[terminal])
    type_(guest, terminal, line + "\n")
    await guest.host.said(terminal, expect.encode(), after=before)


async def ask(guest: Guest, kind: type[Any], **fields: Any) -> tuple[Command, dict[str, Any] | None]:
    """(the command, its error)"""
    command = kind(id=new_command_id(), run=REAL_RUN, generation=1, **fields)
    guest.host.send(Kind.COMMAND, command=command.model_dump_json())
    error = (await guest.host.told(Kind.REPLY, command=command.id))["error"]
    return command, json.loads(error) if error else None


async def test_a_baked_lab_says_nothing_until_it_is_somebodys(guest: Guest) -> None:
    booted = await guest.host.told(Kind.BOOTED)
    assert booted["kernel"] == "6.12-test"
    await bake(guest)
    await asyncio.sleep(0.3)
    assert {m.kind for m in guest.host.messages} == {Kind.BOOTED, Kind.BAKED}
    wish = start(files={"pass.bpf.c": PASS_C, "mine.txt": "mine\n"}, generation=3, open_step="attach")
    assert (await personalise(guest, wish))["error"] is None
    told = [m for m in guest.host.messages if m.kind in (Kind.EVENT, Kind.OUTPUT, Kind.READY)]
    assert told[-1].kind is Kind.READY
    events = guest.host.events()
    assert [e["kind"] for e in events] == ["terminal_opened", "terminal_opened", "run_state"]
    assert [e["terminal"] for e in events[:2]] == wish.terminals
    assert [(e["node"], e["title"]) for e in events[:2]] == [("client", "client"), ("server", "The server")]
    assert (events[2]["state"], events[2]["generation"], events[2]["command"]) == ("running", 3, wish.id)
    for terminal in wish.terminals:
        output = guest.host.output[terminal]
        await guest.host.until(partial(output.endswith, b"# "), "the prompt, from the first byte on")
    await shell(guest, wish.terminals[0], "echo $(ls) $(cat mine.txt)", "mine.txt pass.bpf.c mine")


async def test_it_is_made_one_of_its_own_first(guest: Guest) -> None:
    await bake(guest)
    await personalise(guest, start())
    assert guest.machine.seeds == [b"s" * 32]
    assert (guest.machine.now, guest.machine.names) == (1_800_000_000.5, ("lab", "0123"))
    guest.host.send(Kind.CLOCK, now=1_900_000_000.0, seed=b"t" * 32)
    await guest.host.until(lambda: guest.machine.now == 1_900_000_000.0, "the clock after a pause")


async def test_a_template_of_another_lab_is_nobodys(guest: Guest) -> None:
    await bake(guest)
    ready = await personalise(guest, start(lab_digest="another"))
    assert json.loads(ready["error"])["code"] == "start_failed"


async def test_a_lab_that_cannot_be_baked_says_why(guest: Guest) -> None:
    command = json.loads(start().model_dump_json())
    command["lab"]["nodes"][0]["interfaces"][0]["addresses"] = ["10.0.0.300/24"]
    guest.host.send(Kind.BAKE, command=json.dumps(command))
    assert json.loads((await guest.host.told(Kind.BAKED))["error"])["code"] == "bad_message"


async def test_without_a_template_it_is_an_ordinary_start(guest: Guest) -> None:
    wish = await run_lab(guest)
    kinds = [e["kind"] for e in guest.host.events()]
    assert kinds.index("host_step_started") < kinds.index("terminal_opened") < len(kinds)
    assert guest.host.events("run_state")[-1]["state"] == "running"
    await shell(guest, wish.terminals[0], "ping -c1 10.0.0.2", "1 received")


async def test_commands_are_answered(guest: Guest) -> None:
    await run_lab(guest)
    _, error = await ask(guest, OpenTerminal, terminal=new_terminal_id(), node="nobody")
    assert error is not None and error["code"] == "node_unknown"
    guest.host.send(Kind.COMMAND, command='{"kind": "fly", "id": "c0123456789"}')
    unknown = await guest.host.told(Kind.REPLY, command="c0123456789")
    assert json.loads(unknown["error"])["code"] == "bad_message"
    check, error = await ask(guest, RunCheck, step="attach")
    assert error is None
    result = await guest.host.event("check_result", command=check.id)
    assert [v["passed"] for v in result["verdicts"]] == [False, False]


async def test_what_makes_no_sense_changes_nothing(guest: Guest) -> None:
    guest.host.send(Kind.READY, error=None)
    guest.host.send(Kind.PERSONALISE)
    guest.host.send(Kind.TERMINAL, message="no json")
    guest.host.send(Kind.WATCH)
    guest.host.send(Kind.BUILT, request=77, result="{}", object=None)
    guest.host.send(Kind.CLOCK, now="late", seed=3)
    guest.host.send(Kind.PING, n=5)
    assert (await guest.host.told(Kind.PONG))["n"] == 5
    await run_lab(guest)


async def test_files_go_both_ways_and_are_told_before_the_end(guest: Guest) -> None:
    wish = await run_lab(guest)
    await ask(guest, WriteFile, file=LabFile(path="old.txt", content="edited\n", version=2))
    await shell(guest, wish.terminals[0], "cat old.txt", "edited")
    await shell(guest, wish.terminals[0], "echo new > new.txt; echo do''ne", "done")
    guest.host.send(Kind.SYNC, n=9)
    await guest.host.told(Kind.SYNCED, n=9)
    assert [(e["path"], e["content"]) for e in guest.host.events("file_changed")] == [("new.txt", "new\n")]


async def test_a_program_is_compiled_by_the_host_and_loaded_here(guest: Guest) -> None:
    compiler = SandboxCompiler(guest.config)

    async def build(fields: dict[str, Any]) -> None:
        program = ProgramSpec.model_validate_json(fields["program"])
        result, object_bytes = await compile_for_guest(compiler, program, fields["files"])
        guest.host.send(Kind.BUILT, request=fields["request"], result=result, object=object_bytes)

    guest.host.answer_builds = build
    await run_lab(guest)
    assert (await build_of(guest))["outcome"] == "attached"
    assert (await guest.host.event("programs"))["attachments"][0]["name"] == "pass"
    refused = PASS_C.replace("return XDP_PASS;", "return *(int *)(long)ctx->data;")
    failed = await build_of(guest, refused)
    assert (failed["outcome"], failed["diagnostics"][0]["line"]) == ("refused", 7)
    broken = await build_of(guest, PASS_C.replace("XDP_PASS;", "XDP_PASS"))
    assert (broken["outcome"], broken["diagnostics"][0]["severity"]) == ("build_failed", "error")


async def test_a_host_that_began_anew_is_asked_once_more_to_compile(guest: Guest) -> None:
    """The old one had confirmed the wish, and was killed while it compiled."""
    compiler = SandboxCompiler(guest.config)
    await run_lab(guest)
    _, error = await ask(guest, BuildProgram, program="pass")
    assert error is None
    await guest.host.told(Kind.BUILD)
    guest.host.session.acknowledge()
    await asyncio.sleep(0.2)
    await guest.host.disconnect()
    guest.host.new_life()
    after = len(guest.host.messages)
    await guest.connect()
    fields = await guest.host.told(Kind.BUILD, after=after)
    result, object_bytes = await compile_for_guest(
        compiler, ProgramSpec.model_validate_json(fields["program"]), fields["files"],
    )
    guest.host.send(Kind.BUILT, request=fields["request"], result=result, object=object_bytes)
    assert (await guest.host.event("program_result"))["outcome"] == "attached"


async def build_of(guest: Guest, text: str = "") -> dict[str, Any]:
    after = len(guest.host.messages)
    if text:
        version = int(time.monotonic() * 1000)
        await ask(guest, WriteFile, file=LabFile(path="pass.bpf.c", content=text, version=version))
    _, error = await ask(guest, BuildProgram, program="pass")
    assert error is None
    return await guest.host.event("program_result", after=after)


async def test_a_host_that_comes_back_has_missed_nothing(guest: Guest) -> None:
    wish = await run_lab(guest)
    type_(guest, wish.terminals[0], "for i in $(seq 9); do sleep 0.1; echo line$i; done\n")
    await guest.host.said(wish.terminals[0], b"line2")
    await guest.host.disconnect()
    await asyncio.sleep(0.5)
    await guest.connect()
    await guest.host.said(wish.terminals[0], b"line9")
    said = bytes(guest.host.output[wish.terminals[0]])
    assert [said.count(f"line{i}\r\n".encode()) for i in range(1, 10)] == [1] * 9


async def test_a_host_that_began_anew_is_told_what_the_old_one_had_not(guest: Guest) -> None:
    wish = await run_lab(guest)
    type_(guest, wish.terminals[0], "sleep 0.5; echo aft''er\n")
    await guest.host.said(wish.terminals[0], b"sleep")
    await guest.host.disconnect()
    await asyncio.sleep(0.8)
    guest.host.new_life()
    await guest.connect()
    await guest.host.said(wish.terminals[0], b"after")
    await shell(guest, wish.terminals[0], "echo again$((1+1))", "again2")


async def test_a_host_that_takes_nothing_costs_bounded_memory(guest: Guest) -> None:
    wish = await run_lab(guest)
    guest.host.hears.clear()
    session = guest.agent._port.session
    for terminal in wish.terminals:
        type_(guest, terminal, "yes\n")
    still, before = 0, list[int]()
    while still < 20:  # until it has come to a stand although it may go on, however long that takes
        acked = {t: guest.agent.runtime.terminals(GUEST_RUN)[i].offset for i, t in enumerate(wish.terminals)}
        for terminal, offset in acked.items():  # viewers have seen everything: only the port's own limit is left
            guest.agent.runtime.terminal(TerminalAck(run=GUEST_RUN, terminal=terminal, offset=offset))
        await asyncio.sleep(0.05)
        still, before = (still + 1 if [*acked.values()] == before else 0), [*acked.values()]
        assert sum(acked.values()) < 50 << 20, "it does not stop"
    assert session.unacked_bytes + guest.agent.outlet._waiting_bytes < 5 * 1024 * 1024
    stopped = guest.agent.runtime.terminals(GUEST_RUN)[0].offset
    await asyncio.sleep(0.3)
    assert guest.agent.runtime.terminals(GUEST_RUN)[0].offset == stopped, "terminals wait"
    guest.host.hears.set()
    await guest.host.until(lambda: guest.host.end_offset[wish.terminals[0]] >= stopped, "all of it, in order")


async def test_terminals_wait_when_the_host_says_so(guest: Guest) -> None:
    wish = await run_lab(guest)
    guest.host.send(Kind.HOLD, on=True)
    type_(guest, wish.terminals[0], "echo held$((1+1))\n")
    await asyncio.sleep(0.4)
    assert b"held2" not in guest.host.output[wish.terminals[0]]
    guest.host.send(Kind.HOLD, on=False)
    await guest.host.said(wish.terminals[0], b"held2")


async def test_a_node_keeps_its_mounts_and_its_name(guest: Guest) -> None:
    wish = await run_lab(guest)
    client, server = wish.terminals
    await shell(guest, client, "hostname; tty", "/dev/pts/")
    await shell(guest, client, "mkdir -p /mnt; mount -t tmpfs mine /mnt && touch /mnt/here; ls /mnt", "here\r\n")
    another = new_terminal_id()
    _, error = await ask(guest, OpenTerminal, terminal=another, node="client")
    assert error is None
    await guest.host.said(another, b"# ")
    await shell(guest, another, "grep -c ^mine /proc/mounts; hostname", "1\r\nclient")
    await shell(guest, server, "grep -c ^mine /proc/mounts; hostname", "0\r\nserver")
    await shell(guest, client, "ls /sys/class/net; ls -d /sys/fs/bpf/* | wc -l", "eth0")
    after = len(guest.host.messages)
    await ask(guest, ResetNode, node="client")
    await guest.host.event("node_reset", after=after)
    fresh = new_terminal_id()
    await ask(guest, OpenTerminal, terminal=fresh, node="client")
    await guest.host.said(fresh, b"# ")
    await shell(guest, fresh, "grep -c ^mine /proc/mounts; ping -c1 10.0.0.2", "0\r\n")
    await guest.host.said(fresh, b"1 received")


async def test_counters_come_while_somebody_looks(guest: Guest) -> None:
    await bake(guest)
    await personalise(guest, start())
    await guest.host.told(Kind.SCHEMA)
    await asyncio.sleep(0.5)
    quiet = len(guest.host.messages)
    guest.host.send(Kind.WATCH, on=True)
    guest.host.send(Kind.WANT_FULL)
    await guest.host.told(Kind.COUNTERS, after=quiet)
    await guest.host.told(Kind.HISTORY, after=quiet)


