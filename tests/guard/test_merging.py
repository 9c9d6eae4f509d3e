"""One weakness for each place, and the worst first."""

import pytest

from secure_django.guard import places
from secure_django.guard.accepted import Accepted
from secure_django.guard.merging import Parts, Weakness, merge, ranges, steps_of
from secure_django.guard.record import Found
from secure_django.guard.remedies import OF_GUARD, OF_OTHER_SITES
from secure_django.guard.sentences import (
    ORDER,
    function_to_blame,
    parse,
    severity_of,
)


def weaknesses_of(*found: tuple[str, str]) -> list[Weakness]:
    """Return the weaknesses that sentences, each with people, are about."""
    parts = Parts()
    for sentence, people in found:
        parts.add(Found(sentence, people.split(), steps=["Repair it."]))
    return merge(parts.by_text.values())


IN_BASKET = "fill of shop/basket.py"


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
        ("GET /a/ logs what others write: log ids only", ""),
        ("/a/ was not asked: KeyError in forms.py:12: 'x'", ""),
        ("/a/ answers 500 (KeyError in f of a.py): repair it", "other"),
        ("POST /a/ sends an email to any address without its limits", "other"),
        ("Note stays when its owner is deleted", ""),
        ("POST /a/ stores a file of any kind: check its content", "other"),
        ("POST /a/ lets a user set Note.owner", "other"),
        ("GET /a/ shows a parameter unescaped: render a template", "other"),
        ("/y/ shows Note.text", "other"),
        ("POST /z/ changes Note of the owner", "other"),
    ]
    found = weaknesses_of(*sentences)
    assert [weakness.severity for weakness in found] == ORDER
    assert found[0].route == "/z/"


def routes_of(found: list[Weakness]) -> list[list[str]]:
    return [weakness.routes for weakness in found]


def test_errors_of_one_function_are_one_weakness() -> None:
    found = weaknesses_of(
        ("/c/ answers 500 (KeyError in read of shop/views.py): repair it", "other"),
        ("/a/ answers 500 (ValueError in read of shop/views.py): repair it", ""),
        ("GET /b/ answers 500 (KeyError in read of shop/views.py): repair it", "staff"),
        ("/b/ answers 500 (KeyError in read of shop/api.py): repair it", ""),
        ("/b/ answers 500 (KeyError): repair it", ""),
        ("/d/ answers 500 (KeyError): repair it", ""),
    )
    assert routes_of(found) == [["/a/", "/b/", "/c/"], ["/b/"], ["/b/"], ["/d/"]]
    assert found[0].people == ["other", "staff"]


def test_routes_of_one_view_with_the_same_sentences_are_one_weakness(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places, "view_at", lambda route: route[:2])
    found = weaknesses_of(
        ("/a2/ shows Note.text", "other"),
        ("/a1/ shows Note.text", "other staff"),
        ("/a3/ shows Note.title", "other"),
        ("/b1/ shows Note.text", "other"),
        ("no access rule for /a1/", ""),
        ("no access rule for /a2/", ""),
    )
    assert routes_of(found) == [
        ["/a1/", "/a2/"],
        ["/a3/"],
        ["/b1/"],
        ["/a1/"],
        ["/a2/"],
    ]
    (part,) = found[0].parts_of_any_route
    assert str(part) == "/a1/ shows Note.text (other, staff)"
    values = found[0].values()
    assert (values["route"], values["routes"]) == ("/a1/", ["/a1/", "/a2/"])
    assert values["sentences"] == [
        "/a1/ shows Note.text (other, staff)",
        "/a2/ shows Note.text (other)",
    ]


def test_what_is_so_now_and_for_a_visitor_comes_first() -> None:
    found = weaknesses_of(
        ("Once Note.is_public is True, /a/ shows Note.text", "anonym"),
        ("/b/ shows Note.text", "other"),
        ("/c/ shows Note.text", "anonym other"),
    )
    assert routes_of(found) == [["/c/"], ["/b/"], ["/a/"]]


@pytest.mark.parametrize(
    ("sentence", "name", "remedy"),
    [
        ("/a/ was not asked: KeyError in forms.py:12: 'x'", "guard", OF_GUARD),
        ("GET /a/ changes Note: do so by POST", "scripts", OF_OTHER_SITES),
        ("GET /a/ sends an email: do so by POST", "scripts", OF_OTHER_SITES),
        ("GET /a/ logs out: do so by POST", "scripts", OF_OTHER_SITES),
        ("/a/ is csrf_exempt", "scripts", OF_OTHER_SITES),
        ("POST /a/ sends an email to any address: do so", "emails", "Repair it."),
    ],
)
def test_kind_of_a_weakness_has_its_remedy(
    sentence: str, name: str, remedy: str
) -> None:
    (weakness,) = weaknesses_of((sentence, ""))
    assert weakness.severity.name == name
    assert weakness.steps[0] == remedy


@pytest.mark.parametrize(
    "sentence",
    [
        "Note of notes was not made: ValueError: shows User.email",
        "Note of notes was made only once: IntegrityError",
        "objects() of notes makes no Note",
        "Note.paper of notes has no file",
        "/notes/<pk>/ says ?: write 200 or 404 there",
        "/notes/<pk>/ is never reached",
    ],
)
def test_what_is_not_asked_yet_is_a_matter_of_the_table(sentence: str) -> None:
    assert severity_of(parse(sentence).what).name == "table"


def test_name_of_a_function_says_nothing_of_an_error() -> None:
    what = "answers 500 (KeyError in javascript of unescaped.py): repair it"
    assert severity_of(what).name == "errors"


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([3], "3"), ([3, 4, 5, 20], "3-5, 20"), ([1, 3, 4], "1, 3-4")],
)
def test_numbers_are_written_as_ranges(numbers: list[int], text: str) -> None:
    assert ranges(numbers) == text


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


@pytest.mark.parametrize(
    ("what", "function"),
    [
        ("changes Basket (in fill of shop/basket.py): do so by POST", IN_BASKET),
        ("answers 500 (KeyError in fill of shop/basket.py): repair it", IN_BASKET),
        ("answers 500 (KeyError): repair it", ""),
        ("changes Basket: do so by POST", ""),
    ],
)
def test_sentence_names_the_function_that_has_failed_or_written(
    what: str, function: str
) -> None:
    assert function_to_blame(what) == function
