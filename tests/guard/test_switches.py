"""A switch that opens a row to others is the permission to read what hangs on it."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from secure_django.guard.test_switches import PUBLISHES, leads_to


@pytest.mark.parametrize(
    ("model", "target", "expected"),
    [
        (Permission, ContentType, True),
        (ContentType, Permission, False),
        (LogEntry, ContentType, True),
    ],
)
def test_rows_hang_on_those_to_which_their_keys_lead(
    model: type[Model], target: type[Model], expected: bool
) -> None:
    assert leads_to(model, target) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("is_public", True),
        ("other_read", True),
        ("open_to_everyone", True),
        ("is_read", False),
        ("mother", False),
    ],
)
def test_name_says_whether_a_field_opens_a_row(name: str, expected: bool) -> None:
    assert bool(PUBLISHES.search(name)) is expected
