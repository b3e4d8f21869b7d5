"""No tracked file names a registry or a folder of somebody's machine; locks hold hashes and no addresses."""

import re
import subprocess
from pathlib import Path

TOP = Path(__file__).parents[2]
HOSTS = (
    "pypi" ".org", "pythonhosted" ".org", "npmjs" ".org", "npmjs" ".com", "yarnpkg" ".com",
    "deb" ".debian" ".org", "ftp.debian" ".org", "security.debian" ".org",
)
# cut in two so that this file may be tracked itself
_PARTS = (("work", "main"), ("work", "shared"), ("tmp", "w/"), ("root", ".cache"), ("root", ".pyenv"))
FOLDERS = tuple(f"/{first}/{second}" for first, second in _PARTS)
NOT_TEXT = {".png", ".ico", ".woff2", ".gz", ".pcap"}
OWN_NAME = Path(__file__).relative_to(TOP)


def tracked() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, text=True, check=True).stdout.split("\0")
    return [Path(name) for name in names if name and (TOP / name).is_file()]


def test_no_file_names_a_registry_or_a_machines_folder() -> None:
    pattern = re.compile("|".join(re.escape(word) for word in HOSTS + FOLDERS))
    found = [
        f"{path}: {match.group()}"
        for path in tracked()
        if path.suffix not in NOT_TEXT and path != OWN_NAME
        for match in [pattern.search((TOP / path).read_text(errors="replace"))]
        if match
    ]
    assert not found


def test_locks_hold_hashes_and_no_addresses() -> None:
    for name in ("base", "dev"):
        text = (TOP / "requirements" / f"{name}.txt").read_text()
        assert "://" not in text and "--index-url" not in text
        pins = [line for line in text.splitlines() if re.match(r"^[a-z0-9]", line)]
        assert pins and all("==" in pin and pin.endswith("\\") for pin in pins), "every pin is followed by its hashes"
        assert text.count("--hash=sha256:") >= len(pins)


def test_the_front_ends_lock_holds_no_addresses_of_packages() -> None:
    assert '"resolved"' not in (TOP / "frontend" / "package-lock.json").read_text()


def test_every_python_requirement_has_its_reason() -> None:
    for name in ("base", "dev"):
        for line in (TOP / "requirements" / f"{name}.in").read_text().splitlines():
            if line and not line.startswith(("#", "-c")):
                assert "#" in line or name == "dev", f"{name}.in: {line} has no reason"
