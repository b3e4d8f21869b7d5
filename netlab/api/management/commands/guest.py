"""`manage.py guest export FILE | import FILE | status`: the guest image as one file, for hosts that should not build it.

The work is netlab.install's, which builds the image too. Changes nothing but the cache of images and the file.
"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from netlab.install import guest
from netlab.install.failure import Failed


class Command(BaseCommand):
    help = "Carry the guest image (its own kernel for every VM lab) to a host that should not build it, or say how it stands."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        actions.add_parser("export", help="write the image into a file").add_argument("file")
        actions.add_parser("import", help="put a file's image in place").add_argument("file")
        actions.add_parser("status", help="ready, building, failed or absent")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            guest.command([options["action"], *([options["file"]] if "file" in options else [])])
        except Failed as failure:
            raise CommandError(f"{failure.what}. {failure.hint}") from failure
