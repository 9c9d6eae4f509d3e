"""A damaged file of a project is one row with its name, and no file ends the page."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from errno import EACCES
from pathlib import Path
from typing import Any

import pytest

from secure_django.fleet.reading import read_projects
from tests.fleet.clean import CLEAN, TOMORROW, write_project

LATER_COMMIT = "1" * 40


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a platform team does, without Django's settings."""
    command = (sys.executable, "-m", "secure_django.fleet", "evidence", *options)
    return subprocess.run(
        command, cwd=folder, check=False, capture_output=True, encoding="utf-8"
    )


def rows_of(folder: Path) -> dict[str, str]:
    """Return the printed line of each project, by its name."""
    outcome = run(folder)
    assert outcome.stderr == ""
    lines = outcome.stdout.splitlines()
    page = (folder / "evidence.html").read_text(encoding="utf-8")
    assert page.count("<tr") == len(lines) + 1
    return {line.partition("  ")[0]: line for line in lines}


def write_text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")


def write_bytes(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def write_changed(**changes: object) -> Callable[[Path], object]:
    return write_text(json.dumps(CLEAN | changes))


def control(**changes: object) -> list[dict[str, Any]]:
    return [CLEAN["controls"][0] | changes]


TEXT = json.dumps(CLEAN)
DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": write_text(""),
    "truncated": write_text(TEXT[:300]),
    "list": write_text("[]"),
    "null": write_text("null"),
    "number": write_text("5"),
    "BOM": write_text(f"\ufeff{TEXT}"),
    "UTF-16": write_bytes(TEXT.encode("utf-16")),
    "not UTF-8": write_bytes(TEXT.replace("green", "gr\xe9en").encode("latin-1")),
    "NUL": write_bytes(b"\0" * 100),
    "nested": write_text("[" * 200_000),
    "nested value": write_text(TEXT[:-1] + ', "x": ' + "[" * 99 + "]" * 99 + "}"),
    "huge": write_text(" " * 6_000_000 + TEXT),
    "long number": write_text(TEXT[:-1] + f', "x": {"9" * 5000}}}'),
    "duplicate names": write_text(TEXT[:-1] + ', "result": "green"}'),
    "NaN": write_text(TEXT[:-1] + ', "x": NaN}'),
    "page of a portal": write_text("<!doctype html>"),
    "folder": lambda path: path.mkdir(),
    "loop": lambda path: path.symlink_to(path),
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "time without zone": write_changed(time="2026-11-25T15:00:00"),
    "time": write_changed(time="yesterday"),
    "no time": write_changed(time=None),
    "controls as text": write_changed(controls="V1.1.1"),
    "controls as numbers": write_changed(controls=[5]),
    "control without id": write_changed(controls=control(id=None)),
    "level": write_changed(controls=control(level="1")),
    "level as a flag": write_changed(controls=control(level=True)),
    "state": write_changed(controls=control(state="fine")),
    "state as a list": write_changed(controls=control(state=["shown"])),
    "tests": write_changed(controls=control(tests=["x"])),
    "package": write_changed(package=1.0),
    "release": write_changed(upstream_release="newest"),
    "fixes": write_changed(fixes="GHSA-2222-3333-4444"),
    "commit": write_changed(commit=5),
    "commit as text": write_changed(commit="\x1b[2J"),
    "complete": write_changed(complete="yes"),
    "totals": write_changed(totals=[1]),
    "negative totals": write_changed(totals={"passed": -1}),
    "left out": write_changed(left_out=["x"]),
    "accepted": write_changed(accepted={"x": "y"}),
    "failed": write_changed(failed=None),
    "version as text": write_changed(schema_version=str(CLEAN["schema_version"])),
    "version as a list": write_changed(schema_version=[4]),
}


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")
def test_damaged_file_is_one_row_with_its_name(tmp_path: Path) -> None:
    names = {kind: f"museum/{kind.replace(' ', '-')}" for kind in DAMAGES}
    for kind, damage in DAMAGES.items():
        folder = tmp_path / "evidence" / names[kind]
        folder.mkdir(parents=True)
        damage(folder / "controls.json")
    write_project(tmp_path, "museum/fine")
    rows = rows_of(tmp_path)
    assert rows.keys() == {*names.values(), "museum/fine"}
    for kind, name in names.items():
        assert "controls.json cannot be read: " in rows[name], kind
    assert rows["museum/fine"].endswith("  1 + 0  ")


