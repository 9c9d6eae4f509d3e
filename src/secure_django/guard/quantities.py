"""Numbers that a request stores: a quantity is not negative."""

from collections.abc import Iterator
from typing import Any

from secure_django.guard.attempts import Attempt
from secure_django.guard.numbers import HUGE, NEGATIVE, SHARE, is_number, is_quantity


def weaknesses(attempt: Attempt) -> Iterator[str]:
    for change in attempt.answer.changes:
        for field in change.fields():
            if is_number(field):
                value = change.new.get(field.attname)
                name = f"{change.model.__name__}.{field.name}"
                yield from faults_of_number(value, field.name, name)


def faults_of_number(value: Any, field_name: str, name: str) -> Iterator[str]:
    if value == NEGATIVE and is_quantity(field_name):
        yield f"stores a negative number as {name}: set a MinValueValidator"
    if value == HUGE and SHARE.fullmatch(field_name):
        yield f"stores any number as {name}: set a MaxValueValidator"
