"""One weakness for each place, and the worst first."""

import pytest

from secure_django.guard.accepted import Accepted
from secure_django.guard.merging import Parts, Weakness, merge, steps_of
from secure_django.guard.record import Found
from secure_django.guard.sentences import ORDER, parse, severity_of


def weaknesses_of(*found: tuple[str, str]) -> list[Weakness]:
    """Return the weaknesses that sentences, each with people, are about."""
    parts = Parts()
    for sentence, people in found:
        parts.add(Found(sentence, people.split(), steps=["Repair it."]))
    return merge(parts.by_text.values())


@pytest.mark.parametrize(
    ("sentence", "route", "what"),
    [
        ("POST /n/<pk>/ changes Note of the owner", "/n/<pk>/", "changes Note"),
        ("/n/<pk>/ shows Note.text by its path", "/n/<pk>/", "shows Note.text"),
        ("/ answers 500 (KeyError): check", "/", "answers 500 (KeyError): check"),
        ("/n/?number=1000 shows all objects", "/n/", "shows all objects"),
        ("/x: put @require_GET before it", "/x", "put @require_GET before it"),
        ("Once A.b is True, /n/ shows A.c", "/n/", "shows A.c"),
        ("no access rule for /n/<pk>/", "/n/<pk>/", "no access rule for /n/<pk>/"),
        ("the row of /n/ is in the table of b", "/n/", "the row of /n/ is in"),
        ("notes has no table", "", "notes has no table"),
        ("notes/views.py:12 calls check_password", "", "notes/views.py calls"),
        ("notes\\views.py:12 calls check_password", "", "notes\\views.py calls"),
    ],
)
def test_sentence_is_read_as_a_route_and_what(
    sentence: str, route: str, what: str
) -> None:
    parsed = parse(sentence)
    assert parsed.route == route
    assert parsed.what.startswith(what)


def test_error_of_the_guard_is_the_same_in_each_run() -> None:
    first = parse("/n/ was not asked: KeyError in marks.py:12: 0x7f01")
    second = parse("/n/ was not asked: KeyError in marks.py:14:\n 0x7f02")
    assert first == second


def test_methods_people_fields_and_consequences_are_one_weakness() -> None:
    (weakness,) = weaknesses_of(
        ("/n/<pk>/ answers 200, not 404", "other"),
        ("/n/<pk>/ shows Note.text", "other"),
        ("/n/<pk>/ shows Note.text by its path", "staff"),
        ("GET /n/<pk>/ shows Note.title", "other"),
        ("POST /n/<pk>/ changes Note of the owner", "other"),
        ("DELETE /n/<pk>/ changes Note of the owner", "other"),
    )
    assert [str(part) for part in weakness.parts] == [
        "/n/<pk>/ changes Note of the owner (other)",
        "/n/<pk>/ shows Note.text (other, staff)",
        "/n/<pk>/ shows Note.title (other)",
        "/n/<pk>/ answers 200, not 404 (other)",
    ]
    assert weakness.requests == ["DELETE", "GET", "POST", "by the path of a file"]
    assert weakness.people == ["other", "staff"]
    assert steps_of([weakness]) == {"Repair it.": [1]}


def test_what_has_another_cause_is_another_weakness() -> None:
    found = weaknesses_of(
        ("/n/ shows Note.text", "other"),
        ("/n/ shows User.email", "other"),
        ("/m/ shows Note.text", "other"),
        ("POST /n/ may be repeated without end: it needs a rate limit", "owner"),
    )
    assert len(found) == 4


def test_worst_weakness_comes_first() -> None:
    sentences = [
        ("no access rule for /z/", ""),
        ("/a/ is csrf_exempt", ""),
        ("/a/ answers 500 (KeyError): check what a user sends first", "other"),
        ("POST /a/ sends an email to any address without its limits", "other"),
        ("POST /a/ stores a file of any kind: check its content", "other"),
        ("POST /a/ lets a user set Note.owner", "other"),
        ("GET /a/ shows a parameter unescaped: render a template", "other"),
        ("/y/ shows Note.text", "other"),
        ("POST /z/ changes Note of the owner", "other"),
    ]
    found = weaknesses_of(*sentences)
    assert [weakness.severity for weakness in found] == ORDER
    assert found[0].route == "/z/"


@pytest.mark.parametrize("answer", ["answers 200, not 404", "answers away, not log-in"])
def test_page_that_is_open_is_read_by_others(answer: str) -> None:
    assert severity_of(answer).name == "reads"


def test_wrong_row_is_a_matter_of_the_table() -> None:
    assert severity_of("answers 404, not 200").name == "table"


def test_finding_about_a_further_person_is_new() -> None:
    parts = Parts()
    parts.add(Found("/n/ shows Note.text", ["other", "staff"]))
    parts.add(Found("notes has no table", []))
    accepted = Accepted(
        {"/n/ shows Note.text": {"other"}, "notes has no table": set()}, {}
    )
    new, known = parts.split(accepted)
    assert [str(part) for part in new] == ["/n/ shows Note.text (staff)"]
    assert {str(part) for part in known} == {
        "/n/ shows Note.text (other)",
        "notes has no table",
    }
