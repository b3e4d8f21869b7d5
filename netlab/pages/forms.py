"""The instructor's form about a workshop: what was typed stays, each field says what is wrong with it."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone

from netlab.catalogue.labs import all_labs
from netlab.domain.lab import Isolation
from netlab.pages.lab_cards import ISOLATION_WORDS
from netlab.workshops.models import SEATS_MAX, TITLE_CHARS_MAX, Workshop

LOCAL_FORMAT = "%Y-%m-%dT%H:%M"
"""What <input type=datetime-local> sends (HTML, 'valid local date and time string')."""
WHEN_FORMATS = [LOCAL_FORMAT, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"]


class _When(forms.DateTimeField):
    """In the time zone of the request, which the page names beside the field."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=LOCAL_FORMAT)
        errors = {"invalid": "This is not a date and time. Write it like 2026-11-30T14:00."}
        super().__init__(required=False, input_formats=WHEN_FORMATS, widget=widget, error_messages=errors, **kwargs)


class WorkshopForm(forms.Form):
    title = forms.CharField(
        max_length=TITLE_CHARS_MAX, label="Title",
        error_messages={"required": "A title is missing. People see it when they join."},
    )
    labs = forms.MultipleChoiceField(
        required=False, label="Labs", widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "There is no lab %(value)s any more. Choose the labs again."},
    )
    seats = forms.IntegerField(
        min_value=1, max_value=SEATS_MAX, initial=30, label="Seats",
        help_text="How many people may join.",
        error_messages={
            "required": "The number of seats is missing.", "invalid": "Seats are a whole number.",
            "min_value": "A workshop has at least 1 seat.", "max_value": f"A workshop has at most {SEATS_MAX} seats.",
        },
    )
    isolation = forms.ChoiceField(
        label="Kernel", widget=forms.RadioSelect, initial=Isolation.STRANGERS.value,
        choices=[(i.value, ISOLATION_WORDS[i][0]) for i in Isolation],
        error_messages={"required": "Choose whose kernel people get.", "invalid_choice": "Choose one of the three."},
    )
    show_solutions = forms.BooleanField(required=False, label="People may see the solution of each step")
    opens_at = _When(label="Opens")
    closes_at = _When(label="Closes")

    def __init__(self, *args: Any, keep_labs: list[str] | None = None, **kwargs: Any) -> None:
        """`keep_labs`: those that the workshop has; they stay choosable when their folder is broken."""
        super().__init__(*args, **kwargs)
        field = self.fields["labs"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = _labs_in_order(keep_labs or [], self.data.getlist("labs") if isinstance(self.data, QueryDict) else [])
        for name, box in self.fields.items():
            if name in self.errors if self.is_bound else False:
                box.widget.attrs["aria-invalid"] = "true"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        opens, closes = cleaned.get("opens_at"), cleaned.get("closes_at")
        if opens and closes and closes <= opens:
            self.add_error("closes_at", "It would close before it opens. Change one of the two times.")
        return cleaned

    @property
    def zone(self) -> str:
        return timezone.get_current_timezone_name()


def _labs_in_order(kept: list[str], typed: list[str]) -> list[tuple[str, str]]:
    """(id, title): the chosen ones first, in their order, then the catalogue's. A browser sends them as they stand there."""
    labs = {lab.id: lab.spec.title for lab in all_labs()}
    labs |= {lab_id: f"{lab_id} (broken or gone)" for lab_id in kept if lab_id not in labs}
    chosen = [lab_id for lab_id in typed or kept if lab_id in labs]
    return [(lab_id, labs[lab_id]) for lab_id in dict.fromkeys([*chosen, *labs])]


def initial_of(workshop: Workshop) -> dict[str, Any]:
    return {
        "title": workshop.title, "labs": [link.lab for link in workshop.labs.all()], "seats": workshop.seats,
        "isolation": workshop.isolation, "opens_at": workshop.opens_at, "closes_at": workshop.closes_at,
        "show_solutions": workshop.show_solutions,
    }
