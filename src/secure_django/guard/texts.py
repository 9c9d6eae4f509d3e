"""Texts that a request stores: their length, and the scheme of URLs."""

import re
from collections.abc import Iterator
from typing import Any

from django.db.models import URLField

from secure_django.guard.attempts import Attempt
from secure_django.guard.typed import LONG

URL = re.compile("(https?|ftps?)://|$")


def weaknesses(attempt: Attempt) -> Iterator[str]:
    for change in attempt.answer.changes:
        for field in change.fields():
            value = change.new.get(field.attname)
            if isinstance(value, str):
                name = f"{change.model.__name__}.{field.name}"
                yield from faults_of_text(value, field, name)


def faults_of_text(text: str, field: Any, name: str) -> Iterator[str]:
    if isinstance(field, URLField) and not URL.match(text):
        yield f"stores what is no URL as {name}: save it by a form"
    is_limited = len(text) <= (field.max_length or 0)
    if len(text) >= len(LONG) and not is_limited:
        yield f"stores a text of any length as {name}: set its max_length"
