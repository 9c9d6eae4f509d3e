"""Which advisories are about a copy of the package, and what is no list of them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from secure_django.advisories import (
    MAIN,
    Contents,
    find_advisories,
    read_advisories,
    read_contents,
)
from secure_django.untrusted import UnreadableError

ADVISORY: dict[str, Any] = {
    "schema_version": "1.7.0",
    "id": "GHSA-2222-3333-4444",
    "modified": "2027-01-01T00:00:00Z",
    "aliases": ["CVE-2027-0001"],
    "summary": "A photo keeps its place",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "secure-django"},
            "ranges": [
                {
                    "type": "ECOSYSTEM",
                    "events": [
                        {"introduced": "0"},
                        {"fixed": "1.0.10"},
                        {"introduced": "1.1.0"},
                        {"fixed": "1.1.2"},
                    ],
                }
            ],
        }
    ],
}


def with_range(**changes: Any) -> dict[str, Any]:
    """Return the advisory with another range."""
    affected = ADVISORY["affected"][0]
    changed = affected["ranges"][0] | changes
    return ADVISORY | {"affected": [affected | {"ranges": [changed]}]}


NO_FIX: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("release", "fixed"),
    [
        ("1.0.0", "1.0.10"),
        ("1.0.9", "1.0.10"),
        ("1.1.1", "1.1.2"),
        ("1.1", "1.1.2"),
        (MAIN, "1.1.2"),
        # Another number is no fix.
        ("3.0.0", ""),
    ],
)
def test_copy_without_the_fix_is_affected(release: str, fixed: str) -> None:
    [advisory] = find_advisories([ADVISORY], Contents(release, NO_FIX))
    assert advisory.name == "GHSA-2222-3333-4444"
    assert advisory.fixed == fixed


@pytest.mark.parametrize("fix", ["GHSA-2222-3333-4444", "CVE-2027-0001"])
@pytest.mark.parametrize("release", ["0.1", "1.0.0", "1.1.2", MAIN])
def test_copy_with_the_fix_is_not_affected(release: str, fix: str) -> None:
    assert find_advisories([ADVISORY], Contents(release, {fix})) == []
    [_] = find_advisories([ADVISORY], Contents(release, {"GHSA-5555-6666-7777"}))


def test_release_before_the_vulnerability_is_not_affected() -> None:
    later = with_range(events=[{"introduced": "1.1.0"}, {"fixed": "1.1.2"}])
    assert find_advisories([later], Contents("1.0.4", NO_FIX)) == []
    # Between two releases, its code may be there.
    [advisory] = find_advisories([later], Contents(MAIN, NO_FIX))
    assert advisory.fixed == "1.1.2"


def test_withdrawn_advisory_does_not_count() -> None:
    withdrawn = ADVISORY | {"withdrawn": "2027-01-02T00:00:00Z"}
    assert find_advisories([withdrawn], Contents("1.0.0", NO_FIX)) == []


def test_vulnerability_without_a_fix_is_named() -> None:
    open_range = with_range(events=[{"introduced": "1.0.0"}])
    [advisory] = find_advisories([open_range], Contents("1.4.0", NO_FIX))
    assert advisory.fixed == ""


def test_range_of_commits_is_left_to_the_fix() -> None:
    affected = ADVISORY["affected"][0]
    commits = {"type": "GIT", "repo": "https://x", "events": [{"introduced": "0"}]}
    record = ADVISORY | {
        "affected": [affected | {"ranges": [commits, *affected["ranges"]]}]
    }
    assert len(find_advisories([record], Contents("1.0.0", NO_FIX))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!doctype html>",
        "{}",
        "[1]",
        json.dumps([{"summary": "no id"}]),
        json.dumps([ADVISORY | {"affected": []}]),
        json.dumps([with_range(type="GIT")]),
        json.dumps([with_range(events=[{"last_affected": "1.0.0"}])]),
        json.dumps([with_range(events=[{"fixed": "1.0.1rc1"}])]),
        json.dumps([with_range(events=["1.0.0"])]),
        json.dumps([with_range(events=[{"introduced": "0", "fixed": "1"}])]),
        json.dumps([with_range(events=[])]),
        json.dumps([with_range(events={})]),
        json.dumps([with_range(events=[{"fixed": "1.0.1"}])]),
        json.dumps([with_range(events=[{"introduced": 0}])]),
        json.dumps([with_range(events=[{"introduced": "9" * 5000}])]),
        json.dumps([ADVISORY | {"affected": 5}]),
        json.dumps([ADVISORY | {"aliases": 5}]),
        json.dumps([ADVISORY | {"aliases": ["\x1b[2J"]}]),
        json.dumps([ADVISORY | {"id": "GHSA\n"}]),
        json.dumps([ADVISORY | {"summary": ["x"]}]),
        json.dumps([ADVISORY | {"withdrawn": True}]),
        "[" * 200_000,
    ],
)
def test_list_in_an_unknown_form_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError) as refused:
        read_advisories(text)
    assert str(refused.value).isprintable()


# What a copy has


def test_copy_says_its_release_and_its_fixes(tmp_path: Path) -> None:
    (tmp_path / "release.txt").write_text("1.0.1\n", encoding="utf-8")
    (tmp_path / "GHSA-2222-3333-4444.txt").touch()
    (tmp_path / "__pycache__").mkdir()
    assert read_contents(tmp_path) == ("1.0.1", {"GHSA-2222-3333-4444"})


@pytest.mark.parametrize("text", [None, "", "newest", "1.0.1rc1"])
def test_copy_without_its_release_is_refused(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "release.txt").write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableError):
        read_contents(tmp_path)


# The list of this repository

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "security-releases.md").read_text(encoding="utf-8")
[EXAMPLE] = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
OWN = (ROOT / "advisories.json").read_text(encoding="utf-8")
# What OSV's schema requires, or GitHub asks for.
FIELDS = {
    "schema_version",
    "id",
    "modified",
    "published",
    "summary",
    "details",
    "severity",
    "affected",
    "references",
}


@pytest.mark.parametrize("text", [OWN, EXAMPLE], ids=["own", "example of the guide"])
def test_every_advisory_has_what_osv_and_github_ask_for(text: str) -> None:
    for record in read_advisories(text):
        assert record.keys() >= FIELDS
        assert re.fullmatch(r"GHSA(-[23456789cfghjmpqrvwx]{4}){3}", record["id"])
        assert record["modified"].endswith("Z")
        [severity] = record["severity"]
        assert severity["type"] == "CVSS_V4"
        assert severity["score"].startswith("CVSS:4.0/AV:")
        for affected in record["affected"]:
            assert affected["database_specific"]["cwe_ids"]


def test_every_advisory_with_a_fix_has_it_here() -> None:
    """The tag of a fix has both: whoever merges it has both, too."""
    found = find_advisories(read_advisories(OWN), read_contents())
    assert [advisory.name for advisory in found if advisory.fixed] == []
