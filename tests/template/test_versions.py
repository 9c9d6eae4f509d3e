"""The number of a release says what it removes and adds: semantic versioning."""

from pathlib import Path

import pytest

from secure_django.deprecation import Deprecation
from tests.support.records import kept_names
from tests.support.versions import Change, problems_of, version_problems

OLD = ["setting A_LIMIT", "url name photo_list", "block base.html: header"]
RELEASES = ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]


def problems(version: str, new: list[str], section: str, since: str = "") -> list[str]:
    deprecation = Deprecation("setting", "A_LIMIT", since, "2.0.0", "B_LIMIT")
    change = Change(RELEASES, version, OLD, new, section)
    return version_problems(change, [deprecation] if since else [])


def test_number_of_this_state_fits_what_changed(template: Path) -> None:
    assert not problems_of(template)


@pytest.mark.parametrize("version", ["1.3.1", "1.4.0"])
def test_removal_needs_a_major_number(version: str) -> None:
    sentence = "setting A_LIMIT is gone: that needs 2.0.0, or the name back."
    assert problems(version, OLD[1:], "`A_LIMIT`", since="1.0.0") == [sentence]


@pytest.mark.parametrize(
    ("since", "sentence"),
    [
        ("1.2.0", ""),
        ("1.3.0", "setting A_LIMIT is gone, and 1 minor releases warned, not 2."),
        ("", "setting A_LIMIT is gone, but was not deprecated."),
    ],
)
def test_removal_needs_two_minor_releases_that_warn(since: str, sentence: str) -> None:
    found = problems("2.0.0", OLD[1:], "`A_LIMIT` is gone.", since)
    assert found == ([sentence] if sentence else [])


@pytest.mark.parametrize("name", ["setting B_LIMIT", "public secure_django.csv: read"])
def test_addition_needs_a_minor_number(name: str) -> None:
    new = [*OLD, name]
    section = f"`{name.rsplit(maxsplit=1)[-1]}` is new."
    sentence = f"{name} is new: that needs 1.4.0."
    assert problems("1.3.1", new, section) == [sentence]
    assert not problems("1.4.0", new, section)
    assert not problems("2.0.0", new, section)


def test_changelog_names_each_change_word_by_word() -> None:
    new = [*OLD[1:], "setting B_LIMIT"]
    assert problems("2.0.0", new, "A_LIMITS, MY-B_LIMIT", since="1.0.0") == [
        "setting A_LIMIT is gone: name A_LIMIT in CHANGELOG.md.",
        "setting B_LIMIT is new: name B_LIMIT in CHANGELOG.md.",
    ]


def test_same_names_need_nothing() -> None:
    assert not problems("1.3.1", OLD, "")


def test_record_has_each_kind_of_name(template: Path) -> None:
    names = set(kept_names(template))
    assert names >= {
        "block base.html: content",
        "check E101",
        "command template-update",
        "label secure_django_photos",
        "management worker",
        "prompt auth_app",
        "public secure_django.csv: write_csv",
        "setting UPLOADS_PER_HOUR",
        "static file secure_django/photos/upload.js",
        "template account/login.html",
        "url name account_profile",
        "variable DATABASE_URL",
    }
