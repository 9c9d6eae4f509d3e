"""The forms of a page, and values that they are likely to take."""

from collections.abc import Iterator
from datetime import date, time
from typing import Any

from django import forms
from django.forms.formsets import BaseFormSet

from secure_django.guard.rows import Values
from secure_django.guard.sending import Answer
from secure_django.guard.typed import OUTSIDER, PASSWORD, TEXT

# By the number of the field in its form, since an end is after its start.
EXAMPLES: dict[type[forms.Field], str] = {
    forms.DateTimeField: "2030-01-{:02}T09:00",
    forms.DateField: "2030-01-{:02}",
    forms.TimeField: "{:02}:00",
    forms.EmailField: OUTSIDER,
    forms.URLField: "https://example.org/",
    forms.IntegerField: "1",
    forms.BooleanField: "on",
}


def forms_on(page: Answer) -> Iterator[forms.BaseForm]:
    """Yield the forms of a page, those of formsets too."""
    for context in page.response.context or ():
        values = context if isinstance(context, dict) else context.flatten()
        for value in values.values():
            yield from forms_in(value)


def forms_in(value: Any) -> Iterator[forms.BaseForm]:
    if isinstance(value, forms.BaseForm):
        yield value
    if isinstance(value, BaseFormSet):
        yield value.management_form
        yield from value.forms


def fields_on(page: Answer) -> Iterator[tuple[str, forms.Field]]:
    """Yield each field of the forms of a page, and the name by which it is sent."""
    for form in forms_on(page):
        for name, field in form.fields.items():
            yield form.add_prefix(name), field


def fitting_values(page: Answer) -> Values:
    """Return values that the forms of a page are likely to take."""
    values: Values = {}
    for form in forms_on(page):
        for number, (name, field) in enumerate(form.fields.items()):
            if not isinstance(field, forms.FileField):
                values[form.add_prefix(name)] = fitting_value(form[name], number)
    return values


def fitting_value(bound: forms.BoundField, number: int) -> Any:
    field = bound.field
    value = bound.value()
    if isinstance(value, date | time):
        value = field.widget.format_value(value)  # as a browser sends it
    choices: Any = getattr(field, "choices", None)
    # A view gives some their queryset only later.
    has_rows = getattr(field, "queryset", choices) is not None
    if choices is not None and has_rows:
        keys = (str(key) for key, _ in choices)
        return value or next(filter(None, keys), "")
    kinds = (example for kind, example in EXAMPLES.items() if isinstance(field, kind))
    example = next(kinds, "")
    if example:
        is_empty = value in {None, ""}
        return example.format(number % 22 + 1) if is_empty else value
    return PASSWORD if isinstance(field.widget, forms.PasswordInput) else TEXT


def image_names(page: Answer) -> set[str]:
    """Return the names of fields that store no image as it was sent.

    Their class says `reencodes = True`.
    """
    fields = fields_on(page)
    return {name for name, field in fields if getattr(field, "reencodes", False)}
