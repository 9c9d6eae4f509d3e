"""What the page shows that answers a request."""

from collections.abc import Iterator

from secure_django.guard.attempts import Attempt
from secure_django.guard.findings import faults, weak_cookies
from secure_django.guard.typed import PASSWORD


def weaknesses(attempt: Attempt) -> Iterator[str]:
    yield from faults(attempt.answer, may_leave=attempt.allows("leaves"))
    yield from weak_cookies(attempt.answer)
    if not attempt.is_get and PASSWORD in attempt.answer.text:
        yield "shows a password that was sent: it stays in caches and histories"
    yield from marks_of_others(attempt)


def marks_of_others(attempt: Attempt) -> Iterator[str]:
    hidden = [mark for mark in attempt.hidden if not attempt.allows(mark.field)]
    if attempt.is_own:
        owner_key = attempt.owner.pk
        hidden = [mark for mark in hidden if mark.holder == owner_key]
    for mark in attempt.shown(attempt.answer.text, hidden):
        yield f"shows {mark.label}"
