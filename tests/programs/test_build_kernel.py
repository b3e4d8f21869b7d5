"""The build box with the real clang: what it makes, what it refuses, what a source cannot reach, what it leaves behind."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.lab import AttachPoint, ProgramSpec
from netlab.host.kernel.cgroups import Hierarchies
from netlab.host.programs import build_sandbox, layout
from netlab.host.programs.build import Built, build
from netlab.host.programs.build_sandbox import BuildSandbox
from netlab.host.programs.layout import format_source
from netlab.host.programs.line_table import read_line_table
from netlab.host.sandbox.door import ContainerDoor
from netlab.wire.replies import FormatReply
from tests.two_nodes import HEADER, LICENSE, own_config

pytestmark = pytest.mark.kernel
PROGRAM = ProgramSpec(name="xdp", source="xdp.c", function="prog", attach=AttachPoint(node="server", interface="eth0"))
PASS = HEADER + 'SEC("xdp") int prog(struct xdp_md *ctx)\n{\n\treturn XDP_PASS;\n}\n' + LICENSE


@pytest_asyncio.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[BuildSandbox]:
    config = own_config("h3build", tmp_path)
    yield BuildSandbox(config)
    assert not list(Path("/sys/fs/cgroup").glob(f"**/netlab-build/{config.instance}"))
    assert not list((config.run_dir / "build").glob("containers/*"))
    assert str(config.run_dir) not in Path("/proc/self/mounts").read_text()
    shutil.rmtree(config.run_dir)


async def made(sandbox: BuildSandbox, source: str, **more: str) -> Built:
    return await build(sandbox, PROGRAM, {"xdp.c": source, **{name.replace("_h", ".h"): text for name, text in more.items()}})


async def test_an_object_with_lines(sandbox: BuildSandbox) -> None:
    built = await made(sandbox, PASS)
    assert built.object and built.object.startswith(b"\x7fELF") and built.diagnostics == []
    table = await read_line_table(built.object, sandbox.reader_uid)
    place = table.find("prog", 1)
    assert place and (place.file, place.line, place.text) == ("/lab/xdp.c", 5, "return XDP_PASS;")


async def test_a_source_is_laid_out_as_the_kernel_does(sandbox: BuildSandbox) -> None:
    crooked = PASS.replace("\n{\n\treturn", " {\n  if(ctx) { return 1; }\n    return").replace("}\n", "}\n\n\n\n", 1)
    straight = await format_source(sandbox, "xdp.c", crooked)
    assert "prog(struct xdp_md *ctx)\n{\n\tif (ctx) {\n\t\treturn 1;\n\t}\n\n\treturn XDP_PASS;\n}\n" in straight
    assert await format_source(sandbox, "xdp.c", straight) == straight, "what is straight stays as it is"
    starter = Path(__file__).parents[2] / "labs/xdp-01-first-program/start/xdp.c"
    assert await format_source(sandbox, "xdp.c", starter.read_text()) == starter.read_text()


async def test_half_a_source_is_laid_out_too(sandbox: BuildSandbox) -> None:
    assert await format_source(sandbox, "own.h", "int   f(  {\n") != ""
    reply = FormatReply.model_validate_json(await layout.answer(Endless(), "xdp.c", ""))
    assert reply.error and reply.error.code is ErrorCode.BUILD_TIMEOUT and reply.content == ""


class Endless:
    """A layout that does not come to an end in time."""

    async def format(self, path: str, text: str) -> str:
        raise NetlabError(ErrorCode.BUILD_TIMEOUT, limit_s=build_sandbox.BUILD_LIMIT_S)


async def test_an_attendees_own_header_is_found(sandbox: BuildSandbox) -> None:
    built = await made(sandbox, '#include "own.h"\n' + PASS.replace("XDP_PASS", "OWN"), own_h="#define OWN 2\n")
    assert built.object


async def test_errors_are_on_their_lines(sandbox: BuildSandbox) -> None:
    built = await made(sandbox, PASS.replace("XDP_PASS;", "bpf_htons(1)"))
    assert built.object is None
    found = {(d.line, d.severity, d.hint) for d in built.diagnostics}
    assert (5, "error", "Add #include <bpf/bpf_endian.h>.") in found
    assert (5, "error", "The statement before this place has no semicolon.") in found


@pytest.mark.parametrize(
    "path",
    ["/etc/shadow", "/root/.bashrc", "/proc/kallsyms", "/proc/cmdline", "/run/netlab/main/redis/redis.sock", "../../etc/shadow"],
)
async def test_a_source_cannot_include_what_is_not_its_own(sandbox: BuildSandbox, path: str) -> None:
    built = await made(sandbox, f'#include "{path}"\n')
    said = " ".join(d.message for d in built.diagnostics)
    assert built.object is not None or "annot open" in said or "not found" in said
    assert built.object is None or path.startswith("/proc/")  # masked: there, and empty


async def test_no_file_of_the_host_is_there(sandbox: BuildSandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret.h"
    secret.write_text("#error the host's secret\n")
    tmp_path.chmod(0o755)
    built = await made(sandbox, f'#include "{secret}"\n')
    assert "secret.h' file not found" in built.diagnostics[0].message


async def test_the_box_has_no_rights_and_no_network(sandbox: BuildSandbox) -> None:
    status = "grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status"
    script = f"{status}; cat /proc/net/dev | tail -n +3; touch /lab/x /x; ls /lab"
    done = await sandbox.run(["/bin/sh", "-c", script], {"xdp.c": "x"})
    text = done.stdout.decode()
    assert "Uid:\t1000\t1000\t1000\t1000" in text and "CapBnd:\t0000000000000000" in text
    assert "NoNewPrivs:\t1" in text and "Seccomp:\t2" in text
    assert text.splitlines()[-1] == "xdp.c" and "eth" not in text
    assert done.stderr.count(b"Read-only file system") == 2


async def test_a_compiler_that_does_not_end_is_stopped(sandbox: BuildSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_sandbox, "BUILD_LIMIT_S", 1)
    twice = '#if __INCLUDE_LEVEL__ < 30\n#include "own.h"\n#include "own.h"\n#endif\n'
    with pytest.raises(NetlabError) as caught:
        await made(sandbox, '#include "own.h"\n', own_h=twice)
    assert caught.value.code is ErrorCode.BUILD_TIMEOUT


async def test_memory_is_bounded(sandbox: BuildSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_sandbox, "MEMORY_MB", 40)
    built = await made(sandbox, PASS + "char large[900000000] = {1};\n")
    assert built.object is None
    assert any("memory" in d.message for d in built.diagnostics)


async def test_an_object_that_is_too_large(sandbox: BuildSandbox) -> None:
    built = await made(sandbox, PASS + "char large[3000000] = {1};\n")
    assert built.object is None and "larger than 1024 KiB" in built.diagnostics[-1].message


async def test_builds_side_by_side_do_not_see_each_other(sandbox: BuildSandbox) -> None:
    sources = [PASS.replace("XDP_PASS", f"X{n}") for n in range(6)]
    headers = [f"#define X{n} {n}\n" for n in range(6)]
    built = await asyncio.gather(
        *(made(sandbox, '#include "own.h"\n' + s, own_h=h) for s, h in zip(sources, headers, strict=True))
    )
    assert all(b.object for b in built)


async def test_a_cancelled_build_leaves_nothing(sandbox: BuildSandbox) -> None:
    task = asyncio.create_task(made(sandbox, PASS))
    await asyncio.sleep(0.06)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await made(sandbox, PASS)).object


async def test_a_source_that_was_deleted(sandbox: BuildSandbox) -> None:
    with pytest.raises(NetlabError) as caught:
        await build(sandbox, PROGRAM, {"other.c": ""})
    assert caught.value.code is ErrorCode.FILE_UNKNOWN


async def test_runc_does_where_there_is_no_crun(sandbox: BuildSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    find = ContainerDoor.find
    monkeypatch.setattr(ContainerDoor, "find", lambda state_dir: find(state_dir, ["runc"]))
    assert (await made(sandbox, PASS)).object
    assert (await made(sandbox, "int")).object is None


async def test_what_a_killed_agent_left_is_cleared(sandbox: BuildSandbox) -> None:
    building = asyncio.create_task(sandbox.run(["/bin/sleep", "5"], {"xdp.c": "x"}))
    group = "netlab-build/h3build/0"
    for _ in range(200):
        await asyncio.sleep(0.02)
        if Hierarchies.of_this_host().pids(group):
            break
    else:
        raise AssertionError("there was nothing to clear")
    await BuildSandbox(sandbox._config).clear()
    assert not Hierarchies.of_this_host().folders(group)
    assert (await building).code != 0
    (sandbox._dir / "image").mkdir(parents=True, exist_ok=True)
