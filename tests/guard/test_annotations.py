"""What GitHub and GitLab show of a weakness."""

import json

from secure_django.guard.annotations import annotations, code_quality
from secure_django.guard.merging import Parts, Weakness, merge
from secure_django.guard.places import NOWHERE, Place, place_of
from secure_django.guard.record import Found


def weaknesses() -> list[Weakness]:
    parts = Parts()
    parts.add(Found("/100%/ shows Note.text", ["other"], steps=["First.\r\n::Second"]))
    return merge(parts.by_text.values())


def find_place(_: str) -> Place:
    return Place("a,b/c:d%.py", 7)


def test_command_for_github_is_one_escaped_line() -> None:
    (line,) = annotations(weaknesses(), find_place)
    assert line == (
        "::error file=a%2Cb/c%3Ad%25.py,line=7,"
        "title=secure-django%3A others read what is the owner's::"
        "/100%25/ shows Note.text (other)%0AFirst.%0D%0A::Second"
    )


def test_issue_for_gitlab_has_what_the_format_demands() -> None:
    (issue,) = json.loads(json.dumps(code_quality(weaknesses(), find_place)))
    assert len(issue.pop("fingerprint")) == 64
    assert issue == {
        "description": "/100%/ shows Note.text (other)",
        "check_name": "secure-django-reads",
        "severity": "critical",
        "location": {"path": "a,b/c:d%.py", "lines": {"begin": 7}},
    }


def test_place_of_no_page_is_the_configuration() -> None:
    assert place_of("/no/such/page/") == NOWHERE
