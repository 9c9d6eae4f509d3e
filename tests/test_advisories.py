"""Which advisories are about a version, and what is no list of advisories."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from secure_django.advisories import find_advisories, read_advisories

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


@pytest.mark.parametrize(
    ("version", "fixed"),
    [
        ("1.0.0", "1.0.10"),
        ("1.0.9+vendored", "1.0.10"),
        ("1.1.1", "1.1.2"),
        ("1.1", "1.1.2"),
    ],
)
def test_version_before_a_fix_is_affected(version: str, fixed: str) -> None:
    [advisory] = find_advisories([ADVISORY], version)
    assert advisory.name == "GHSA-2222-3333-4444"
    assert advisory.fixed == fixed


@pytest.mark.parametrize("version", ["1.0.10", "1.0.11", "1.1.2+vendored", "2.0.0"])
def test_version_with_the_fix_is_not_affected(version: str) -> None:
    assert find_advisories([ADVISORY], version) == []


def test_withdrawn_advisory_does_not_count() -> None:
    withdrawn = ADVISORY | {"withdrawn": "2027-01-02T00:00:00Z"}
    assert find_advisories([withdrawn], "1.0.0") == []


def test_vulnerability_without_a_fix_is_named() -> None:
    open_range = with_range(events=[{"introduced": "1.0.0"}])
    [advisory] = find_advisories([open_range], "1.4.0")
    assert advisory.fixed == ""


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
    ],
)
def test_list_in_an_unknown_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of json too
        read_advisories(text)


def test_version_in_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1\.0\.1rc1 is no version"):
        find_advisories([ADVISORY], "1.0.1rc1")


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
