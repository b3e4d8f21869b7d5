"""Boots guest images with a script in the agent's place and gives back what each reported. No netlab runs in it.

The script is root's, on the whole system that an attendee has. It reports in TAP's words through helpers that stand before
it, over a port of its own, while the console is kept for whoever looks at a failure:

    try 'tc has netem' tc qdisc add dev lo root netem delay 1ms      ok, or not ok with what the command printed
    try_sh 'a name' 'commands | in a pipe'                           the same for a piece of shell (set -e)
    note 'anything'                                                  a line of its own

Every check reports; nothing ends the script early but its end. Started machines are ended, whatever happens.
"""

import io
import os
import re
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from netlab.host.vm.image import KERNEL_COMMAND_LINE

MEMORY_MB = 512
LIMIT_S = 600.0
POLL_S = 0.1
NICENESS = 19
"""A guest is patient: the tests beside which it runs are not to notice it."""
CONSOLE_LINES_SHOWN = 40
PORT = "tap"
NO_IMAGE = "there is no guest image: `make test` makes one; by hand set NETLAB_GUEST_DIR to what `make guest` printed"
PROLOGUE = r"""
exec 3> /dev/virtio-ports/tap
export LAB=/lab
cd /lab && tar -xf /dev/vdd
number=0
report() { # ok? name [what was printed]
	number=$((number + 1))
	printf '%s %d - %s\n' "$1" "$number" "$2" >&3
	[ "$1" = ok ] || printf '%s\n' "$3" | sed 's/^/# /' >&3
}
try() {
	title=$1; shift
	if said=$("$@" 2>&1 3>&- < /dev/null); then report ok "$title"; else report 'not ok' "$title" "exit code $?: $said"; fi
}
try_sh() { try "$1" bash -ec "$2"; }
note() { printf '# %s\n' "$*" >&3; }
"""
EPILOGUE = """
echo "1..$number" >&3
exec 3>&-
echo o > /proc/sysrq-trigger
sleep 60
"""
_LINE = re.compile(r"^(?P<ok>ok|not ok) \d+ - (?P<name>.*)$")


@dataclass
class Report:
    """What came out of the port. `failed` has what each failing check's command printed."""

    passed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    whole: bool = False
    """The script came to its end: the plan is there and names as many checks as were reported."""
    seconds: float = 0.0
    console: str = ""

    def explain(self) -> str:
        """For an assertion: every failed check, and the console when the script did not come to its end."""
        lines = [f"not ok - {name}\n{said}" for name, said in self.failed.items()]
        if not self.whole:
            tail = "\n".join(self.console.splitlines()[-CONSOLE_LINES_SHOWN:])
            lines.append(f"the script did not come to its end ({self.seconds:.0f} s); the console said last:\n{tail}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Guest:
    """What a guest is booted for: the script, and what makes the files for its /lab."""

    script: str
    files: Callable[[], Mapping[str, bytes]]


class Guests:
    """The guests of a session's tests, all booted when it begins: their scripts run beside tests that leave a processor idle.

    For the tests' conftest; a test asks for `report`, which waits for the end of its guest.
    """

    def __init__(self, wanted: Iterable[Guest]) -> None:
        self._reports: dict[Guest, Report] = {}
        self._booted: dict[Guest, Booted] = {}
        image = os.environ.get("NETLAB_GUEST_DIR", "")
        try:
            for guest in wanted if image else ():
                self._booted[guest] = Booted(Path(image), guest)
        except BaseException:
            self.close()
            raise

    def report(self, guest: Guest) -> Report:
        assert self._booted, NO_IMAGE
        if guest not in self._reports:
            self._reports[guest] = self._booted[guest].report()
        return self._reports[guest]

    def close(self) -> None:
        for booted in self._booted.values():
            booted.close()


class Booted:
    """One machine. Its port and its console are files, so that nobody has to sit and read while it runs."""

    def __init__(self, image: Path, guest: Guest) -> None:
        self._began = time.monotonic()
        self._temporary = tempfile.TemporaryDirectory(prefix="netlab-guest-")
        self._folder = Path(self._temporary.name)
        _write_disk(self._folder / "script", (PROLOGUE + guest.script + EPILOGUE).encode(), b"\n")
        _write_disk(self._folder / "files", _tar(guest.files()), b"\0")
        command = ["nice", "-n", str(NICENESS), *_command(image, self._folder)]
        with (self._folder / "error").open("wb") as error:
            self._machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=error)

    def report(self) -> Report:
        """When the script has come to its end, or has not after LIMIT_S: from now on, for until now others went first."""
        deadline = time.monotonic() + LIMIT_S
        while self._machine.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_S)
        said, console, error = (self._said(name) for name in (PORT, "console", "error"))
        report = parse(said)
        report.seconds, report.console = time.monotonic() - self._began, console + error
        self.close()
        return report

    def _said(self, name: str) -> str:
        path = self._folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self) -> None:
        self._machine.kill()
        self._machine.wait()
        self._temporary.cleanup()


def parse(text: str) -> Report:
    """TAP as the prologue writes it."""
    report, last = Report(), ""
    for line in text.splitlines():
        if match := _LINE.match(line):
            last = match["name"] if match["ok"] == "not ok" else ""
            if last:
                report.failed[last] = ""
            else:
                report.passed.append(match["name"])
        elif line.startswith("1.."):
            report.whole = int(line[3:]) == len(report.passed) + len(report.failed)
        elif last and line.startswith("# "):
            report.failed[last] += line[2:] + "\n"
        elif line.startswith("# "):
            report.notes.append(line[2:])
    return report


def _command(image: Path, folder: Path) -> list[str]:
    disks = [image / "root.squashfs", image / "app.squashfs", folder / "script", folder / "files"]
    words = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", str(MEMORY_MB), "-nodefaults"]
    words += ["-no-user-config", "-no-reboot", "-display", "none", "-serial", f"file:{folder / 'console'}"]
    words += ["-device", "virtio-serial-pci", "-chardev", f"file,id=tap,path={folder / PORT}"]
    words += ["-device", f"virtserialport,chardev=tap,name={PORT}", "-device", "virtio-rng-pci"]
    for number, path in enumerate(disks):
        words += ["-drive", f"file={path},if=none,id=d{number},format=raw,readonly=on"]
        words += ["-device", f"virtio-blk-pci,drive=d{number}"]
    return [*words, "-kernel", str(image / "bzImage"), "-append", f'{KERNEL_COMMAND_LINE} "netlab_main=bash /dev/vdc"']


def _write_disk(path: Path, content: bytes, padding: bytes) -> None:
    """A disk is whole sectors."""
    path.write_bytes(content + padding * (-len(content) % 512 or 512))
    os.chmod(path, 0o644)


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
