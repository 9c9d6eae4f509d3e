"""Marks: texts that only their holder may read.

They stand in the texts and files of what each app's owner has. A page with a mark shows
what only the owner may read, unless its row in the access table says who else may, and
why.
"""

import re
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import models

from secure_django.guard.exemptions import exemption_of
from secure_django.guard.tables import functions

PREFIX = "m4rk"
MARK = re.compile(rf"{PREFIX}\d\d\d\dz")
MARKUP = "<m4rk>"  # behind a mark: neither a template nor a sanitizer lets it through
SECRET = re.compile(r"password|secret|token|hash|key|code")


class Mark(NamedTuple):
    """A text that only its holder may read."""

    text: str
    row: models.Model
    field: str
    holder: Any  # the key of a user
    exemption: str = ""  # of the user from whom it is hidden

    @property
    def label(self) -> str:
        return f"{type(self.row).__name__}.{self.field}{self.exemption}"

    def exempted(self, user: Any, person: str) -> "Mark":
        """Return the mark with what lets somebody read it: never a secret."""
        if SECRET.search(self.field):
            return self
        return self._replace(exemption=exemption_of(self.row, user, person))


def is_published(mark: Mark, person: Any) -> bool:
    """Return whether an app's table says that a mark is meant for a person."""
    return any(
        is_shown(mark.row, mark.field, person) for is_shown in functions("is_shown")
    )


def is_long(value: object) -> bool:
    """Return whether a value is too long to be guessed."""
    return len(str(value)) >= 16


def is_valid(field: Any, row: models.Model, value: str) -> bool:
    try:
        field.clean(value, row)
    except ValidationError:
        return False
    return True
