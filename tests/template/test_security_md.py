"""SECURITY.md of a project and of its apps: each test exists, and shows the ids.

tests/controls/test_security_md.py compares the documents of the package, to which these
link, with its tests.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_django.controls.evidence import LIST, LISTED
from secure_django.controls.project import read_project
from secure_django.controls.release import read_release
from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    ON_PLATFORM,
    Answers,
    Project,
    name,
    own_modules,
    own_paths,
)
from tests.support.controls import controls_of, read_functions

TEST = re.compile(r"`(test_\w+)`")
RANGE = re.compile(r"(V\d+\.\d+\.)(\d+)–\1(\d+)")
NO_CONTROL = "–"
some_projects = pytest.mark.parametrize(
    "answers", [ALL_ON, ALL_OFF, ON_PLATFORM], ids=name
)

type Row = tuple[set[str], list[str]]  # the ids of controls, and the tests
type Markers = dict[str, set[str]]  # the ids of each test


def read_ids(cell: str) -> Iterator[str]:
    """Yield the ids of a cell, which may have ranges."""
    for part in cell.split(", "):
        span = RANGE.fullmatch(part)
        if span:
            numbers = range(int(span[2]), int(span[3]) + 1)
            yield from (f"{span[1]}{number}" for number in numbers)
        elif part != NO_CONTROL:
            yield part


def read_rows(document: Path, column: int) -> list[Row]:
    """Return the rows that name tests. The ids are in a column, counted from 0."""
    rows = []
    for line in document.read_text(encoding="utf-8").splitlines():
        tests = TEST.findall(line)
        if line.startswith("| ") and tests:
            cell = line.strip("| ").split(" | ")[column]
            rows.append((set(read_ids(cell)), tests))
    return rows


def suite_of(project: Path) -> Markers:
    """Return the tests of the package that run in a project."""
    release = read_release()
    about = read_project(project)
    markers: Markers = {
        test: set() for test in release.suite if not about.missing(test)
    }
    for control, tests in release.controls.items():
        for test in markers.keys() & set(tests):
            markers[test].add(control)
    return {test.rpartition("::")[2]: controls for test, controls in markers.items()}


def own_tests(folder: Path) -> Markers:
    """Return the tests of an app."""
    return {
        function.name: set(controls_of(function))
        for path in folder.glob("tests/test_*.py")
        for function in read_functions(path)
    }


@some_projects
def test_each_named_test_exists(answers: Answers, pristine: Project) -> None:
    project = pristine(answers)
    written = {
        function.name
        for path in own_modules(project)
        if path.name.startswith("test_")
        for function in read_functions(path)
    }
    found = set()
    for path in own_paths(project):
        if path.endswith(".md"):
            text = (project / path).read_text(encoding="utf-8")
            found.update(TEST.findall(text))
    assert len(found) > 40
    assert found - written - suite_of(project).keys() == set()


@some_projects
def test_tests_of_a_row_show_its_ids(answers: Answers, pristine: Project) -> None:
    project = pristine(answers)
    suite = suite_of(project)
    rows = read_rows(project / "SECURITY.md", column=1)
    assert len(rows) >= 15
    for ids, tests in rows:
        assert ids <= set().union(*(suite[test] for test in tests)), tests
    named = set().union(*(ids for ids, _ in rows))
    listed = LISTED.findall(LIST.read_text(encoding="utf-8"))
    first_level = {control for control, level, *_ in listed if level == "1"}
    shown = set().union(*suite.values())
    assert named <= {control for control, *_ in listed}
    assert (shown & first_level) - named == set(), "SECURITY.md does not name these"


@pytest.mark.feature("gallery")
def test_table_of_the_gallery_has_all_its_controls(pristine: Project) -> None:
    folder = pristine(ALL_ON) / "gallery"
    named = {
        (control, test)
        for ids, tests in read_rows(folder / "SECURITY.md", column=0)
        for control in ids
        for test in tests
    }
    shown = {
        (control, test)
        for test, controls in own_tests(folder).items()
        for control in controls
    }
    assert named == shown
