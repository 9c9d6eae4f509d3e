"""What a view takes: tokens of its forms, and methods that it knows."""

import pytest

from secure_django.guard.access import (
    OWN_ROUTES,
    REFUSALS,
    ROUTES,
    VIEWS,
    app_of,
    columns,
    outcome,
    rule,
)
from secure_django.guard.findings import Findings
from secure_django.guard.lookups import class_of_view
from secure_django.guard.sending import OTHER_SITE, HTTPSClient, Sender, log_in, undone

# How the class of a view may answer before it looks at the method.
BEFORE_METHODS = {"500", "away"}
WRITING_METHODS = ("post", "put", "patch", "delete")


@pytest.mark.rule("csrf")
@pytest.mark.control("V3.5.1")
def test_only_named_views_take_requests_of_other_sites(sender: Sender) -> None:
    findings = Findings()
    for route in OWN_ROUTES:
        is_exempt = getattr(VIEWS[route].function, "csrf_exempt", False)
        if not is_exempt or rule(route).allows("all", "tokenless"):
            continue
        if not asks_for_token(sender, route):
            findings.add(f"{route} is csrf_exempt")
    findings.report(
        "Remove it. A script sends the page's token in the header X-CSRFToken.",
        "Only if machines call it, check a signature or a token of theirs, and end the"
        " row in tests/table.py with:  # all: tokenless: WHY",
    )


def asks_for_token(sender: Sender, route: str) -> bool:
    """Return whether a framework's own check refuses what has no token.

    A view that nobody may write to has nothing to refuse.
    """
    user = sender.world.person("owner", route)
    url = sender.world.url(route)
    client = HTTPSClient(
        enforce_csrf_checks=True,
        raise_request_exception=False,
        headers={"origin": OTHER_SITE},
    )
    log_in(client, user)
    refused_methods = []
    for method in WRITING_METHODS:
        usual = sender.send(user, url, method).outcome
        with undone(client):
            status = getattr(client, method)(url).status_code
        if usual != "405":
            refused_methods.append(status == 403 and usual != "403")
    return all(refused_methods)


@pytest.mark.rule("methods")
@pytest.mark.control("V13.4.4")
def test_every_view_restricts_its_methods(sender: Sender) -> None:
    findings = Findings()
    for route in ROUTES:
        if not refuses_unknown_method(sender, route):
            findings.add(f"{route}: put @require_http_methods before the view")
    findings.report("Name the methods that the view knows: @require_GET, for example.")


def refuses_unknown_method(sender: Sender, route: str) -> bool:
    """Return whether a page answers 405 to an unknown method.

    Another refusal says nothing, if it comes before the method is looked at. A class
    of Django's or of REST framework then knows its methods.
    """
    is_class = class_of_view(VIEWS[route].function) is not None
    others = [person for person in columns(app_of(route)) if person != "owner"]
    for person in ("owner", *others):
        client = sender.client(sender.world.person(person, route))
        response = client.generic("UNKNOWN", sender.world.url(route))
        if response.status_code == 405:
            return True
        if outcome(response) not in {*REFUSALS, *(BEFORE_METHODS if is_class else ())}:
            return False
    return is_class
