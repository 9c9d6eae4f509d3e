"""Example values for the fields of rows that the guard makes."""

from io import BytesIO
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import models
from PIL import Image

from secure_django.guard.examples import example, examples, needs_example


class MarkupField(models.TextField):
    """A text of a package, which no library knows."""


def named(field: Any) -> Any:
    field.set_attributes_from_name("text")
    field.model = Session
    return field


def test_database_counts_by_itself() -> None:
    """A model whose save() asks for its key would take a new row for an old one."""
    assert not needs_example(named(models.BigAutoField(primary_key=True)))
    assert needs_example(named(models.CharField(max_length=9, primary_key=True)))


def test_key_that_is_a_text_has_a_value() -> None:
    assert examples(Session, 5).keys() == {"session_key", "session_data", "expire_date"}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (models.IntegerField(blank=True), True),
        (models.DateField(blank=True), True),
        (models.DateField(auto_now_add=True), False),
        (models.IntegerField(blank=True, null=True), False),
        (models.TextField(blank=True), False),
    ],
)
def test_blank_field_that_takes_no_empty_text_needs_a_value(
    field: Any, expected: bool
) -> None:
    assert needs_example(named(field)) is expected


@pytest.mark.parametrize("kind", [models.TextField, MarkupField])
def test_text_has_the_number(kind: type[models.TextField]) -> None:
    assert example(named(kind()), 5) == "text 5"


def test_image_can_be_opened() -> None:
    file = example(named(models.ImageField()), 5)
    with Image.open(BytesIO(file.read())) as image:
        image.load()
    assert file.name == "pixel5.png"
