"""The project's own log-in: it leads to no other site."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.db import transaction
from django.shortcuts import resolve_url

from secure_django.guard.access import OWN_ROUTES
from secure_django.guard.asked import route_of
from secure_django.guard.field_names import PASSWORDS
from secure_django.guard.findings import Findings, faults_of_redirect
from secure_django.guard.forms import fitting_values
from secure_django.guard.queries import with_query
from secure_django.guard.rows import Values
from secure_django.guard.sending import Answer, Sender
from secure_django.guard.typed import EVIL, EVIL_HOST, PASSWORD
from secure_django.guard.users import email_of


@pytest.mark.control("V3.7.2")
def test_log_in_leads_to_no_other_site(sender: Sender) -> None:
    """A link to the log-in would end on a page that looks like the site's."""
    findings = Findings()
    url = resolve_url(settings.LOGIN_URL)
    route = route_of(url)
    if route in OWN_ROUTES:  # that of a package has tests of its own
        with findings.going_on(route):
            for answer in answers_to_log_in(sender, url):
                for fault in faults_of_redirect(answer.response, may_leave=False):
                    findings.add(f"{route} {fault}")
    findings.report("Let LoginView of Django log in, or find the target as it does.")


def answers_to_log_in(sender: Sender, url: str) -> Iterator[Answer]:
    """Yield the answers to a right password, with another site as the target."""
    user = sender.world.strangers["other"]
    page = sender.send(None, url)
    with transaction.atomic():
        user.set_password(PASSWORD)
        user.save()
        for target in (EVIL, EVIL_HOST):
            goal = {REDIRECT_FIELD_NAME: target}
            data = log_in_form(fitting_values(page), user) | goal
            yield sender.send(None, with_query(url, goal), "post", data=data)
        transaction.set_rollback(True)
    user.refresh_from_db()


def log_in_form(fitting: Values, user: Any) -> Values:
    """Return what a person types: the password, and the name or email."""
    values = {}
    for name in fitting:
        typed = email_of(user) if "mail" in name else user.get_username()
        values[name] = PASSWORD if PASSWORDS.fullmatch(name) else typed
    return values
