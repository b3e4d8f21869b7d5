"""The process that reads an attendee's object: gives up all rights, then runs one of our readers on what comes on stdin.

Started by `object_reader` as `python -I -S -c <this text> UID MODULE FUNCTION [NAME TEXT]...`: it may not be able to open our
files, so the readers' texts are in its command line. It answers with JSON, and never writes a file or starts a program.
"""

import ctypes
import json
import os
import resource
import sys
import types

OBJECT_BYTES_MAX = 1 << 20


def _give_up_rights(uid: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (2, 2))
    resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        if libc.unshare(0x40000000 | 0x08000000):  # CLONE_NEWNET | CLONE_NEWIPC
            raise OSError(ctypes.get_errno(), "unshare")
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)  # from root: empties the permitted and effective sets
    if libc.prctl(38, 1, 0, 0, 0):  # PR_SET_NO_NEW_PRIVS
        raise OSError(ctypes.get_errno(), "no_new_privs")
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def _main(uid: int, module: str, function: str, *texts: str) -> None:
    for name, text in zip(texts[::2], texts[1::2], strict=True):
        made = sys.modules[name] = types.ModuleType(name)
        exec(compile(text, name, "exec"), made.__dict__)  # noqa: S102  # our own reader
    _give_up_rights(uid)
    reader = sys.modules[module]
    try:
        answer: object = getattr(reader, function)(sys.stdin.buffer.read(OBJECT_BYTES_MAX + 1))
    except reader.ObjectError as error:
        answer = {"error": str(error)}
    sys.stdout.buffer.write(json.dumps(answer).encode())
    sys.stdout.flush()


if __name__ == "__main__":
    _main(int(sys.argv[1]), *sys.argv[2:])
