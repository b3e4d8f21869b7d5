"""`python -m netlab.host.probe`: the table of what this kernel can do; `--json` for programs."""

import argparse
import json
import os
import sys
from pathlib import Path

from netlab.host.probe.abilities import probe_all
from netlab.host.probe.table import table


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="probe", description="Find out what this kernel can do, by doing it.")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--rootfs", type=Path, help="the nodes' root file system, or where it will be")
    arguments = parser.parse_args(argv)
    if os.geteuid() != 0:
        print("The probe makes namespaces, so it has to be run as root.", file=sys.stderr)
        return 1
    reports = probe_all(arguments.rootfs)
    print(json.dumps([r.model_dump() for r in reports]) if arguments.json else table(reports))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
