"""The template store: baked once, checked, thrown away when damaged, dropped for room, never half there."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from netlab.host.kernel import uid_slots
from netlab.host.steps import Steps
from netlab.host.vm.api import GuestImage, Machine, MachineFailed, Shape
from netlab.host.vm.machine import QemuMachine
from netlab.host.vm.store import Shelf
from tests.vm import kit
from tests.vm.kit import SHAPE, Told, Vms, ask, run

pytestmark = pytest.mark.kernel
BAKED = "Prepare this lab once, for everybody"
BOOTED = "Boot the guest once, for all labs"


@pytest.fixture(scope="module")
def store_with_base(image: GuestImage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base is booted once; each test has copies of what is there."""
    return tmp_path_factory.mktemp("bases")


@pytest.fixture
async def host(image: GuestImage, store_with_base: Path, tmp_path: Path) -> AsyncIterator[Vms]:
    """With a store of its own, which holds a base."""
    async with kit.vms(image, store_with_base) as first:
        await first.templates.base(SHAPE, kit.greet)
    run("cp", "-a", "--sparse=always", store_with_base, tmp_path / "store")
    async with kit.vms(image, tmp_path / "store") as made:
        yield made


def _folders(host: Vms) -> set[str]:
    return {path.name for path in host.config.templates_dir.iterdir()}


async def _fresh(host: Vms) -> Vms:
    """The same store for a process that has nothing in memory yet."""
    return await Vms.open(host.config, host.image)


async def _get(host: Vms, digest: str = "lab") -> list[str]:
    """The steps that it took; a clone has to live."""
    told = Told()
    machine = await host.clone(await host.lab(digest, sink=told))
    assert await ask(machine, "recall") == "lab"
    await machine.kill()
    return told.titles


async def test_a_template_is_baked_once_and_there_for_the_next_process(host: Vms) -> None:
    assert not host.templates.has("lab", SHAPE)
    assert await _get(host) == [BAKED]
    assert await _get(host) == []
    assert host.templates.has("lab", SHAPE)
    assert not host.templates.has("lab", Shape(512)) and not host.templates.has("other", SHAPE)
    other = await _fresh(host)
    assert other.templates.has("lab", SHAPE)
    assert await _get(other) == []
    await other.close()
    assert not [name for name in _folders(host) if name.startswith(".")]
    assert list(uid_slots.taken(host.config.instance)) == []


async def test_many_who_want_the_same_bake_it_once(host: Vms) -> None:
    other, told, baked = await _fresh(host), Told(), []

    async def bake(machine: Machine) -> None:
        baked.append(machine.run)
        await kit.bake(machine)

    ours, theirs = [host.lab(sink=told, bake=bake) for _ in range(4)], [other.lab(bake=bake) for _ in range(4)]
    templates = await asyncio.gather(*ours, *theirs)
    assert len(baked) == 1
    assert len({template.key for template in templates}) == 1
    assert any("somebody else" in title for title in told.titles)
    await other.close()


@pytest.mark.parametrize(("file", "harm", "said"), [
    ("memory", "remove", "memory"), ("memory", "truncate", "another size"), ("memory", "flip", "memory was changed"),
    ("state", "remove", "state"), ("state", "truncate", "another size"), ("state", "flip", "state was changed"),
    ("manifest.json", "remove", "manifest"), ("manifest.json", "truncate", "manifest"),
])
async def test_a_damaged_template_is_thrown_away_and_made_anew(host: Vms, file: str, harm: str, said: str) -> None:
    template = await host.lab()
    _harm(template.folder / file, harm)
    other = await _fresh(host)
    steps = await _get(other)
    assert said in steps[0] and "damaged" in steps[0] and steps[1] == BAKED, steps
    assert await _get(other) == []
    await other.close()


def _harm(path: Path, how: str) -> None:
    if how == "remove":
        path.unlink()
        return
    size = path.stat().st_size
    with path.open("r+b") as file:
        if how == "truncate":
            file.truncate(size // 2)
        else:
            at = os.lseek(file.fileno(), size // 2, os.SEEK_DATA)
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1]))


async def test_a_missing_template_is_made_anew(host: Vms) -> None:
    run("rm", "-r", (await host.lab()).folder)
    assert not host.templates.has("lab", SHAPE)
    assert await _get(host) == [BAKED]


