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
    return field


def test_database_counts_by_itself() -> None:
    """A model whose save() asks for its key would take a new row for an old one."""
    assert not needs_example(named(models.BigAutoField(primary_key=True)))
    assert needs_example(named(models.CharField(max_length=9, primary_key=True)))


def test_key_that_is_a_text_has_a_value() -> None:
    assert examples(Session, 5).keys() == {"session_key", "session_data", "expire_date"}


@pytest.mark.parametrize("kind", [models.TextField, MarkupField])
def test_text_has_the_number(kind: type[models.TextField]) -> None:
    assert example(named(kind()), 5) == "text 5"


def test_image_can_be_opened() -> None:
    file = example(named(models.ImageField()), 5)
    with Image.open(BytesIO(file.read())) as image:
        image.load()
    assert file.name == "pixel5.png"
