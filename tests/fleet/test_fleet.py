"""The page of many projects: each problem of a file has its sentence, and no other."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from secure_django.advisories import Record
from secure_django.fleet.page import make_row, render
from secure_django.fleet.problems import (
    Expected,
    Kind,
    Problem,
    digest_list,
    digests_of_release,
    find_problems,
)
from tests.fleet.clean import CLEAN, CONTROL, HASHES, NOW, write_project

INSTALLED = digest_list({"csv.py": "2" * 64})
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
    now=NOW,
    since=NOW - timedelta(days=31),
    release="1.0.1",
    advisories=[ADVISORY],
    digests={"1.0.1": digests_of_release(HASHES), "1.0.2": {"other"}},
    required={"V1.1.1"},
)
SHA256 = "secure-django-1.0.1.sha256"
TEST = "tests/test_shop.py::test_price"
RED = {"result": "red"}
ONE_FAILED = {"passed": 211, "failed": 1}
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
        ({"upstream_release": "main"}, "has code between two releases, and 1.0.1 is"),
        ({"commit": f"{CLEAN['commit']}-dirty"}, "files were changed after the commit"),
        ({"commit": None}, "it names no commit"),
        ({"complete": False, "result": "red"}, "some of the tests ran, not all"),
        ({"time": OLD.isoformat()}, "older than "),
        ({"controls": [CONTROL | {"state": "red"}]} | RED, "V1.1.1 red"),
        ({"controls": [CONTROL | {"state": "not shown"}]} | RED, "V1.1.1 not shown"),
        ({"controls": []}, "V1.1.1 not listed"),
        (
            {"failed": [TEST], "totals": ONE_FAILED} | RED,
            f"{TEST} failed, which shows no control",
        ),
        ({"result": "red"}, "the run is red"),
        ({"left_out": {"emails": "none are sent"}}, "emails is left out: none are"),
        ({"exempt": {"member.email": "of staff"}}, "member.email is exempt: of staff"),
        ({"guard": {"rules": ["csrf"]}}, "the guard has rules = ['csrf']"),
        ({"accepted": {"x.xml": 2}}, "x.xml accepts 2 findings"),
    ],
)
def test_each_problem_has_its_sentence(changes: dict[str, Any], sentence: str) -> None:
    [text] = texts(**changes)
    assert text.startswith(sentence)


def test_failing_test_is_named_beside_a_red_control() -> None:
    red = CONTROL | {"state": "red", "tests": {"tests/test_shop.py::test_login": "x"}}
    failed = [TEST, "tests/test_shop.py::test_login"]
    totals = {"passed": 211, "failed": 2}
    found = texts(controls=[red], failed=failed, result="red", totals=totals)
    assert found == ["V1.1.1 red", f"{TEST} failed, which shows no control"]


def test_partial_run_is_not_a_hundred_controls_that_are_not_shown() -> None:
    control = CONTROL | {"state": "not shown"}
    [text] = texts(complete=False, controls=[control])
    assert text.startswith("some of the tests ran")


def test_project_behind_a_fix_and_a_release_is_both() -> None:
    expected = EXPECTED._replace(digests={})
    old = {"upstream_release": "1.0.0", "fixes": []}
    assert texts(expected, **old) == [
        "GHSA-2222-3333-4444 is open: The place of a photo is kept; fixed in 1.0.1",
        "has 1.0.0, and 1.0.1 is expected",
    ]


def test_number_of_a_fork_hides_neither_an_advisory_nor_a_release() -> None:
    expected = EXPECTED._replace(digests={})
    fork = {"package": "3.0.0+vendored", "upstream_release": "1.0.0"}
    assert len(texts(expected, **fork, fixes=[])) == 2
    # It has taken the fix alone.
    [text] = texts(expected, **fork)
    assert text == "has 1.0.0, and 1.0.1 is expected"


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
    write_project(tmp_path, "museum/a")
    part = write_project(tmp_path, "museum/b", complete=False, commit="b" * 40)
    part.rename(part.with_name("controls-partial.json"))
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
        (f"--days={'9' * 12}", "", "cannot be compared"),
        ("--advisories=list", "[" * 200_000, "list: it is nested more than 50 times"),
        (f"--hashes={SHA256}", "", f"{SHA256} is damaged: it is empty"),
        (f"--hashes={SHA256}", "x", f"{SHA256} is damaged: line 1 is x"),
        (f"--hashes={SHA256}", "\0\x1b", f"{SHA256} is damaged: line 1 is \\x00"),
    ],
)
def test_program_says_what_it_cannot_compare(
    option: str, text: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "evidence").mkdir()
    if option != "--days=31":
        (tmp_path / "evidence" / "site").mkdir()
    for name in ("list", SHA256):
        (tmp_path / name).write_text(text, encoding="utf-8")
    outcome = run(tmp_path, option)
    assert outcome.returncode == 1
    assert sentence in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_program_imports_no_django() -> None:
    code = "import sys, secure_django.fleet.__main__; sys.exit('django' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
