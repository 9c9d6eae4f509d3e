"""What the guard does with what it finds, and with errors of its own."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.http import HttpResponse
from pytest_django import Settings

from example.models import Thing
from secure_django.guard import right_names
from secure_django.guard.advice import ADVICE, is_about
from secure_django.guard.findings import (
    REASON,
    Findings,
    allows_more,
    faults_of_redirect,
    is_weaker,
    weak_cookies,
)
from secure_django.guard.noticing import HANDLED, NOTICED, forget, notice
from secure_django.guard.rights import is_meant


def test_error_of_the_guard_is_a_finding_and_loses_none() -> None:
    findings = Findings()
    for route in ("/one/", "/two/"):
        with findings.going_on(route):
            findings.add(f"{route} is open", "other")
            raise KeyError(route)
    lines = list(findings.lines())
    # The worst first.
    assert lines[0].startswith("/one/ was not asked: KeyError in test_findings.py:")
    assert lines[2:] == ["/one/ is open (other)", "/two/ is open (other)"]
    with pytest.raises(pytest.fail.Exception, match="/two/ is open"):
        findings.report()


def test_what_was_noticed_is_forgotten_before_each_request() -> None:
    notice("sends an email to anybody")
    HANDLED.append("ValueError")
    assert NOTICED == ["sends an email to anybody"]
    forget()
    assert (NOTICED, HANDLED) == ([], [])


@pytest.mark.parametrize(
    ("target", "is_own"),
    [
        ("/notes/", True),
        ("http://testserver/notes/", True),
        ("https://localhost:8443/notes/", True),
        ("https://www.site.example/notes/", True),
        ("https://site.example.org/notes/", False),
        ("//other.example/", False),
        ("https://localhost@other.example/", False),
    ],
)
def test_redirect_to_a_host_of_the_site_is_no_finding(
    target: str, is_own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = {"testserver", "localhost", ".site.example"}
    monkeypatch.setattr("secure_django.guard.findings.OWN_HOSTS", hosts)
    response = HttpResponse(status=302, headers={"Location": target})
    faults = list(faults_of_redirect(response, may_leave=False))
    assert faults == ([] if is_own else ["redirects to another site"])


def test_step_is_said_of_what_it_helps_against() -> None:
    findings = Findings()
    limit = "POST /n/ may be repeated without end: it needs a rate limit"
    change = "POST /n/ changes Note of the owner"
    findings.add(limit)
    findings.add(change)
    steps = [ADVICE.change_own, ADVICE.limit, "Say why."]
    assert {found.sentence: found.steps for found in findings.found(steps)} == {
        change: [ADVICE.change_own, "Say why."],
        limit: [ADVICE.limit, "Say why."],
    }


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("shows Note.text", [REASON, f"{ADVICE.find_nothing} The row", "Read it."]),
        ("answers 500 (KeyError): repair it", ["Read it."]),
        ("changes Note: do so by POST", ["Read it."]),
        ("was not asked: KeyError", []),
    ],
)
def test_step_about_access_is_not_said_of_an_error(
    what: str, expected: list[str]
) -> None:
    steps = [REASON, f"{ADVICE.find_nothing} The row", "Read it."]
    assert [step for step in steps if is_about(step, f"/n/ {what}")] == expected


def test_right_that_a_table_names_is_none_that_a_form_may_offer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt: Any = SimpleNamespace(request=SimpleNamespace(offered={"title"}))
    field = Thing._meta.get_field("title")
    assert is_meant(attempt, field)
    monkeypatch.setattr(right_names, "FURTHER_RIGHTS", {"Thing.title"})
    assert not is_meant(attempt, field)


def test_policy_is_not_compared_where_django_has_none(settings: Settings) -> None:
    settings.SECURE_CSP = {"default-src": ["'none'"]}
    assert is_weaker("default-src *")
    del settings.SECURE_CSP  # Django has it since 6.0
    assert not is_weaker("default-src *")
    assert allows_more("img-src", ["*"])


def test_cookie_of_messages_is_a_matter_of_the_settings() -> None:
    response = HttpResponse()
    response.set_cookie("messages", "hello")
    response.set_cookie("theme", "dark")
    answer: Any = SimpleNamespace(response=response)
    (fault,) = weak_cookies(answer)
    assert "the cookie theme" in fault
