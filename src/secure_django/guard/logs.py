"""What a request leaves in logs."""

from collections.abc import Iterator

from secure_django.guard.attempts import Attempt
from secure_django.guard.marks import MARK
from secure_django.guard.typed import OUTSIDER, WORD


def weaknesses(attempt: Attempt) -> Iterator[str]:
    logs = attempt.answer.logs
    has_typed_text = WORD in logs.lower() or OUTSIDER in logs
    if has_typed_text or MARK.search(logs):
        yield "logs what a user sent: log ids only"
