"""Validators of texts, for fields of models and of forms."""

import re
from datetime import date

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.translation import gettext_lazy as _

__all__ = [
    "validate_characters",
    "validate_one_line",
    "validate_recipient",
    "validate_year",
]

# Line breaks too: emails list titles and names line by line.
CONTROL_CHARACTERS = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+"
FIRST_YEAR = 1000
LAST_YEAR = 9998


def validate_one_line(text: str) -> None:
    if re.search(CONTROL_CHARACTERS, text):
        raise ValidationError(
            _("Write one line, without control characters."), code="control_characters"
        )


def validate_characters(text: str) -> None:
    """Refuse half a character, such as `\\ud800` in JSON: no encoding has it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValidationError(
            _("The text has half a character."), code="half_character"
        ) from None


def validate_recipient(email: str) -> None:
    """Refuse an email that Django accepts, but that cannot be sent to.

    The local part needs printable ASCII: most mail servers lack SMTPUTF8, and Django
    sends to no other. Python decodes `=?`, and the domain must fit into Punycode.
    """
    local, _, domain = email.rpartition("@")
    is_sendable = local.isascii() and local.isprintable() and "=?" not in local
    try:
        domain.encode("idna")
    except UnicodeError:
        is_sendable = False
    if not is_sendable:
        raise ValidationError(EmailValidator.message, code="invalid")


def validate_year(moment: date) -> None:
    """Refuse a time that is no date in another time zone: pages could not show it."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValidationError(
            _("Choose a year from %(first)s to %(last)s."),
            code="year",
            params={"first": FIRST_YEAR, "last": LAST_YEAR},
        )
