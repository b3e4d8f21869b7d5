"""`manage.py lab new|lint|test|schema`: for authors of labs. It reads and writes lab folders and starts the tester.

The tester is a process of its own (`python -m netlab.host.try_lab`), since the web side never imports the host.
"""

import os
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from pydantic import TypeAdapter, ValidationError

from netlab.catalogue.new_lab import write_new_lab
from netlab.config import load_config
from netlab.domain.ids import LabId
from netlab.domain.lab_file import LabProblems, lab_folders, load_lab
from netlab.domain.lab_problems import nearest
from netlab.domain.lab_schema import SCHEMA_FILES, schema_text

TOP = Path(__file__).resolve().parents[4]


class Command(BaseCommand):
    help = "Make, check and try labs. Their format: docs/lab-format.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--labs-dir", type=Path, default=None, help="where the lab folders are")
        actions = parser.add_subparsers(dest="action", required=True, metavar="new|lint|test|schema")
        new = actions.add_parser("new", help="a small lab that works, to be changed")
        new.add_argument("id", metavar="ID", help="number-topic, like xdp-07-myths")
        lint = actions.add_parser("lint", help="everything that is wrong, with file, line and a way out")
        lint.add_argument("ids", nargs="*", metavar="ID")
        test = actions.add_parser("test", help="start labs for real: checks are red before, green after each solution (root)")
        test.add_argument("ids", nargs="*", metavar="ID")
        schema = actions.add_parser("schema", help="write labs/_schema/*.json, for editors")
        schema.add_argument("--check", action="store_true", help="only say whether they are current")

    def handle(self, *args: Any, **options: Any) -> None:
        labs_dir = options["labs_dir"] or load_config().labs_dir
        match options["action"]:
            case "new":
                self._new(labs_dir, options["id"])
            case "lint":
                self._lint(self._folders(labs_dir, options["ids"]))
            case "test":
                self._test(self._folders(labs_dir, options["ids"]))
            case "schema":
                self._schema(labs_dir, check=options["check"])

    def _folders(self, labs_dir: Path, ids: list[str]) -> list[Path]:
        known = {folder.name: folder for folder in lab_folders(labs_dir)}
        for lab_id in ids:
            if lab_id not in known:
                hint = nearest(lab_id, list(known)) or "there is none at all"
                raise CommandError(f"There is no lab {lab_id} in {labs_dir}; {hint}.")
        return [known[lab_id] for lab_id in ids] if ids else list(known.values())

    def _new(self, labs_dir: Path, lab_id: str) -> None:
        try:
            TypeAdapter(LabId).validate_python(lab_id)
        except ValidationError:
            rule = "small letters and digits, in words joined by single dashes"
            raise CommandError(f"{lab_id} cannot be a lab's id: {rule}.") from None
        folder = labs_dir / lab_id
        try:
            write_new_lab(folder)
        except FileExistsError:
            raise CommandError(f"{folder} is there already; nothing was changed.") from None
        self.stdout.write(f"{folder} works as it is. Next: manage.py lab lint {lab_id}, manage.py lab test {lab_id}.")

    def _lint(self, folders: list[Path]) -> None:
        found = 0
        for folder in folders:
            try:
                lab = load_lab(folder)
            except LabProblems as error:
                found += len(error.problems)
                for problem in error.problems:
                    self.stdout.write(f"{folder.name}/{problem}")
            else:
                self.stdout.write(f"{folder.name}: {len(lab.spec.steps)} steps, nothing wrong")
        if found:
            raise CommandError(f"{found} problem{'s' if found > 1 else ''} found.")

    def _test(self, folders: list[Path]) -> None:
        if os.geteuid() != 0:
            raise CommandError("Labs are made of namespaces, which only root can make. Run it again as root.")
        command = [sys.executable, "-m", "netlab.host.try_lab", *(str(folder.resolve()) for folder in folders)]
        self.stdout.flush()
        done = subprocess.run(command, cwd=TOP, check=False)
        if done.returncode != 0:
            raise CommandError("Not every step did what it should; see the table.")

    def _schema(self, labs_dir: Path, *, check: bool) -> None:
        folder = labs_dir / "_schema"
        folder.mkdir(exist_ok=True)
        for name in SCHEMA_FILES:
            path = folder / name
            if path.exists() and path.read_text() == schema_text(name):
                continue
            if check:
                raise CommandError(f"{path} is not current. Run: manage.py lab schema")
            path.write_text(schema_text(name))
            self.stdout.write(f"{path} written")
