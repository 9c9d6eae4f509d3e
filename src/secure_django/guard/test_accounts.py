"""Accounts: their deletion, and their passwords."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import models

from secure_django.guard.access import OWN_ROUTES
from secure_django.guard.advice import (
    ADVICE,
    ALLOW_LOSS,
    KEEP_SHARED,
    LET_GO,
    LET_STAY,
    MAKE_ONE_OF_OTHER,
    SAY_ONE_USER,
)
from secure_django.guard.deletions import (
    Deletion,
    delete_account,
    is_present,
    is_shared,
    rolled_back,
)
from secure_django.guard.exemptions import exemption_of_model
from secure_django.guard.findings import Findings
from secure_django.guard.forms import fitting_values
from secure_django.guard.names import code_of_app
from secure_django.guard.requests import Request, json_options
from secure_django.guard.rows import (
    Values,
    ends_of,
    has_texts,
    users_of,
)
from secure_django.guard.sending import Sender, body_of
from secure_django.guard.tables import CONFIG, OWN_APPS, is_tested, named
from secure_django.guard.typed import OUTSIDER
from secure_django.guard.users import email_of
from secure_django.guard.values import without_none
from secure_django.guard.world import World

# Of django.contrib.auth: each is a log-in, or the half of one.
CHECKS = {"acheck_password", "authenticate", "aauthenticate", "check_password"}
# Of forms, and of a Content-Security-Policy.
TOKEN = re.compile(
    r'csrfmiddlewaretoken" value="\w+|csrftoken=\w+|nonce[-=]"?[\w+/=-]+'
)


@pytest.mark.rule("deletion")
def test_objects_of_a_deleted_account_are_deleted(sender: Sender) -> None:
    findings = Findings()
    kept = named("STAYS")
    for app in sender.world.rows:
        names = {type(row).__name__ for row in rows_that_stay(sender.world, app)}
        for name in names - kept:
            findings.add(f"{name} stays when its owner is deleted")
    findings.report(LET_GO, LET_STAY)


@pytest.mark.rule("deletion")
def test_deleted_account_takes_nothing_of_others(sender: Sender) -> None:
    """What others share or rely on stays, without the person's name."""
    findings = Findings()
    for app in sender.world.rows:
        deletion = Deletion(sender.world, app)
        for loss in deletion.losses():
            findings.add(loss.sentence)
        for model, reason in deletion.unmade.items():
            findings.add(f"{model.__name__} of another person was not made: {reason}")
    findings.report(KEEP_SHARED, SAY_ONE_USER, ALLOW_LOSS, MAKE_ONE_OF_OTHER)


def rows_that_stay(world: World, app: str) -> list[models.Model]:
    """Return rows of the owner alone which the deletion of the account leaves."""
    owner = world.people[app]["owner"]
    theirs = [row for row in world.rows[app] if is_of_nobody_else(row, owner)]
    with rolled_back():
        outcome = delete_account(owner)
        left = [row for row in theirs if is_present(row)]
    if not outcome.is_deleted:
        return []
    left = [row for row in left if row not in outcome.handed_over]
    return [row for row in left if not is_shared(row)]


def is_of_nobody_else(row: models.Model, owner: Any) -> bool:
    is_common = bool(exemption_of_model(type(row)))
    if is_tested(row) or is_common or not has_texts(type(row)):
        return False
    users = users_of(row)
    if users:
        return users == {owner.pk}
    return bool(ends_of(row, owner.pk))


@pytest.mark.rule("passwords")
def test_only_the_log_in_checks_passwords() -> None:
    findings = Findings()
    for app in OWN_APPS:
        for path, part in code_of_app(app.name):
            name = getattr(part, "attr", "") or getattr(part, "id", "")
            if name in CHECKS:
                relative_path = path.relative_to(CONFIG.root, walk_up=True)
                findings.add(f"{relative_path}:{part.lineno} calls {name}")
    findings.report(
        ADVICE.log_in,
    )


@pytest.mark.rule("accounts")
def test_nobody_learns_who_has_an_account(sender: Sender) -> None:
    """A form answers the same for an email with an account and for any other."""
    findings = Findings()
    for route in OWN_ROUTES:
        with findings.going_on(route):
            if any(len(set(answers)) > 1 for answers in answers_about(sender, route)):
                findings.add(f"{route} says whether an email has an account")
    findings.report(
        "Answer the same in both cases, and say the rest in an email to that address."
    )


def answers_about(sender: Sender, route: str) -> Iterator[list[str]]:
    """Yield what a visitor is told of the owner's email, and of any other.

    By a form, by JSON, and by a query.
    """
    url = sender.world.url(route)
    fitting = without_none(fitting_values(sender.send(None, url)))
    sender.send(None, url, "post", data=fitting)
    read_names = [name for name in sender.names[url] if "mail" in name]
    names = {*read_names, *names_of_emails(fitting)}
    owner_email = email_of(sender.world.people_of(route)["owner"])
    if not names or not owner_email:
        return
    emails = (owner_email, OUTSIDER)
    bodies = [fitting | dict.fromkeys(names, email) for email in emails]
    as_form = [Request("post", {"data": body}, body) for body in bodies]
    as_json = [Request("post", json_options(body), body) for body in bodies]
    as_query = [request._replace(method="get") for request in as_form]
    for requests in (as_form, as_json, as_query):
        yield [told(sender, url, *each) for each in zip(requests, emails, strict=True)]


def names_of_emails(values: Values) -> set[str]:
    return {name for name, value in values.items() if value == OUTSIDER}


def told(sender: Sender, url: str, request: Request, email: str) -> str:
    """Return what a visitor is told, without the email and tokens of forms."""
    answer = sender.send(None, url, request.method, **request.options)
    text = TOKEN.sub("", body_of(answer.response).replace(email, ""))
    return f"{answer.outcome} {text}"
