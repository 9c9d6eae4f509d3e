"""Numbers of models: which of them count, pay or measure something."""

import re
from typing import Any

from django.db import models

ZERO = 0
NEGATIVE = -7
HUGE = 999_999_999
NUMBERS = (models.DecimalField, models.FloatField, models.IntegerField)
# Names of what one pays or takes: nobody takes 0 of it.
AMOUNT = re.compile(r"amount|quantity")
# Names of what one counts, pays or measures; others may be below zero.
QUANTITY = re.compile(
    r"(.*_)?(amount|copies|count|days|guests|hours|minutes|months|number|people|pieces"
    r"|places|points|price|quantity|seats|size|stock|tickets|total|units|weeks|years)"
)
# Names of what has a scale.
SHARE = re.compile(
    r"(.*_)?((?P<percentage>discount|percent|percentage)|rating|score|stars)"
)


def is_number(field: Any) -> bool:
    return isinstance(field, NUMBERS) and not field.is_relation


def is_quantity(name: str) -> bool:
    return bool(QUANTITY.fullmatch(name) or SHARE.fullmatch(name))


def odd_numbers(name: str) -> tuple[int, ...]:
    """Return what a quantity of this name should not be."""
    return (ZERO, NEGATIVE, HUGE) if AMOUNT.fullmatch(name) else (NEGATIVE, HUGE)


def quantities_of(row: models.Model) -> list[str]:
    """Return the names of the fields of a row that are no less than zero."""
    fields = filter(is_number, row._meta.concrete_fields)
    return [field.name for field in fields if is_quantity(field.name)]
