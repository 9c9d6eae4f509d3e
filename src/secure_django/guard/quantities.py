"""Numbers that a request stores: a quantity is not negative, and an amount not 0."""

from collections.abc import Iterator
from typing import Any

from secure_django.guard.advice import ADVICE
from secure_django.guard.attempts import Attempt
from secure_django.guard.numbers import (
    AMOUNT,
    HUGE,
    NEGATIVE,
    SHARE,
    ZERO,
    is_number,
    is_quantity,
)

USUAL = 3


def weaknesses(attempt: Attempt) -> Iterator[str]:
    for change in attempt.answer.changes:
        for field in filter(is_number, change.fields()):
            value = change.new.get(field.attname)
            name = f"{change.model.__name__}.{field.name}"
            yield from faults_of_number(value, field.name, name)
            if value == ZERO and takes_zero(attempt, field):
                yield f"stores 0 as {name}: {ADVICE.bound_amount}"


def faults_of_number(value: Any, field_name: str, name: str) -> Iterator[str]:
    if value == NEGATIVE and is_quantity(field_name):
        yield f"stores a negative number as {name}: set a MinValueValidator"
    if value == HUGE and SHARE.fullmatch(field_name):
        yield f"stores any number as {name}: set a MaxValueValidator"


def takes_zero(attempt: Attempt, field: Any) -> bool:
    """Return whether 0 is what was sent, and no value that the view sets itself."""
    name = field.name
    sent = attempt.request.sent.get(name)
    is_sent = type(sent) is int and sent == ZERO
    if not is_sent or not AMOUNT.fullmatch(name) or attempt.allows(name):
        return False
    options = attempt.request.options
    usual = options | {"data": options["data"] | {name: USUAL}}
    answer = attempt.sender.send(
        attempt.user, attempt.url, attempt.request.method, **usual
    )
    return any(
        change.model is field.model and change.new.get(field.attname) == USUAL
        for change in answer.changes
    )
