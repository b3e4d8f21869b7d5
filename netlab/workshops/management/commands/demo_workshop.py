"""`manage.py demo_workshop`: a ready, open workshop with every lab of the catalogue. Run by `make up`; again changes nothing."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from netlab.accounts.choices import TEACHING
from netlab.accounts.models import User
from netlab.catalogue.labs import all_labs
from netlab.domain.lab import Isolation
from netlab.workshops.actions import code_of, do_create_workshop, do_open_workshop, do_set_labs
from netlab.workshops.codes import join_link, show_code
from netlab.workshops.models import Workshop

DEMO_ID = "demo"
DEMO_TITLE = "Demo workshop"
DEMO_SEATS = 100


class Command(BaseCommand):
    help = "Make the open demo workshop, or give it the labs that have come since, and print its join link."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--instructor", default="", help="sign-in name of its instructor; the first one when not given")
        parser.add_argument("--json", action="store_true", help="print {code, link, workshop}")

    def handle(self, *args: Any, **options: Any) -> None:
        instructor = self._instructor(options["instructor"])
        workshop = Workshop.objects.filter(pk=DEMO_ID).first()
        if workshop is None:
            workshop = do_create_workshop(
                instructor, DEMO_TITLE, seats=DEMO_SEATS, isolation=Isolation.STRANGERS, workshop_id=DEMO_ID
            )
            do_open_workshop(workshop)
        labs = [lab.id for lab in all_labs()]
        if labs != list(workshop.labs.values_list("lab", flat=True)):
            do_set_labs(workshop, labs)
        code = code_of(workshop)
        if options["json"]:
            self.stdout.write(json.dumps({"code": show_code(code), "link": join_link(code), "workshop": workshop.pk}))
        else:
            self.stdout.write(f"{workshop.title}: {join_link(code)}")

    @staticmethod
    def _instructor(username: str) -> User:
        teaching = User.objects.filter(role__in=TEACHING).order_by("created_at")
        found = teaching.filter(username=username).first() if username else teaching.first()
        if found is None:
            raise CommandError("There is no such instructor. Make one first: manage.py make_instructor NAME")
        return found
