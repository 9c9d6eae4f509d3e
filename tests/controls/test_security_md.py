"""Documents and release.json list the controls that the package's tests show."""

import json
import re

from secure_django.controls.evidence import LIST, LISTED
from secure_django.controls.project import PACKAGE
from secure_django.controls.release import FILE
from tests.support.controls import (
    files_with_tests,
    make_release,
    read_functions,
    read_markers,
)

ROW = re.compile(r"^\| (\S+) \| .+ \| (`test_\w+`(?:, `test_\w+`)*) \|$", re.MULTILINE)
DOCUMENTS = [PACKAGE / "docs" / "security.md", *PACKAGE.rglob("SECURITY.md")]
# As many as OWASP ASVS 5.0.0 has at its level 1.
REQUIREMENTS = 70


def test_tables_of_controls_match_the_markers() -> None:
    listed = {
        (control, test)
        for path in DOCUMENTS
        for control, tests in ROW.findall(path.read_text(encoding="utf-8"))
        for test in re.findall(r"\w+", tests)
    }
    shown = {
        (control, test.rpartition("::")[2])
        for control, tests in read_markers().items()
        for test in tests
    }
    assert listed == shown, (
        f"not in SECURITY.md: {shown - listed}; without a test: {listed - shown}"
    )


def test_each_test_that_a_document_names_exists() -> None:
    """In sentences too."""
    written = {
        function.name
        for path in files_with_tests()
        for function in read_functions(path)
    }
    documents = [*PACKAGE.rglob("*.md")]
    named = {
        test
        for path in documents
        for test in re.findall(r"\b(test_\w+)`", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 100
    assert named - written == set()


def test_list_of_requirements_is_whole_and_matches_the_markers() -> None:
    rows = LISTED.findall(LIST.read_text(encoding="utf-8"))
    assert [level for _, level, *_ in rows].count("1") == REQUIREMENTS
    listed = {control for control, *_, state, _ in rows if state == "shown"}
    marked = set(read_markers())
    assert listed == marked, (
        f"not shown in docs/controls.md: {marked - listed};"
        f" without a test: {listed - marked}"
    )
    states = {(state, bool(why)) for *_, state, why in rows}
    assert states == {
        ("shown", False),
        ("not provided", True),
        ("not applicable", True),
    }


def test_release_json_has_the_tests_and_the_version_of_the_package() -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == make_release(), (
        "Record them: uv run python -m tests.support.controls"
    )


def test_each_test_that_runs_in_projects_has_a_name_of_its_own() -> None:
    """A project leaves tests out by name."""
    names = [test.rpartition("::")[2] for test in make_release()["suite"]]
    assert {name for name in names if names.count(name) > 1} == set()
