"""Validators of texts, for fields of models and of forms."""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

__all__ = ["validate_one_line"]

# Line breaks too: emails list titles and names line by line.
CONTROL_CHARACTERS = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+"


def validate_one_line(text: str) -> None:
    if re.search(CONTROL_CHARACTERS, text):
        raise ValidationError(
            _("Write one line, without control characters."), code="control_characters"
        )
