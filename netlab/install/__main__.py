"""`python3 -m netlab.install COMMAND`: what each target of the Makefile runs."""

import os
import subprocess
import sys
from collections.abc import Sequence

from netlab.install import checks, content, down, guest, status, up
from netlab.install.failure import Failed
from netlab.install.instance import load_instance

LOG_LINES = 30


def main(words: Sequence[str]) -> int:
    command, arguments = (words[0], words[1:]) if words else ("", [])
    try:
        match command:
            case "up":
                return up.up(load_instance())
            case "down":
                return down.down(load_instance())
            case "status":
                return status.status(load_instance())
            case "password":
                return password()
            case "logs":
                return logs()
            case "test" | "test-fast":
                return checks.test(command == "test-fast", arguments)
            case "guest":
                return guest.command(arguments)
            case "lint":
                return checks.lint()
            case "lock":
                return checks.lock()
            case _ if command in checks.BENCHES:
                return checks.bench(command, arguments)
    except Failed as failure:
        print(f"make {command}: {failure.what}\n  What to do: {failure.hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"netlab.install: unknown command {command!r}", file=sys.stderr)
    return 2


def password() -> int:
    instance = load_instance()
    if os.geteuid() != 0:
        raise Failed("only root may read the sign-in", "Run it as root, or with sudo.")
    sign_in = content.read_sign_in(instance)
    if sign_in is None:
        raise Failed(f"there is no netlab in {instance.state_dir}", "Run `make up`.")
    print(f"name      {sign_in.name}\npassword  {sign_in.password}")
    print("\nIt is the first one; a new one: .venv/bin/python manage.py make_instructor NAME (docs/operate.md).")
    return 0


def logs() -> int:
    instance = load_instance()
    files = sorted(str(path) for path in instance.log_dir.glob("*.log"))
    if not files:
        raise Failed(f"there are no logs in {instance.log_dir}", "Run `make up` first, as root.")
    return subprocess.run(["tail", "-n", str(LOG_LINES), "-F", *files], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