async def test_clones_do_not_mind_what_becomes_of_the_files(host: Vms) -> None:
    template = await host.lab()
    machine = await host.clone(template)
    (template.folder / "memory").chmod(0o600)
    os.truncate(template.folder / "memory", 0)
    assert await ask(machine, "recall") == "lab"
    assert await ask(await host.clone(template), "recall") == "lab"


async def test_a_base_whose_clones_do_not_live_is_made_anew_too(host: Vms) -> None:
    base = await host.templates.base(SHAPE, kit.greet)
    held = await host.machines.resident.hold(base)
    held.state = held.state[:1000]
    held.release()
    assert await _get(host) == [BAKED, BOOTED]


async def test_a_condemned_template_is_baked_anew(host: Vms) -> None:
    template = await host.lab()
    machine = await host.clone(template)
    await host.templates.condemn(template)
    assert not host.templates.has("lab", SHAPE)
    assert await ask(machine, "recall") == "lab"
    assert await _get(host) == [BAKED]


@pytest.mark.parametrize("ends", ["raises", "panics", "is_cancelled"])
async def test_a_bake_that_fails_leaves_nothing(host: Vms, ends: str) -> None:
    before = _folders(host)

    async def bake(machine: Machine) -> None:
        if ends == "raises":
            raise KeyError("this lab cannot be built")
        if ends == "panics":
            (await kit.Line.to(machine)).say("panic")
        await asyncio.sleep(60)

    baking = asyncio.create_task(host.lab(bake=bake))
    if ends == "is_cancelled":
        await kit.until(lambda: host.exists(), "the machine")
        await asyncio.sleep(0.3)
        baking.cancel()
    with pytest.raises((KeyError, MachineFailed, asyncio.CancelledError)):
        await baking
    assert host.exists() == [] and _folders(host) == before
    assert list(uid_slots.taken(host.config.instance)) == []
    assert await _get(host) == [BAKED]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=6m", "small", place)
    yield place
    run("umount", place)


async def test_a_full_disk_is_told_and_leaves_nothing(image: GuestImage, small_disk: Path) -> None:
    async with kit.vms(image, small_disk) as host:
        with pytest.raises(OSError) as told:
            await host.lab()
        assert told.value.errno == errno.ENOSPC
        assert list(small_disk.iterdir()) == [] and host.exists() == []


async def test_those_not_used_for_longest_go_first(host: Vms) -> None:
    first, second = await host.lab("first"), await host.lab("second")
    os.utime(first.folder, (2, 2))
    os.utime(second.folder, (3, 3))
    base = await host.templates.base(SHAPE, kit.greet)
    os.utime(base.folder, (4, 4))
    assert await _get(host, "first") == []  # it is the newest now
    used_mb = sum(path.stat().st_blocks * 512 for path in host.config.templates_dir.rglob("*")) >> 20
    host.config.templates_mb = used_mb + 2
    third = await host.lab("third")
    left = _folders(host)
    assert third.key in left and first.key in left and second.key not in left
    assert not host.templates.has("second", SHAPE)


async def test_one_that_somebody_is_making_is_not_dropped(host: Vms) -> None:
    shelf, base = Shelf(host.config.templates_dir), await host.templates.base(SHAPE, kit.greet)
    (host.config.templates_dir / ".partial-left-by-a-killed-one").mkdir()
    (host.config.templates_dir / ".partial-of-one-at-work").mkdir()
    async with shelf.lock(base.key, Steps(Told())), shelf.lock("of-one-at-work", Steps(Told())):
        assert shelf.make_room(0, 1) == []
        assert base.key in _folders(host)
        assert ".partial-left-by-a-killed-one" not in _folders(host) and ".partial-of-one-at-work" in _folders(host)
    assert shelf.make_room(0, 1) == [base.key]


async def test_a_guest_that_has_work_left_becomes_no_template_before_it_is_done(host: Vms) -> None:
    """Each of its clones would do that work again."""

    async def leaves_work(machine: Machine) -> None:
        await kit.bake(machine)
        port = await kit.Line.to(machine)
        port.say("flood 400")  # a serial console takes its time
        assert isinstance(machine, QemuMachine)
        for _ in range(1000):
            if "xxx" in await machine.console():
                break
            await asyncio.sleep(0.02)
        port.writer.close()

    machine = await host.clone(await host.lab("busy", bake=leaves_work))
    assert await machine.settle(10)
    assert "xxx" not in await machine.console(), "it was printed before"
