"""Forms whose values can be stored, shown and counted with."""

import re
from collections.abc import Mapping
from datetime import date, time, timedelta
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext_lazy as _

from secure_django.http import InvalidJSONError, parse_json
from secure_django.validators import validate_characters, validate_year

__all__ = ["BoundedFormMixin"]

type Bounds = tuple[Any, Any]  # the smallest and the largest value, or None

# Names of what one pays or takes: nobody takes 0 of it. As in the guard.
AMOUNT = re.compile(r"amount|quantity")
# Names of what is counted, paid or measured: it is not below zero. As in the guard.
QUANTITY = re.compile(
    r"(.*_)?(amount|copies|count|days|guests|hours|minutes|months|number|people|pieces"
    r"|places|points|price|quantity|seats|size|stock|tickets|total|units|weeks|years"
    r"|discount|percent|percentage|rating|score|stars)"
)
LARGEST_INTEGER = 2**31 - 1  # of Django's IntegerField
LARGEST_DECIMAL = 10**15
LONGEST_DURATION = timedelta(days=100_000_000)  # SQLite counts microseconds
# Django's fields raise an error of their own for what is no text.
TEXT_FIELDS = (
    forms.DateField,
    forms.DateTimeField,
    forms.TimeField,
    forms.GenericIPAddressField,
)
TEXT_VALUES = (str, date, time, type(None))


class BoundedFormMixin(forms.BaseForm):
    """A form that refuses what its fields take, and no database or page can handle.

    Put it before Django's form class. It refuses:

    - years before 1000 and after 9998, which have no date in another time zone;
    - an `amount` or a `quantity` of 0, and negative numbers of what is counted, paid or
      measured, by the field's name;
    - numbers and keys that are too large for the database;
    - JSON that `json_body` refuses, half a character, and in a form of JSON a date or
      an IP address that is no text.

    `bounds` sets others for numbers: `{"amount": (0, None), "degrees": (-50, 60)}`.
    """

    bounds: ClassVar[Mapping[str, Bounds]] = {}

    def full_clean(self) -> None:
        for name, field in self.fields.items():
            bound_field(field, name, self.bounds.get(name))
        super().full_clean()


def bound_field(field: Any, name: str, bounds: Bounds | None) -> None:
    """Let a field of one form refuse values. A second time changes nothing."""
    if "clean" not in vars(field):
        field.clean = partial(clean_value, field, field.clean)
    if isinstance(field, forms.JSONField) and "bound_data" not in vars(field):
        bound_data = partial(shown_json, field.bound_data)
        setattr(field, "bound_data", bound_data)  # noqa: B010
    for validator in validators_of(field, name, bounds):
        if validator not in field.validators:
            field.validators.append(validator)


def validators_of(field: forms.Field, name: str, bounds: Bounds | None) -> list[Any]:
    if isinstance(field, forms.IntegerField):
        return validators_of_number(field, name, bounds)
    if isinstance(
        field, forms.DateField | forms.DateTimeField | forms.SplitDateTimeField
    ):
        return [validate_year]
    if isinstance(field, forms.DurationField):
        return between(-LONGEST_DURATION, LONGEST_DURATION)
    if isinstance(field, forms.CharField) and not isinstance(field, forms.JSONField):
        return [validate_characters]
    return []


def validators_of_number(
    field: forms.IntegerField, name: str, bounds: Bounds | None
) -> list[Any]:
    smallest, largest = own_bounds(field)
    if bounds is not None:
        least, most = bounds
        smallest = smallest if least is None else None
        largest = largest if most is None else None
        return between(smallest, largest) + between(least, most)
    validators = between(smallest, largest)
    own_smallest: Any = -1 if field.min_value is None else field.min_value
    if callable(own_smallest):
        own_smallest = own_smallest()
    if AMOUNT.fullmatch(name) and own_smallest <= 0:
        validators.append(validate_above_zero)
    elif QUANTITY.fullmatch(name) and own_smallest < 0:
        validators.append(MinValueValidator(0))
    return validators


def own_bounds(field: forms.IntegerField) -> Bounds:
    """Return the bounds of the database for a field that has none of its own."""
    largest: int | None = LARGEST_INTEGER
    if isinstance(field, forms.DecimalField):
        largest = LARGEST_DECIMAL if field.max_digits is None else None
    elif isinstance(field, forms.FloatField):
        largest = None
    smallest = None if largest is None else -largest
    if field.min_value is not None:
        smallest = None
    if field.max_value is not None:
        largest = None
    return smallest, largest


def between(smallest: Any, largest: Any) -> list[Any]:
    validators: list[Any] = []
    if smallest is not None:
        validators.append(MinValueValidator(smallest))
    if largest is not None:
        validators.append(MaxValueValidator(largest))
    return validators


def validate_above_zero(number: Any) -> None:
    if number <= 0:
        raise ValidationError(_("Enter a number above 0."), code="above_zero")


def clean_value(field: Any, clean: Any, value: Any, *args: Any) -> Any:
    """Clean a value, or raise ValidationError where Django's own field would not."""
    if isinstance(field, TEXT_FIELDS) and not isinstance(value, TEXT_VALUES):
        raise invalid(field, value)
    if isinstance(field, forms.JSONField) and not is_json(value):
        raise invalid(field, value)
    try:
        return clean(value, *args)
    except OverflowError:  # SQLite's, for a key in a choice of several rows
        raise invalid(field, value) from None


def shown_json(bound_data: Any, data: Any, initial: Any) -> Any:
    """Return what the page shows again of a field of JSON."""
    if data is not None and not isinstance(data, str):
        return data  # of a form of JSON
    return bound_data(data, initial) if is_json(data) else InvalidJSONInput(data)


def is_json(value: Any) -> bool:
    """Return whether a value of a field is JSON, empty, or no text."""
    if not isinstance(value, str) or not value:
        return True
    try:
        parse_json(value)
    except InvalidJSONError:
        return False
    return True


def invalid(field: forms.Field, value: Any) -> ValidationError:
    """Return the field's own error for a value that it does not take."""
    messages = field.error_messages
    names = ("invalid", "invalid_choice", "invalid_pk_value", "required")
    code = next(name for name in names if name in messages)
    params = {"value": value, "pk": value}
    return ValidationError(messages[code], code=code, params=params)
