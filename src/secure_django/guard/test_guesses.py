"""Codes and passwords of objects: nobody may try one after the other."""

import re
from collections.abc import Iterator

import pytest

from secure_django.guard.access import OWN_ROUTES, rule
from secure_django.guard.advice import ADVICE
from secure_django.guard.findings import Findings
from secure_django.guard.forms import fitting_values
from secure_django.guard.requests import json_options
from secure_django.guard.rows import Values
from secure_django.guard.sending import Answer, Sender
from secure_django.guard.values import without_none

SECRET = re.compile(
    r"(.*_)?(code|coupon|otp|passcode|passphrase|password|pin|secret|token|voucher)"
)
# Names of what everybody knows, and of what forms and protocols add.
NO_SECRET = re.compile(
    r"(area|country|currency|dial|language|lang|post|postal|promo|zip|source|status)"
    r"_?code|csrf.*"
)
GUESS = "wrong-4711"


@pytest.mark.rule("limits")
def test_nobody_guesses_a_code_without_end(sender: Sender) -> None:
    findings = Findings()
    for route in OWN_ROUTES:
        for person in ("anonym", "other"):
            with findings.going_on(route):
                for name in guessed_names(sender, route, person):
                    if not rule(route).allows(person, "repeats"):
                        sentence = f"POST {route} lets {name} be guessed without end"
                        findings.add(sentence, person)
    findings.report(ADVICE.limit)


def guessed_names(sender: Sender, route: str, person: str) -> Iterator[str]:
    """Yield the names of codes that a page takes without a limit, and stores not."""
    user = sender.world.person(person, route)
    url = sender.world.url(route)
    fitting = without_none(fitting_values(sender.send(user, url)))
    for as_json in (False, True):
        sent = send_values(sender, user, url, fitting, as_json=as_json)
        for name in sorted(filter(is_secret, sender.names[url])):
            values = fitting | {name: GUESS}
            answer = send_values(sender, user, url, values, as_json=as_json)
            if sent.outcome != "405" and not answer.limits and not stores(answer):
                yield name


def send_values(
    sender: Sender, user: object, url: str, values: Values, *, as_json: bool
) -> Answer:
    options = json_options(values) if as_json else {"data": values}
    return sender.send(user, url, "post", **options)


def is_secret(name: str) -> bool:
    return bool(SECRET.fullmatch(name)) and not NO_SECRET.fullmatch(name)


def stores(answer: Answer) -> bool:
    """Return whether the guess is now part of a row: it was no guess, but chosen."""
    return any(GUESS in map(str, change.new.values()) for change in answer.changes)
