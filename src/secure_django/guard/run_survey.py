"""The survey as a test, so that pytest makes its database."""

from collections.abc import Callable

from secure_django.guard.sending import Sender
from secure_django.guard.survey import survey
from secure_django.guard.terminal import PROPERTY


def test_survey(sender: Sender, record_property: Callable[[str, object], None]) -> None:
    record_property(PROPERTY, "\n".join(survey(sender)))
