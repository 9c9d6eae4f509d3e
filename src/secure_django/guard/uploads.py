"""Files that a request stores: only those whose content was checked."""

from collections.abc import Iterator

from secure_django.guard.advice import ADVICE
from secure_django.guard.attempts import Attempt
from secure_django.guard.files import PAGE, PHOTO


def weaknesses(attempt: Attempt) -> Iterator[str]:
    if attempt.allows("uploads"):
        return
    if PAGE in attempt.answer.files:
        yield "stores a file of any kind: check its content"
    if PHOTO in attempt.answer.files:
        yield f"stores an image as it was sent: {ADVICE.image}"