def test_file_and_folder_without_rights_are_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read every file, so the refusal is made up."""
    write_project(tmp_path, "file")
    write_project(tmp_path, "folder")

    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(EACCES, "Permission denied", str(path))

    def refuse_folder(path: Path) -> Iterator[Path]:
        if path.name == "folder":
            refuse(path)
        return list_folder(path)

    list_folder = Path.iterdir
    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "iterdir", refuse_folder)
    problems = {
        project.name: [problem.text for problem in project.problems]
        for project in read_projects(tmp_path / "evidence")
    }
    assert problems == {
        "file": ["controls.json cannot be read: Permission denied"],
        "folder": ["the folder cannot be read: Permission denied"],
    }


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such links")
def test_link_is_a_row_too(tmp_path: Path) -> None:
    write_project(tmp_path, "museum/fine")
    museum = tmp_path / "evidence" / "museum"
    (museum / "loop").symlink_to(museum / "loop")
    (museum / "above").symlink_to(museum)
    (museum / "notes").symlink_to(__file__)
    rows = rows_of(tmp_path)
    assert rows.keys() == {"museum/fine", "museum/loop", "museum/above"}
    assert rows["museum/loop"].endswith("no evidence")


EARLY = "0001-01-01T00:00:00+23:59"
LATE = "9999-12-31T23:59:59-23:59"
RUN = "https://github.com/museum/shop/actions/runs/1/attempts/1"
FAILED = {"tests/test_shop.py::test_price": "failed"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"time": "2099-01-01T00:00:00+00:00"}, "its clock is ahead: 2099-01-01"),
        ({"time": TOMORROW}, "its clock is ahead: "),
        ({"time": LATE}, "its clock is ahead: 9999-12-31"),
        ({"time": EARLY}, "older than "),
        (
            {"totals": {"failed": 2, "passed": 211}},
            "it contradicts itself: it counts 2 failures, and names 0",
        ),
        (
            {"totals": {"passed": 0}},
            "it contradicts itself: it counts 0 passed tests, and names 1",
        ),
        (
            {"failed": ["x"], "totals": {"failed": 1, "passed": 211}},
            "it contradicts itself: it is green, with a failed test",
        ),
        ({"exit_status": 1}, "it contradicts itself: it is green, with the exit"),
        (
            {"controls": control(state="red")},
            "it contradicts itself: it is green, with a red control",
        ),
        (
            {"controls": control(state="not shown")},
            "it contradicts itself: it is green, with a control that is not shown",
        ),
        (
            {"controls": control(tests=FAILED)},
            "it contradicts itself: tests/test_shop.py::test_price failed, and is not",
        ),
        (
            {"did_not_run": {"x": "was deselected"}},
            "it contradicts itself: all tests ran, and some did not",
        ),
        ({"project": "shop"}, "its evidence is about another project: shop"),
        ({"ci_run": RUN}, f"its evidence is about another project: {RUN}"),
    ],
)
def test_false_evidence_is_red(
    changes: dict[str, object], problem: str, tmp_path: Path
) -> None:
    write_project(tmp_path, "museum/site", **changes)
    outcome = run(tmp_path)
    assert outcome.returncode == 1
    assert problem in outcome.stdout
    page = (tmp_path / "evidence.html").read_text(encoding="utf-8")
    assert ("<tr class=red>" in page) is ("older" not in problem)


@pytest.mark.parametrize(
    ("name", "ci_run"),
    [
        ("museum/site", None),
        ("site", None),
        ("museum/Site", "https://github.com/museum/site/actions/runs/1/attempts/1"),
        ("github/museum/site", "https://github.com/museum/site/actions/runs/1"),
        ("site", "https://github.com/museum/site/actions/runs/1/attempts/1"),
        ("museum%2Fshop", "https://gitlab.com/museum/shop/-/jobs/1"),
        ("shop", "https://gitlab.com/web/museum/shop/-/jobs/1"),
        ("actions/shop", "https://gitlab.com/actions/shop/-/jobs/1"),
    ],
)
def test_folder_has_the_path_of_its_repository(
    name: str, ci_run: str | None, tmp_path: Path
) -> None:
    write_project(tmp_path, name, project="site", ci_run=ci_run)
    outcome = run(tmp_path)
    assert outcome.returncode == 0, outcome.stdout


def test_project_that_is_there_twice_is_red(tmp_path: Path) -> None:
    write_project(tmp_path, "museum/site")
    write_project(tmp_path, "library/site")
    write_project(tmp_path, "archive/site", commit=LATER_COMMIT)
    rows = rows_of(tmp_path)
    assert rows["museum/site"].endswith("the project and the commit of library/site")
    assert rows["library/site"].endswith("the project and the commit of museum/site")
    assert rows["archive/site"].endswith("  1 + 0  ")


def test_folder_beside_a_folder_in_it_is_red(tmp_path: Path) -> None:
    write_project(tmp_path, "museum/site")
    write_project(tmp_path, "museum/site/old", commit=LATER_COMMIT, project="old")
    write_project(tmp_path, "museum/shop", commit="2" * 40, project="shop")
    (tmp_path / "evidence" / "museum" / "shop" / "html").mkdir()
    rows = rows_of(tmp_path)
    assert rows.keys() == {"museum/site", "museum/site/old", "museum/shop"}
    for name in ("museum/site", "museum/site/old"):
        assert rows[name].endswith("is in another: keep one for each project")
    assert rows["museum/shop"].endswith("  1 + 0  ")


def test_file_beside_the_folders_is_its_own_row(tmp_path: Path) -> None:
    write_project(tmp_path, "museum/site")
    write_project(tmp_path, ".", commit=LATER_COMMIT)
    rows = rows_of(tmp_path)
    assert "is in another" in rows["."]
    assert rows["museum/site"].endswith("  1 + 0  ")


def test_one_file_asks_no_other_project_for_a_control(tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b", "c")):
        write_project(tmp_path, name, project=name, commit=str(number) * 40)
    invented = control() + control(id="V9.9.9")
    write_project(tmp_path, "d", project="d", commit="d" * 40, controls=invented)
    assert run(tmp_path).returncode == 0


def test_what_is_printed_and_shown_is_escaped(tmp_path: Path) -> None:
    name = "museum/\x1b[2Jsite\nb  green"
    text = "one\r\x1b]0;title\x07\ntwo\u202e<script>"
    last = name.rpartition("/")[2]
    write_project(
        tmp_path, name, project=last, left_out={text: text}, package=f"1.0.1+{text}"
    )
    outcome = run(tmp_path)
    assert outcome.stdout.count("\n") == 1
    assert outcome.stdout.rstrip("\n").isprintable()
    page = (tmp_path / "evidence.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert page.replace("\n", "").isprintable()
    assert "\\x1b[2Jsite\\nb  green<td>" in page
    assert "one\\r\\x1b]0;title\\x07\\ntwo\\u202e&lt;script&gt;" in page


def test_thousands_of_problems_are_counted(tmp_path: Path) -> None:
    failed = [f"tests/test_{number}.py::test_x" for number in range(5000)]
    totals = {"passed": 1, "failed": 5000}
    changes = {"failed": failed, "totals": totals, "result": "red"}
    write_project(tmp_path, "museum/site", **changes)
    outcome = run(tmp_path)
    assert outcome.stdout.count("failed") == 50
    assert outcome.stdout.endswith("4950 more problems\n")
