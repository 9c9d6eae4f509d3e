"""What a run prints about its weaknesses."""

from types import SimpleNamespace
from typing import Any

import pytest

from secure_django.guard import places
from secure_django.guard.annotations import describe
from secure_django.guard.merging import Parts, Weakness, merge
from secure_django.guard.record import Found
from secure_django.guard.report import to_html
from secure_django.guard.summary import summarize

ERROR = "answers 500 (KeyError in read of shop/views.py): repair it"
RETURNS = "Return it."


def weaknesses_of(*sentences: str) -> list[Weakness]:
    parts = Parts()
    for sentence in sentences:
        parts.add(Found(sentence, [], steps=[RETURNS]))
    return merge(parts.by_text.values())


def lines_of(*sentences: str) -> list[str]:
    results: Any = SimpleNamespace(new=weaknesses_of(*sentences))
    return list(summarize(results, lambda _: "a.py:1"))


def test_further_routes_of_a_weakness_stand_in_one_line() -> None:
    assert lines_of(f"/b/ {ERROR}", f"/a/ {ERROR}", f"GET /c/ {ERROR}") == [
        "Errors:",
        "  1. a.py:1 /a/ by GET",
        "     also /b/, /c/",
        f"     {ERROR}",
        "",
        "What to do:",
        f"  1: {RETURNS}",
    ]


def test_many_routes_are_counted() -> None:
    lines = lines_of(*(f"/{letter}/ {ERROR}" for letter in "abcdef"))
    assert "     also /b/, /c/, /d/ and 2 more" in lines


def test_pages_that_lack_the_same_value_stand_in_one_line() -> None:
    missing = [
        f"objects() of shop returns no slug for /{letter}/<slug>/" for letter in "abcde"
    ]
    other = "objects() of shop returns no slug, pk for /aa/<slug>/<pk>/"
    assert lines_of(*missing, other) == [
        "What is missing in the table:",
        (
            "1, 3-6. objects() of shop returns no slug for 5 pages:"
            " /a/<slug>/, /b/<slug>/, /c/<slug>/ and 2 more"
        ),
        "  2. a.py:1 /aa/<slug>/<pk>/",
        f"     {other}",
        "",
        "What to do:",
        f"  1-6: {RETURNS}",
    ]


def test_platform_is_told_each_sentence_of_several_routes_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places, "view_at", lambda _: "view")
    (weakness,) = weaknesses_of("/b/ shows Note.text", "/a/ shows Note.text")
    assert describe(weakness) == f"/a/ shows Note.text\nalso /b/\n{RETURNS}"


def test_page_of_the_report_has_all_routes_and_the_steps_by_range() -> None:
    weaknesses = weaknesses_of(*(f"/{letter}/ {ERROR}" for letter in "abcdef"))
    described = [it.values() | {"app": "", "file": "a.py"} for it in weaknesses]
    values = {"weaknesses": described, "requests": []}
    page = to_html(values, {RETURNS: [1, 2, 3]})
    assert "also <code>/b/</code>, <code>/c/</code>, <code>/d/</code>" in page
    assert "<code>/f/</code></th>" in page
    assert "<li>1-3: <pre>" in page
