"""What is sent: the columns that an import expects, and dates as from a browser."""

from datetime import date, datetime

import pytest
from django import forms
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from secure_django.guard.forms import fitting_value
from secure_django.guard.requests import cells_of
from secure_django.guard.typed import TEXT
from secure_django.guard.world import is_beside_key


def test_cells_of_an_import_are_those_of_a_row_and_what_it_leads_to() -> None:
    kind = ContentType(pk=3, app_label="shop", model="order")
    entry = LogEntry(object_repr="Eggs", object_id="7", content_type=kind)
    heading = ("Object repr", "object_id", "App label", "Colour")
    assert cells_of(entry, heading) == {
        "Object repr": "Eggs",
        "object_id": TEXT,
        "App label": "shop",
        "Colour": "",
    }


@pytest.mark.parametrize("initial", [date(2030, 2, 1), datetime(2030, 2, 1, 9)])  # noqa: DTZ001
def test_initial_date_is_sent_as_a_browser_does(initial: date) -> None:
    class DayForm(forms.Form):
        day = forms.DateField(initial=initial)

    assert fitting_value(DayForm()["day"], 0) == "2030-02-01"


def test_choice_without_a_queryset_yet_ends_nothing() -> None:
    class KindForm(forms.Form):
        kind: forms.Field = forms.ModelChoiceField(queryset=None)

    assert fitting_value(KindForm()["kind"], 0) == TEXT


def test_slug_beside_a_key_names_the_same_object() -> None:
    assert is_beside_key("list_slug", ["list_slug", "list_id"])
    assert is_beside_key("list_slug", ["list_slug", "pk"])
    assert is_beside_key("slug", ["slug", "topic_id"])
    assert not is_beside_key("list_slug", ["list_slug", "task_id"])
    assert not is_beside_key("list_id", ["list_id", "pk"])
