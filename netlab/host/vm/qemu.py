"""QEMU's command line, in one place: what a machine has and has not. Called by `machines`; pure but for `identify`.

A machine is a q35 without network, display, USB or disks to write to: two read-only images, a serial console kept in a
small ring, a port, entropy, and a device that tells panics. None tells a clone that it is one (vmgenid): its interrupt runs a
thousand pieces of the guest's kernel that are translated for nothing, for PERSONALISE seeds anew before anything else. A
template and its clones have the same devices: the command line is part of a template's key.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from netlab.host.kernel.process import ENVIRONMENT, run
from netlab.host.vm.api import Acceleration, Shape
from netlab.host.vm.image import KERNEL_COMMAND_LINE
from netlab.wire.guest_port import PORT_NAME

BINARY = "qemu-system-x86_64"

TIMING_ARGUMENTS = "no_timer_check tsc=reliable nowatchdog rcupdate.rcu_cpu_stall_suppress=1"
"""A busy host gives a machine its CPU now and then. A guest that judged its clocks by that would take its board for broken,
leave the time stamp counter for good, and fill its log with stalls."""
KERNEL_ARGUMENTS = f"{KERNEL_COMMAND_LINE} {TIMING_ARGUMENTS} rcupdate.rcu_expedited=1"
"""Expedited RCU makes and removes interfaces quickly on one CPU."""
TRIAL_ARGUMENTS = f"console=ttyS0 quiet panic=-1 {TIMING_ARGUMENTS}"
"""Without a root: a kernel that has come up panics for the lack of it. The quickest proof that a machine runs guests."""

TRANSLATION_MB = 64
"""Cache of translated code; QEMU's own default of 1 GiB would be each guest's to fill."""
CONSOLE_BYTES = 65_536
"""A guest may write what it likes: the last of it is kept, in QEMU's memory. A power of two."""
CPUS = {"tcg": "max,-svm,-vmx,-la57", "kvm": "host,-svm,-vmx"}
"""Never nested virtualisation. Without 57-bit addresses: one step less for each address that software translates."""
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

LOG_FDS = (1, 2)
MONITOR_FD, PORT_FD, MEMORY_FD, STATE_FD = 3, 4, 5, 6
"""What the process is given, beside standard input from /dev/null and its log."""
IMAGE_FOLDER = "/image"
"""Where the guest image is in the process's own root."""
PORT_ID, CONSOLE_ID = "port0", "console"


@dataclass(frozen=True)
class Hypervisor:
    """The QEMU of this host and how it runs guests here."""

    binary: Path
    version: str
    """Its whole version line, with the distribution's revision."""
    acceleration: Acceleration
    cpu: str = ""
    """The host's CPU model; with KVM templates are bound to it."""


class NoQemu(Exception):
    """QEMU is not installed."""


async def identify(acceleration: Acceleration) -> Hypervisor:
    """Raises NoQemu."""
    found = shutil.which(BINARY, path=ENVIRONMENT["PATH"])
    if found is None:
        raise NoQemu(f"{BINARY} is not installed")
    said = (await run([found, "--version"])).check().stdout.decode()
    return Hypervisor(Path(found).resolve(), said.splitlines()[0], acceleration, cpu_model() if acceleration == "kvm" else "")


def cpu_model() -> str:
    """Name and features: a template with KVM runs only on the CPU that it was made on."""
    wanted = ("model name", "flags", "microcode")
    lines = [line for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines() if line.startswith(wanted)]
    return "\n".join(lines)


@dataclass(frozen=True)
class MachinePlan:
    """Which machine is to run. `shared`: its memory is a template in the making, else it is mapped copy-on-write."""

    name: str
    shape: Shape
    shared: bool = False
    memory_given: bool = True
    """False: memory of its own, filled by the state that it goes on from."""
    incoming: bool = False
    """It goes on from a state; otherwise it boots."""
    trial: bool = False
    """Only the kernel, to see whether it comes up."""


def command_line(hypervisor: Hypervisor, plan: MachinePlan) -> list[str]:
    tcg = hypervisor.acceleration == "tcg"
    memory = f"{plan.shape.memory_mb}M"
    return [
        str(hypervisor.binary),
        "-name", plan.name, "-nodefaults", "-no-user-config", "-display", "none", "-sandbox", SANDBOX,
        "-machine", "q35,memory-backend=m0,usb=off,graphics=off,vmport=off,smbus=off,sata=off",
        "-accel", f"tcg,tb-size={TRANSLATION_MB}" if tcg else "kvm",
        "-cpu", CPUS[hypervisor.acceleration], "-smp", str(plan.shape.cpus), "-m", memory,
        "-object", _memory(plan, memory),
        "-rtc", "base=utc,clock=host",
        "-action", "reboot=shutdown,shutdown=pause,panic=pause,watchdog=pause",
        "-chardev", f"ringbuf,id={CONSOLE_ID},size={CONSOLE_BYTES}", "-serial", f"chardev:{CONSOLE_ID}",
        "-chardev", f"socket,id=monitor,fd={MONITOR_FD},server=on,wait=off", "-mon", "chardev=monitor,mode=control",
        "-device", "virtio-serial-pci",
        "-chardev", f"socket,id=port,fd={PORT_FD},server=on,wait=off",
        "-device", f"virtserialport,id={PORT_ID},chardev=port,name={PORT_NAME}",
        "-device", "virtio-rng-pci", "-device", "pvpanic-pci",
        *([] if plan.trial else _disk("root", "root.squashfs") + _disk("app", "app.squashfs")),
        "-kernel", f"{IMAGE_FOLDER}/bzImage", "-append", TRIAL_ARGUMENTS if plan.trial else KERNEL_ARGUMENTS,
        *(["-incoming", "defer"] if plan.incoming else []),
    ]


def _memory(plan: MachinePlan, size: str) -> str:
    if not plan.memory_given:
        return f"memory-backend-ram,id=m0,size={size}"
    share = "on" if plan.shared else "off"
    return f"memory-backend-file,id=m0,size={size},mem-path=/proc/self/fd/{MEMORY_FD},share={share}"


def _disk(name: str, file: str) -> list[str]:
    """Its pages are in the host's cache once, for all machines."""
    return [
        "-blockdev", f"driver=file,node-name={name}-file,filename={IMAGE_FOLDER}/{file},read-only=on,locking=off",
        "-blockdev", f"driver=raw,node-name={name},file={name}-file,read-only=on",
        "-device", f"virtio-blk-pci,drive={name}",
    ]
