"""What is wrong with the answer to an attempt, by all questions that are asked for."""

from collections.abc import Iterator

from secure_django.guard import (
    emails,
    limits,
    logs,
    pages,
    quantities,
    rights,
    texts,
    uploads,
    writes,
)
from secure_django.guard.attempts import Attempt
from secure_django.guard.tables import CONFIG

# By the names of rules in config.py.
OF_EVERY_METHOD = {
    "emails": emails.weaknesses,
    "logs": logs.weaknesses,
    "uploads": uploads.weaknesses,
}
OF_CHANGES = {
    "passwords": rights.changed_accounts,
    "limits": limits.weaknesses,
    "quantities": quantities.weaknesses,
    "texts": texts.weaknesses,
}


def weaknesses(attempt: Attempt) -> Iterator[str]:
    """Yield a sentence for each; about an own object, only for what is others'."""
    if attempt.is_own:
        yield from pages.marks_of_others(attempt)
        yield from writes.changes_of_others(attempt)
        return
    yield from pages.weaknesses(attempt)
    yield from by_rule(attempt)
    if attempt.is_get:
        yield from writes.by_get(attempt)
        return
    yield from rights.taken(attempt)
    if attempt.person != "owner":
        yield from writes.changes_of_others(attempt)


def by_rule(attempt: Attempt) -> Iterator[str]:
    questions = OF_EVERY_METHOD if attempt.is_get else OF_EVERY_METHOD | OF_CHANGES
    for rule, question in questions.items():
        if rule in CONFIG.rules:
            yield from question(attempt)
