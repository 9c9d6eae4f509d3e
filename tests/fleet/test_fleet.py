"""The page of many projects: each problem of a file has its sentence, and no other."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from secure_django.advisories import Record
from secure_django.fleet.page import make_row, render
from secure_django.fleet.problems import (
    SCHEMA,
    Expected,
    Kind,
    Problem,
    digest_list,
    digests_of_release,
    find_problems,
)

HASHES = {"pyproject.toml": "1" * 64, "src/secure_django/csv.py": "2" * 64}
INSTALLED = digest_list({"csv.py": "2" * 64})
NOW = datetime.now(UTC)
ADVISORY: Record = {
    "id": "GHSA-2222-3333-4444",
    "summary": "The place of a photo is kept",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "secure-django"},
            "ranges": [
                {
                    "type": "ECOSYSTEM",
                    "events": [{"introduced": "0"}, {"fixed": "1.0.1"}],
                }
            ],
        }
    ],
}
EXPECTED = Expected(
    since=NOW - timedelta(days=31),
    release="1.0.1",
    advisories=[ADVISORY],
    digests={"1.0.1": digests_of_release(HASHES), "1.0.2": {"other"}},
    required={"V1.1.1"},
)
CONTROL = {
    "id": "V1.1.1",
    "level": 1,
    "state": "shown",
    "tests": {"tests/test_shop.py::test_login": "passed"},
}
CLEAN: dict[str, Any] = {
    "schema_version": SCHEMA,
    "package": "1.0.1+vendored",
    "package_sha256": digest_list(HASHES),
    "commit": "5af3e0a61d0c58ac81c24b5b77e1d29a54b1f9c3",
    "time": NOW.isoformat(),
    "complete": True,
    "result": "green",
    "failed": [],
    "left_out": {},
    "exempt": {},
    "guard": {},
    "accepted": {"scans/suppressions.xml": 0},
    "controls": [CONTROL],
}
TEST = "tests/test_shop.py::test_price"
OLD = NOW - timedelta(days=40)


def texts(expected: Expected = EXPECTED, **changes: object) -> list[str]:
    """Return the sentences about evidence with changes."""
    return [problem.text for problem in find_problems(CLEAN | changes, expected)]


def test_clean_evidence_has_no_problem() -> None:
    assert texts() == []
    assert texts(package_sha256=INSTALLED, package="1.0.1") == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"package_sha256": "0"},
            "its copy of secure-django is not the release's: 1.0.1",
        ),
        ({"package": "1.0.3"}, "no list of hashes was given for 1.0.3"),
        ({"package": "1.0.1rc1"}, "1.0.1rc1 is no version such as 1.0.1, so no"),
        ({"commit": f"{CLEAN['commit']}-dirty"}, "files were changed after the commit"),
        ({"commit": None}, "it names no commit"),
        ({"complete": False, "result": "red"}, "some of the tests ran, not all"),
        ({"time": OLD.isoformat()}, "older than "),
        ({"controls": [CONTROL | {"state": "red"}]}, "V1.1.1 red"),
        ({"controls": [CONTROL | {"state": "not shown"}]}, "V1.1.1 not shown"),
        ({"controls": []}, "V1.1.1 not listed"),
        ({"failed": [TEST], "result": "red"}, f"{TEST} failed, which shows no control"),
        ({"result": "red"}, "the run is red"),
        ({"left_out": {"emails": "none are sent"}}, "emails is left out: none are"),
        ({"exempt": {"member.email": "of staff"}}, "member.email is exempt: of staff"),
        ({"guard": {"rules": ["csrf"]}}, "the guard has rules = ['csrf']"),
        ({"accepted": {"x.xml": 2}}, "x.xml accepts 2 findings"),
        ({"schema_version": 2}, "its evidence has the form 2"),
    ],
)
def test_each_problem_has_its_sentence(changes: dict[str, Any], sentence: str) -> None:
    [text] = texts(**changes)
    assert text.startswith(sentence)


def test_failing_test_is_named_beside_a_red_control() -> None:
    red = CONTROL | {"state": "red", "tests": {"tests/test_shop.py::test_login": "x"}}
    failed = [TEST, "tests/test_shop.py::test_login"]
    found = texts(controls=[red], failed=failed, result="red")
    assert found == ["V1.1.1 red", f"{TEST} failed, which shows no control"]


def test_partial_run_is_not_a_hundred_controls_that_are_not_shown() -> None:
    control = CONTROL | {"state": "not shown"}
    [text] = texts(complete=False, controls=[control])
    assert text.startswith("some of the tests ran")


def test_project_behind_a_fix_and_a_release_is_both() -> None:
    expected = EXPECTED._replace(digests={})
    assert texts(expected, package="1.0.0+vendored") == [
        "GHSA-2222-3333-4444 is open: The place of a photo is kept; fixed in 1.0.1",
        "has 1.0.0+vendored, and 1.0.1 is expected",
    ]


def test_decisions_of_a_team_come_last_and_are_no_failure() -> None:
    problems = [Problem(kind, kind.name) for kind in Kind]
    rows = [make_row("site", CLEAN, [problem]) for problem in problems]
    assert [row.is_failure for row in rows] == [True] * 5 + [False]


def test_page_shows_names_as_text() -> None:
    row = make_row("<b>", CLEAN, [Problem(Kind.RED, "<script>")])
    page = render([row])
    assert "<td>&lt;b&gt;<td>" in page
    assert "<li>&lt;script&gt;" in page


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a platform team does, without Django's settings."""
    command = (sys.executable, "-m", "secure_django.fleet", "evidence", *options)
    return subprocess.run(
        command, cwd=folder, check=False, capture_output=True, text=True
    )


def test_program_reads_a_folder_for_each_project(tmp_path: Path) -> None:
    for name, file in (("a", "controls.json"), ("b", "controls-partial.json")):
        folder = tmp_path / "evidence" / "museum" / name
        folder.mkdir(parents=True)
        evidence = CLEAN | {"complete": name == "a"}
        (folder / file).write_text(json.dumps(evidence), encoding="utf-8")
    (tmp_path / "evidence" / "museum" / "c").mkdir()
    outcome = run(tmp_path)
    names = [line.split()[0] for line in outcome.stdout.splitlines()]
    assert (outcome.returncode, names) == (1, ["museum/b", "museum/c", "museum/a"])
    assert "<h1>3 projects, 2 with problems</h1>" in (
        tmp_path / "evidence.html"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("option", "text", "sentence"),
    [
        ("--advisories=list", "{}", "it is no list of advisories"),
        ("--hashes=list", "", "name it secure-django-1.0.1.sha256"),
        ("--release=newest", "", "newest is no version such as 1.0.1"),
        ("--days=31", "", "evidence has no folder of a project"),
    ],
)
def test_program_says_what_it_cannot_compare(
    option: str, text: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "evidence").mkdir()
    if "--days" not in option:
        (tmp_path / "evidence" / "site").mkdir()
    (tmp_path / "list").write_text(text, encoding="utf-8")
    outcome = run(tmp_path, option)
    assert outcome.returncode == 1
    assert sentence in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_program_imports_no_django() -> None:
    code = "import sys, secure_django.fleet.__main__; sys.exit('django' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
