"""Example values of fields that need one: plain, and the same in each run."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import models
from django.utils import timezone

from secure_django.guard.counted import is_counted
from secure_django.guard.pixel import PIXEL

FIRST_DAY = date(2030, 1, 1)
# What makes a date the present one when a row is stored.
NOW = ("auto_now", "auto_now_add")

type Example = Callable[[Any, int], Any]


def needs_example(field: Any) -> bool:
    """Return whether a row needs a value that neither it nor the database has."""
    # The database counts, or a package.
    if isinstance(field, models.AutoField) or is_counted(field):
        return False
    if field.is_relation or field.null or field.generated:
        return False
    if field.db_default is not models.NOT_PROVIDED:
        return False
    is_name = field.unique or isinstance(field, models.SlugField)
    # An empty text is no name by which a URL finds the row.
    if field.has_default():
        return is_name and field.get_default() == ""
    return is_name or not may_stay_empty(field)


def may_stay_empty(field: Any) -> bool:
    """Return whether a form may leave a field empty, and the database stores that."""
    is_of_now = any(getattr(field, name, False) for name in NOW)
    return is_of_now or (field.blank and field.empty_strings_allowed)


def examples(model: type[models.Model], number: int) -> dict[str, Any]:
    """Return the values of a new row: unique ones have the number."""
    fields = [field for field in model._meta.concrete_fields if needs_example(field)]
    values = {field.name: example(field, number) for field in fields}
    return {name: value for name, value in values.items() if value is not None}


def names_without_example(model: type[models.Model]) -> list[str]:
    """Return the fields that need a value of a kind that is left to model_bakery."""
    fields = [field for field in model._meta.concrete_fields if needs_example(field)]
    return [field.name for field in fields if example(field, 1) is None]


def example(field: Any, number: int) -> Any:
    """Return a value for a field, or None for a kind that is left to model_bakery."""
    choices = [key for key, _ in field.flatchoices if key not in {"", None}]
    if choices:
        return choices[number % len(choices)] if field.unique else choices[0]
    if type(field) in EXACT_KINDS or is_own_text(field):
        return example_text(field, number)
    fitting = (make for kind, make in KINDS.items() if isinstance(field, kind))
    make = next(fitting, None)
    return make(field, number) if make else None


def is_own_text(field: Any) -> bool:
    """Return whether a kind of text is neither Django's nor one of KINDS."""
    is_text = isinstance(field, EXACT_KINDS)
    is_of_django = type(field).__module__.startswith("django.")
    return is_text and not is_of_django and not isinstance(field, models.SlugField)


def example_text(field: Any, number: int) -> str:
    text = f"{field.verbose_name} {number}"
    return text[-(field.max_length or len(text)) :]


def example_slug(field: Any, number: int) -> str:
    text = f"{field.model._meta.model_name}-{number}"
    return text[-(field.max_length or len(text)) :].lstrip("-")


def example_email(_field: Any, number: int) -> str:
    return f"example{number}@example.com"


def example_number(field: Any, number: int) -> int:
    return number if field.unique else 1


def example_date(field: Any, number: int) -> date:
    """Return a day that is later for a later field, as an end is after its start."""
    days = field.model._meta.concrete_fields.index(field)
    return FIRST_DAY + timedelta(days=days + 31 * number if field.unique else days)


def example_moment(field: Any, number: int) -> datetime:
    moment = datetime.combine(example_date(field, number), time(9))
    return timezone.make_aware(moment) if settings.USE_TZ else moment


def example_time(field: Any, _number: int) -> time:
    hours = field.model._meta.concrete_fields.index(field)
    return time(hours % 24)


def example_file(_field: Any, number: int) -> Any:
    return ContentFile(b"", f"paper{number}.pdf")


def example_image(_field: Any, number: int) -> Any:
    return ContentFile(PIXEL, f"pixel{number}.png")


def no(_field: Any, _number: int) -> bool:
    """Return what opens nothing, such as a field `is_public`."""
    return False


# Kinds with subclasses that take no such text.
EXACT_KINDS = (models.CharField, models.TextField)
KINDS: dict[type[Any], Example] = {
    models.BooleanField: no,
    models.DateTimeField: example_moment,
    models.DateField: example_date,
    models.TimeField: example_time,
    models.IntegerField: example_number,
    models.DecimalField: example_number,
    models.FloatField: example_number,
    models.EmailField: example_email,
    models.SlugField: example_slug,
    models.ImageField: example_image,  # noqa: TID251  # of foreign projects
    models.FileField: example_file,  # noqa: TID251  # of foreign projects
}
