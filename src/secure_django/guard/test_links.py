"""Links with a token: nobody guesses it, and it ends."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from secure_django.guard.access import OWN_ROUTES, REFUSALS, app_of, columns, rule
from secure_django.guard.clock import stop_clocks
from secure_django.guard.findings import Findings
from secure_django.guard.forms import fitting_values
from secure_django.guard.marks import is_long
from secure_django.guard.sending import Sender
from secure_django.guard.users import EMAIL
from secure_django.guard.values import without_none

LONGEST_TERM = timedelta(days=366)
# An error is a finding of its own.
NO_ANSWER = {*REFUSALS, "410", "500"}


@pytest.mark.rule("links")
def test_nobody_guesses_the_token_of_a_link(sender: Sender) -> None:
    findings = Findings()
    for route in OWN_ROUTES:
        if any(map(is_long, sender.world.secrets_of(route))):
            continue
        if is_link(sender, route):
            findings.add(f"{route} has a token that can be guessed")
    findings.report(
        "Let secrets.token_urlsafe() make it.",
        "Only if whoever guesses it may open the page, end the row in tests/table.py of"
        " the app with:  # anonym: guesses: WHY",
    )


def is_link(sender: Sender, route: str) -> bool:
    """Return whether a page is for whoever knows its URL."""
    secrets = sender.world.secrets_of(route)
    if any(map(is_long, secrets)):
        return True
    if not secrets or rule(route).allows("anonym", "guesses"):
        return False
    return sender.answer(route, "anonym").outcome not in NO_ANSWER


@pytest.mark.rule("links")
def test_no_url_has_the_email_of_a_user(sender: Sender) -> None:
    """A URL stays in logs, in the history of a browser, and in links of others."""
    findings = Findings()
    emails = [mark.text for mark in sender.world.marks if mark.field == EMAIL]
    for route in OWN_ROUTES:
        url = sender.world.url(route)
        if any(email in url for email in emails):
            findings.add(f"{route} has a user's email in its URL")
    findings.report("Name the user by an id.")


@pytest.mark.rule("links")
@pytest.mark.control("V8.3.1")
def test_links_with_a_token_end(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has a link may have received or found it."""
    findings = Findings()
    travel = stop_clocks(monkeypatch)
    travel(LONGEST_TERM)
    for route in OWN_ROUTES:
        if not is_link(sender, route):
            continue
        for person in set(columns(app_of(route))) - {"owner"}:
            is_refused = sender.answer(route, person).outcome in NO_ANSWER
            if not is_refused and not rule(route).allows(person, "lasting"):
                findings.add(f"{route} has no end", person)
    findings.report(
        "Store when the link expires, at the latest in a year, and let the view search"
        " among valid ones.",
        "Only if it is meant to last, end the row in tests/table.py of the app with:"
        "  # all: lasting: WHY",
    )


@pytest.mark.rule("links")
def test_link_that_changes_something_works_once(sender: Sender) -> None:
    """Whoever finds it later, in an inbox or a log, does the same again."""
    findings = Findings()
    for route in OWN_ROUTES:
        if not is_link(sender, route) or rule(route).allows("all", "lasting"):
            continue
        with findings.going_on(route):
            if works_twice(sender, route):
                findings.add(f"{route} does the same when it is used again")
    findings.report(
        "Mark the link as used, or delete it, when it has done what it is for.",
        "Only if it may be used again, end the row in tests/table.py of the app with:"
        "  # all: lasting: WHY",
    )


def works_twice(sender: Sender, route: str) -> bool:
    """Return whether a link changes rows, and once more when it is used again."""
    people = [sender.world.person(name, route) for name in ("other", "anonym")]
    return any(works_twice_for(user, sender, route) for user in people)


def works_twice_for(user: Any, sender: Sender, route: str) -> bool:
    url = sender.world.url(route)
    page = sender.send(user, url)
    data = without_none(fitting_values(page))
    first = sender.send(user, url, "post", data=data)
    if not first.changes:
        return False
    with transaction.atomic():
        with transaction.atomic():
            sender.client(user).post(url, data)
        sender.refresh()
        second = sender.send(user, url, "post", data=data)
        transaction.set_rollback(True)
    sender.refresh()
    return bool(second.changes)
