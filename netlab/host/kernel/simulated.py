"""Simulated devices of the whole machine, by sysfs: netdevsim cards and their wires, and software switches (dsa_netlab).

Used by the fork server. Both belong to no namespace: whoever makes one keeps a record of its number and removes it.
"""

import os
from contextlib import suppress
from pathlib import Path

BUS = Path("/sys/bus")
SWITCHES_MAX = 9999
NETDEVSIM, SWITCHES = BUS / "netdevsim", BUS / "dsa_netlab"


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def free_netdevsims(count: int) -> int:
    """The first of so many numbers in a row that no card has."""
    taken = {int(name.removeprefix("netdevsim")) for name in _listed(NETDEVSIM / "devices")}
    first = 1
    while blocked := [n for n in range(first, first + count) if n in taken]:
        first = blocked[-1] + 1
    return first


def free_switch(promised: set[int]) -> int:
    """The first number that no switch has; `promised` are those of switches that are yet to be made."""
    names = [name.rpartition(".")[2] for name in _listed(SWITCHES / "devices")]
    taken = promised | {int(name) for name in names if name.isdigit()}
    return next(n for n in range(1, SWITCHES_MAX + 1) if n not in taken)


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def new_netdevsim(number: int, queues: int) -> None:
    """A card with one port, in the network namespace that the caller is in; its interface's name is the kernel's choice."""
    _write(NETDEVSIM / "new_device", f"{number} 1 {queues}")


def link_netdevsims(a: tuple[int, int], b: tuple[int, int]) -> None:
    """Each end as (descriptor of its namespace, interface index)."""
    _write(NETDEVSIM / "link_device", f"{a[0]}:{a[1]} {b[0]}:{b[1]}")


def delete_netdevsim(number: int) -> None:
    """Nothing when it has gone already."""
    _quietly(NETDEVSIM / "del_device", str(number))


def new_switch(number: int, conduit: tuple[int, str], wire: str, ports: int, tagger: str, prefix: str) -> None:
    """`conduit` is (descriptor of its namespace, name); the wire and the ports' outer sides are in the caller's."""
    _write(SWITCHES / "new_switch", f"{number} {conduit[0]}:{conduit[1]} {wire} {ports} {tagger} {prefix}")


def delete_switch(number: int) -> None:
    _quietly(SWITCHES / "del_switch", str(number))


def outer_side(number: int, port: int) -> str:
    """The name at birth of what plugs into a port (from 1)."""
    return f"sw{number}p{port}"


def _quietly(path: Path, text: str) -> None:
    with suppress(FileNotFoundError):  # the module, or what it made, has gone
        _write(path, text)
