"""Attacks on the agent by what lies in /lab: links, FIFOs, sparse giants, swaps in the middle. The agent is root."""

import os
import time

import pytest

from netlab.host.engine.lab_folder import LabFolder
from tests.attacks.conftest import Box

pytestmark = pytest.mark.kernel

LIMIT_BYTES = 65_536


@pytest.fixture
def folder(box: Box) -> object:
    opened = LabFolder(box.attacker.lab_dir, box.attacker.places["a"].uid_base)
    yield opened
    opened.close()
    box.sh("a", "cd /lab && find . -mindepth 1 -delete")
    box.alive()


def test_links_out_are_not_followed(box: Box, folder: LabFolder) -> None:
    secret = box.secret
    box.out("a", f"""cd /lab; ln -s {secret} file.c; ln -s {secret.parent} dir; ln -s / root; ln -s ../../../../secret up.c
        mkdir real; ln -s {secret} real/file.c; ln -s /proc/1/root{secret} proc.c""")
    for path in ("file.c", "dir/secret", f"root{secret}", "up.c", "real/file.c", "proc.c"):
        found = folder.read(path, LIMIT_BYTES)
        assert found is None or found.data is None, path
    for path in ("dir/new.c", "root/tmp/netlab-attack.c"):
        with pytest.raises(OSError):
            folder.write(path, b"x")
    folder.write("file.c", b"mine")  # in the link's place, not through it
    assert box.out("a", "cat /lab/file.c") == "mine"
    folder.delete("real/file.c")
    assert secret.read_text() == box.facts["token"]
    assert not (secret.parent / "new.c").exists() and not os.path.exists("/tmp/netlab-attack.c")
    assert all("secret" not in names for _, _, names in folder.folders())


def test_nothing_in_it_holds_the_agent_up(box: Box, folder: LabFolder) -> None:
    box.out("a", "cd /lab; mkfifo fifo.c; truncate -s 8E giant.c || truncate -s 1T giant.c; ln -s loop.c loop.c; "
                 "perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack(\"Sa*\", 1, \"/lab/sock.c\"))'")
    began = time.monotonic()
    for path in ("fifo.c", "giant.c", "loop.c", "sock.c"):
        found = folder.read(path, LIMIT_BYTES)
        assert found is None or found.data is None, path
    list(folder.folders())
    assert time.monotonic() - began < 1


def test_a_tree_without_end_is_walked_for_a_bounded_time(box: Box, folder: LabFolder) -> None:
    box.out("a", "cd /lab; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do mkdir d; cd d; done; "
                 "cd /lab; mkdir w; seq 1 1500 | sed s,^,w/, | xargs touch")
    began = time.monotonic()
    walked = list(folder.folders())
    assert time.monotonic() - began < 1
    assert len(walked) <= 64


def test_swapping_a_folder_for_a_link_in_the_middle(box: Box, folder: LabFolder) -> None:
    """A loop in the node exchanges d, a folder, with a link to where the host's secret lies (renameat2)."""
    box.execute("a", ["/usr/bin/timeout", "3", "/usr/bin/perl", "-e", """
        chdir "/lab"; mkdir "d"; open(my $f, ">", "d/secret"); print $f "bait"; close $f; symlink($ARGV[0], "d2");
        my ($x, $y) = ("d", "d2"); while (1) { syscall(316, -100, $x, -100, $y, 2) }""",
        str(box.secret.parent)], background=True)
    begun = time.monotonic() + 20
    while folder.read("d/secret", LIMIT_BYTES) is None:
        assert time.monotonic() < begun, "the loop has not begun"
        time.sleep(0.01)
    end, seen, written = time.monotonic() + 2, 0, 0
    while time.monotonic() < end:
        found = folder.read("d/secret", LIMIT_BYTES)
        assert found is None or found.data != box.facts["token"].encode()
        seen += found is not None
        try:
            folder.write("d/planted", b"x")
            written += 1
        except OSError:
            continue
    assert not (box.secret.parent / "planted").exists()
    assert seen and written, "the loop did not run"
    time.sleep(1.2)  # until the loop has ended


def test_set_uid_and_devices_cannot_come_to_life_there(box: Box, folder: LabFolder) -> None:
    box.out("a", "cp /bin/sh /lab/sh && chmod 4755 /lab/sh")
    flags = os.statvfs(box.attacker.lab_dir).f_flag
    assert flags & os.ST_NOSUID and flags & os.ST_NODEV
