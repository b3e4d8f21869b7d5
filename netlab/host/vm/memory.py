"""Memory of machines as files in memory: made, sealed, copied without zeros. Called by `templates`, `store`, `machines`.

QEMU 7 opens the memory that it maps copy-on-write for writing all the same. A sealed file in memory gives it that descriptor
and lets nobody write through it, whatever has become of that QEMU; and no clone minds what happens to the template's file.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator

BLOCK_BYTES = 16_384
"""Zeros of so much are left out."""
READ_BYTES = 1 << 20
_ZEROS = bytes(BLOCK_BYTES)
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


def create(name: str, size: int) -> int:
    """A descriptor of zeros."""
    fd = os.memfd_create(f"netlab-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, size)
    except BaseException:
        os.close(fd)
        raise
    return fd


def seal(fd: int) -> None:
    """Nobody changes it any more, who holds a descriptor now or later. Raises OSError (EBUSY) while somebody maps it shared."""
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)


def copy(source: int, target: int) -> str:
    """Everything but zeros; the digest of it. Raises OSError. Takes tens of milliseconds: belongs into a thread."""
    digest = hashlib.sha256()
    for offset, block in _blocks(source):
        digest.update(offset.to_bytes(8, "big"))
        digest.update(block)
        _write(target, offset, block)
    return digest.hexdigest()


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def used_bytes(fd: int) -> int:
    return os.fstat(fd).st_blocks * 512


def _write(fd: int, offset: int, data: memoryview) -> None:
    while data:
        written = os.pwrite(fd, data, offset)
        data, offset = data[written:], offset + written


def _blocks(fd: int) -> Iterator[tuple[int, memoryview]]:
    """Runs of blocks that are not all zero, in order; how they are cut depends on their content alone."""
    size = os.fstat(fd).st_size
    for start, end in _extents(fd, size):
        for begin in range(start, end, READ_BYTES):
            data = memoryview(os.pread(fd, min(READ_BYTES, end - begin), begin))
            for at in range(0, len(data), BLOCK_BYTES):
                block = data[at : at + BLOCK_BYTES]
                if block != _ZEROS[: len(block)]:
                    yield begin + at, block


def _extents(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """Where there is data, in whole blocks, none twice."""
    done = 0
    while done < size:
        try:
            start = os.lseek(fd, done, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            raise
        end = os.lseek(fd, start, os.SEEK_HOLE)
        start = max(done, start // BLOCK_BYTES * BLOCK_BYTES)
        end = min(size, -(-end // BLOCK_BYTES) * BLOCK_BYTES)
        yield start, end
        done = end
