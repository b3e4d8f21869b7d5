"""`manage.py make_instructor NAME`: an instructor who can sign in, or a new password for one. Run by `make up`, too."""

import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from netlab.accounts.actions import do_make_instructor
from netlab.accounts.choices import Role
from netlab.domain.errors import NetlabError

PASSWORD_BYTES = 12


class Command(BaseCommand):
    help = "Make an instructor, or give one a new password; without a password file a password is made and printed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what they sign in with")
        parser.add_argument("--display-name", default="", help="what attendees see")
        parser.add_argument("--password-file", type=Path, help="file whose first line is the password")
        parser.add_argument("--operator", action="store_true", help="may manage every workshop")

    def handle(self, *args: Any, **options: Any) -> None:
        given = self._password(options["password_file"])
        password = given or secrets.token_urlsafe(PASSWORD_BYTES)
        role = Role.OPERATOR if options["operator"] else Role.INSTRUCTOR
        try:
            user, is_new = do_make_instructor(options["name"], password, options["display_name"], role)
        except NetlabError as error:
            raise CommandError(f"{error.message} {error.hint}") from error
        self.stdout.write(f"{'Made' if is_new else 'New password for'} {user.role} {user.username}.")
        if not given:
            self.stdout.write(f"Password: {password}")

    @staticmethod
    def _password(path: Path | None) -> str:
        if path is None:
            return ""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise CommandError(f"The password file cannot be read: {error}.") from error
        if not lines or not lines[0]:
            raise CommandError(f"{path} is empty.")
        return lines[0]
