"""Whether VMs run on this host: notices the guest image, tries it by booting it, and says how it stands.

Held by the `vm` runtime, asked by its runs and by the host's report. The trial is the base template of ordinary labs, baked in
the background while the agent already serves: a guest that has booted is what the next clone comes from.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pydantic import BaseModel, ValidationError

from netlab.config import Config
from netlab.domain.devices import VmSpec
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_bug_id
from netlab.host.vm.acceleration import DoesNotBoot
from netlab.host.vm.api import Acceleration, Bake, GuestImage, MachineFailed, Shape, Template, Templates
from netlab.host.vm.image import find_image, progress
from netlab.host.vm.qemu import NoQemu
from netlab.host.vm_runs import baking
from netlab.wire.host_report import AbilityReport, GuestReport

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
TRY_AGAIN_AFTER_S = (10.0, 30.0, 120.0, 300.0)
"""A host that was too busy for one boot soon is not; a guest that never boots is not to keep it busy."""
SAID_FILE = "said.json"
SAID_POLL_S = 0.1
SAID_WITHIN_S = 2.0
"""Another instance may have put the template there a moment ago."""
WHY_CHARS_MAX = 300
TRIED_AGAIN = "It is tried again by itself; the operator sees more with `make status`."

Opened = tuple[Templates, Acceleration]


class Said(BaseModel):
    """What a guest has said when it booted: kept beside its template, because one that is there is not booted again."""

    kernel: str
    abilities: list[AbilityReport]


class GuestWatch:
    """`open_image` finds out how guests of an image run on this host, and gives the store of their templates."""

    def __init__(self, config: Config, open_image: Callable[[GuestImage], Awaitable[Opened]]) -> None:
        self._config, self._open_image = config, open_image
        self._changed = asyncio.Condition()
        image = find_image(config.guest_dir)
        self.report = _trying(image) if image is not None else progress(config.guest_dir)
        self._templates: Templates | None = None
        self._tried = ""
        self._try_again_at = 0.0
        self._failures = 0
        self._said: Said | None = None
        self._task: asyncio.Task[None] | None = None

    # --- asked

    @property
    def templates(self) -> Templates:
        """After `tried`. Raises LAB_CANNOT_RUN_HERE while there are none."""
        self.check_ready()
        if self._templates is None:
            raise NetlabError(ErrorCode.LAB_CANNOT_RUN_HERE, **dict(zip(("why", "fix"), _why_not(self.report), strict=True)))
        return self._templates

    @property
    def greet(self) -> Bake:
        return baking.greet(self._booted)

    def check_ready(self) -> None:
        """Raise why no VM can be started now. What is just being tried may well work: whoever starts waits for it."""
        if self.report.state not in ("ready", "trying"):
            why, fix = _why_not(self.report)
            raise NetlabError(ErrorCode.LAB_CANNOT_RUN_HERE, why=why, fix=fix)

    @property
    def is_trying(self) -> bool:
        return self.report.state == "trying"

    async def tried(self) -> None:
        """Returns when it is known whether VMs run here."""
        while self.is_trying:
            async with self._changed:
                await self._changed.wait()

    # --- life

    def open(self) -> None:
        self._task = asyncio.create_task(self._watch(), name="guest image")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _watch(self) -> None:
        while True:
            try:
                await self._look()
            except Exception as error:  # a background task's edge: shared-kernel labs go on, the next look tries again
                bug = new_bug_id()
                log.exception("the guest image could not be tried (%s)", bug)
                self._failed(f"{type(error).__name__}, id {bug} in the agent's log")
            async with self._changed:
                self._changed.notify_all()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        image = find_image(self._config.guest_dir)
        if image is None:
            self._tried, self._templates = "", None
            self.report = progress(self._config.guest_dir)
        elif image.digest != self._tried:
            self._tried, self._failures = image.digest, 0
            await self._try(image)
        elif self._may_try_again():
            await self._try(image)

    def _may_try_again(self) -> bool:
        return self.report.state == "cannot_boot" and asyncio.get_running_loop().time() > self._try_again_at

    async def _try(self, image: GuestImage) -> None:
        self.report = _trying(image)
        try:
            templates, acceleration = await self._open_image(image)
            said = await self._boot(templates)
        except (DoesNotBoot, NoQemu, MachineFailed, baking.BakeFailed, NetlabError, OSError, TimeoutError) as error:
            log.warning("the guest does not boot: %r", error)
            self._failed(str(error) or type(error).__name__)
            return
        self._templates, self._failures = templates, 0
        self.report = GuestReport(state="ready", kernel=said.kernel, acceleration=acceleration, abilities=said.abilities)
        log.info("VMs run here: guest kernel %s, %s", said.kernel, acceleration)

    async def _boot(self, templates: Templates) -> Said:
        """The base template, and what its guest has said; where that is lost it is booted again."""
        spec = VmSpec()
        shape = Shape(spec.memory_mb, spec.cpus)
        self._said = None
        base = await templates.base(shape, self.greet)
        said = self._said or await _remembered(base)
        if said is None:
            await templates.condemn(base)
            base = await templates.base(shape, self.greet)
            said = self._said
        if said is None:
            raise MachineFailed("the guest has not said what it can do")
        (base.folder / SAID_FILE).write_text(said.model_dump_json())
        return said

    def _booted(self, kernel: str, abilities: list[AbilityReport]) -> None:
        self._said = Said(kernel=kernel, abilities=abilities)

    def _failed(self, why: str) -> None:
        after_s = TRY_AGAIN_AFTER_S[min(self._failures, len(TRY_AGAIN_AFTER_S) - 1)]
        self._failures += 1
        self._try_again_at = asyncio.get_running_loop().time() + after_s
        self._templates = None
        self.report = GuestReport(state="cannot_boot", doing=why[:WHY_CHARS_MAX])


async def _remembered(base: Template) -> Said | None:
    tries_left = int(SAID_WITHIN_S / SAID_POLL_S)
    while True:
        try:
            return Said.model_validate_json((base.folder / SAID_FILE).read_bytes())
        except (FileNotFoundError, ValidationError):
            tries_left -= 1
            if tries_left < 0:
                return None
        await asyncio.sleep(SAID_POLL_S)


def _trying(image: GuestImage) -> GuestReport:
    return GuestReport(state="trying", kernel=image.kernel_release, doing="booting the guest")


def _why_not(report: GuestReport) -> tuple[str, str]:
    doing = report.doing.rstrip(".")
    if report.state == "building":
        left = "" if report.minutes_left is None else f", about {report.minutes_left} min left"
        return f"the guest kernel for VMs is being built{left}", "Press Start again when it is there."
    if report.state == "trying":
        return "the guest kernel for VMs is just being tried", "Press Start again in a moment."
    if report.state == "failed":
        return f"the guest kernel for VMs could not be built ({doing})", "The operator builds it with `make guest`."
    if report.state == "cannot_boot":
        return f"the guest kernel for VMs does not boot on this host ({doing})", TRIED_AGAIN
    return "this host has no guest kernel for VMs", "The operator builds it with `make guest`."
