"""What auditors get: a run's reports/controls.json, and the guide to collecting it."""

import json
import os
import platform
import re
import shutil
import sqlite3
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    COMBINATIONS,
    Answers,
    Project,
    commit,
    name,
    run,
)
from tests.support.evidence import (
    CONTROL,
    GUIDE,
    MISSING,
    NAMES,
    OLD,
    RED,
    SKIPPED_CONTROL,
    UNLISTED,
    compare,
    green,
    write_fleet,
)

pytestmark = pytest.mark.tier("whole")

PLANTED = """
import pytest

@pytest.mark.control("V3.3.1")
@pytest.mark.parametrize("value", [1, 2])
def test_passes(value: int) -> None:
    pass

@pytest.mark.control("V3.3.2")
@pytest.mark.parametrize("value", [1, 2])
def test_fails_once(value: int) -> None:
    assert value == 1

@pytest.mark.control("V3.3.3")
def test_is_skipped() -> None:
    pytest.skip("needs PostgreSQL")
"""
MORE = """
import pytest

def test_has_a_property(record_property) -> None:
    record_property("ticket", "A-1")

@pytest.mark.control("V3.3.1")
def test_passes() -> None:
    pass

@pytest.mark.control("V3.3.1")
@pytest.mark.xfail
def test_fails_as_expected() -> None:
    assert 1 == 2
"""
SKIPPED = """
import pytest

pytest.importorskip("missing")

def test_of_a_missing_package() -> None:
    pass
"""
GH = """\
#!/bin/sh
case "$1 $2" in
    "run list") [ "$8" = main ] && echo "run of $4" ;;
    "run download")
        [ "$3" = "run of $5" ] && mkdir -p "$9" &&
            cp "{evidence}" "$9/controls.json" ;;
esac
"""


# The requirements of level 1 of OWASP ASVS 5.0.0, and those of levels 2 and 3 that
# projects name.
ASVS = {
    "1": """
        1.2.1 1.2.2 1.2.3 1.2.4 1.2.5 1.3.1 1.3.2 1.5.1 2.1.1 2.2.1 2.2.2 2.3.1 3.2.1
        3.2.2 3.3.1 3.4.1 3.4.2 3.5.1 3.5.2 3.5.3 4.1.1 4.4.1 5.2.1 5.2.2 5.3.1 5.3.2
        6.1.1 6.2.1 6.2.2 6.2.3 6.2.4 6.2.5 6.2.6 6.2.7 6.2.8 6.3.1 6.3.2 6.4.1 6.4.2
        7.2.1 7.2.2 7.2.3 7.2.4 7.4.1 7.4.2 8.1.1 8.2.1 8.2.2 8.3.1 9.1.1 9.1.2 9.1.3
        9.2.1 10.4.1 10.4.2 10.4.3 10.4.4 10.4.5 11.3.1 11.3.2 11.4.1 12.1.1 12.2.1
        12.2.2 13.4.1 14.2.1 14.3.1 15.1.1 15.2.1 15.3.1
    """,
    "2": """
        1.3.6 1.3.11 2.3.3 2.4.1 3.3.2 3.3.3 3.3.4 3.4.3 3.4.4 3.4.5 3.4.6 3.7.2 4.1.3
        5.1.1 5.4.1 5.4.2 5.4.3 6.2.9 6.2.11 6.2.12 6.3.3 6.4.3 6.5.1 6.5.3 6.5.5 6.6.3
        7.3.1 7.3.2 7.4.3 7.4.5 7.5.1 7.5.2 8.2.3 11.4.2 12.1.2 12.3.2 13.2.3 13.3.1
        13.4.2 13.4.3 13.4.4 13.4.5 14.2.2 14.2.3 14.3.2 15.2.2 15.3.2 15.3.3 15.3.4
        16.2.1 16.2.5 16.3.1 16.3.2 16.3.3 16.4.1 16.4.2 16.5.1 16.5.2 16.5.3
    """,
    "3": """
        1.2.10 3.4.7 5.2.4 5.2.6 6.3.7 6.3.8 6.4.6 14.2.7 15.2.5
    """,
}
LISTED = re.compile(
    r"^\| (\S+) \| ([123–]) \| (A\d\d) \| (.+) \| ([a-z ]+)(?:: (.+))? \|$",
    re.MULTILINE,
)
ROW = re.compile(r"^\| (\S+) \| .+ \| `test_", re.MULTILINE)


def pytest_in(site: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    """Run tests of a project, and return the evidence."""
    shutil.rmtree(site / "reports", ignore_errors=True)
    with suppress(AssertionError):
        run(site, sys.executable, "-m", "pytest", *arguments, **environment)
    (file,) = (site / "reports").iterdir()
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    assert content["complete"] is (file.name == "controls.json"), (
        "a run of some tests overwrites no whole one"
    )
    return content


@pytest.fixture
def site(project: Project) -> Path:
    """Return a project with planted tests alone, so that a whole run takes seconds."""
    site = project(ALL_OFF)
    for path in site.rglob("test_*.py"):
        path.unlink()
    (site / "core" / "tests" / "test_planted.py").write_text(PLANTED, encoding="utf-8")
    return site


@pytest.fixture
def evidence(site: Path) -> Path:
    """Return the file that a project's tests write.

    A test of V3.3.2 fails, and one of V3.3.3 is skipped.
    """
    with pytest.raises(
        AssertionError, match=r"\n1 shown\n1 red: V3\.3\.2\n\d+ not shown: V1\.2\.1, "
    ):
        run(site, sys.executable, "-m", "pytest")
    return site / "reports" / "controls.json"


def states(content: dict[str, Any]) -> dict[str, str]:
    return {it["id"]: it["state"] for it in content["controls"]}


def test_evidence_says_what_was_tested_where_and_when(site: Path) -> None:
    commit(site)
    content = pytest_in(site, CI_RUN_URL="https://ci.example/runs/1")
    example = json.loads(re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)[0])
    assert set(content) == set(example)
    assert set(content["controls"][0]) == set(example["controls"][0])
    head = run(site, "git", "rev-parse", "HEAD").strip()
    assert (content["commit"], content["ci_run"]) == (head, "https://ci.example/runs/1")
    assert datetime.now(UTC) - datetime.fromisoformat(content["time"]) < timedelta(
        minutes=5
    )
    assert (content["exit_status"], content["result"]) == (1, "red")
    assert content["totals"] == {
        "passed": 3,
        "failed": 1,
        "skipped": 1,
        "xfailed": 0,
        "xpassed": 0,
        "error": 0,
    }
    assert content["versions"]["python"] == platform.python_version()
    assert re.fullmatch(r"6\.\d+\.\d+", content["versions"]["django"])
    assert content["versions"]["database"] == f"SQLite {sqlite3.sqlite_version}"
    assert content["asvs"] == {"version": "5.0.0", "level": 1}
    (site / "manage.py").write_text("", encoding="utf-8")
    assert pytest_in(site)["commit"] == f"{head}-dirty"


def test_evidence_has_every_control_with_tests_and_outcomes(evidence: Path) -> None:
    content = json.loads(evidence.read_text(encoding="utf-8"))
    controls = {it["id"]: it for it in content["controls"]}
    listed = LISTED.findall(
        (evidence.parents[1] / "docs" / "controls.md").read_text(encoding="utf-8")
    )
    assert [control for control, *_ in listed] == list(controls)
    outcomes = {
        control: list(it["tests"].values())
        for control, it in controls.items()
        if it["tests"]
    }
    expected = {
        "V3.3.1": ["passed", "passed"],
        "V3.3.2": ["passed", "failed"],
        "V3.3.3": ["skipped"],
    }
    assert outcomes == expected
    found = {
        it: controls[it]["state"] for it in (*expected, "V3.3.4", "V4.4.1", "V5.4.3")
    }
    assert list(found.values()) == [
        "shown",
        "red",
        "not shown",
        "not shown",
        "not applicable",
        "not provided",
    ]
    scan = controls["V5.4.3"]
    assert (scan["level"], scan["owasp_top_10"], scan["requires"]) == (
        2,
        "A08:2025",
        "uploads are scanned for viruses",
    )
    assert scan["why"]


def leave_controls(site: Path, *names: str) -> None:
    """Leave these rows alone in the project's list of controls."""
    file = site / "docs" / "controls.md"
    lines = [
        line
        for line in file.read_text(encoding="utf-8").splitlines()
        if not line.endswith("| shown |") or line.split()[1] in names
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


ONE_CONTROL = """
import pytest

@pytest.mark.control("V3.3.1")
def test_passes() -> None:
    pass

{mark}
def test_of_the_same_control() -> None:
    {body}
"""
MARK = '@pytest.mark.control("V3.3.1")'


@pytest.mark.parametrize(
    ("mark", "body", "options", "state"),
    [
        (MARK, "pass", [], "shown"),
        (f"@pytest.mark.skip\n{MARK}", "pass", [], "not shown"),
        (f"@pytest.mark.skip\n{MARK}", "pass", ["-n", "2"], "not shown"),
        (MARK, "pytest.skip('later')", [], "not shown"),
        (MARK, "pytest.importorskip('missing')", [], "shown"),
        (f"@pytest.mark.xfail\n{MARK}", "assert 1 == 2", [], "red"),
        ("@pytest.mark.skip", "pass", [], "shown"),
    ],
)
def test_skipped_test_of_a_control_makes_the_run_fail(
    mark: str, body: str, options: list[str], state: str, site: Path
) -> None:
    leave_controls(site, "V3.3.1")
    (site / "core" / "tests" / "test_planted.py").write_text(
        ONE_CONTROL.format(mark=mark, body=body), encoding="utf-8"
    )
    content = pytest_in(site, *options)
    assert states(content)["V3.3.1"] == state
    assert (content["complete"], content["exit_status"]) == (True, state != "shown")
    assert content["result"] == ("green" if state == "shown" else "red")
    assert pytest_in(site, *options, "core/tests")["exit_status"] == 0


def test_control_without_its_test_makes_the_run_fail(site: Path) -> None:
    (site / "core" / "tests" / "test_planted.py").write_text(
        "def test_passes() -> None:\n    pass\n", encoding="utf-8"
    )
    content = pytest_in(site)
    assert (
        content["complete"],
        content["exit_status"],
        content["failed"],
        content["result"],
    ) == (True, 1, [], "red")
    assert pytest_in(site, "-k", "passes")["exit_status"] == 0


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("core/tests/conftest.py", 'collect_ignore = ["test_more.py"]\n'),
        (
            "core/tests/conftest.py",
            "def pytest_collection_modifyitems(items):\n    del items[1:]\n",
        ),
        ("pyproject.toml", "-k=test_passes"),
    ],
    ids=["ignored", "removed", "option"],
)
def test_test_that_a_file_leaves_out_makes_the_run_fail(
    file: str, text: str, site: Path
) -> None:
    leave_controls(site, "V3.3.1")
    for module in ("planted", "more"):
        (site / "core" / "tests" / f"test_{module}.py").write_text(
            ONE_CONTROL.format(mark=MARK, body="pass"), encoding="utf-8"
        )
    assert pytest_in(site)["exit_status"] == 0
    if file == "pyproject.toml":
        metadata = site / file
        options = 'addopts = ["--strict-markers", "--strict-config"'
        written = metadata.read_text(encoding="utf-8")
        assert written.count(options) == 1
        metadata.write_text(
            written.replace(options, f'{options}, "{text}"'), encoding="utf-8"
        )
    else:
        (site / file).write_text(text, encoding="utf-8")
    with pytest.raises(
        AssertionError, match=r"\n\d did not run: .*core/tests/test_more"
    ):
        run(site, sys.executable, "-m", "pytest")
    content = pytest_in(site)
    assert (content["complete"], content["exit_status"]) == (False, 1)
    assert "core/tests/test_more.py::test_of_the_same_control" in content["did_not_run"]
    assert pytest_in(site, "core/tests/test_planted.py")["exit_status"] == 0


def test_any_failure_is_red_and_a_skipped_file_is_whole(site: Path) -> None:
    (site / "core" / "tests" / "test_planted.py").write_text(MORE, encoding="utf-8")
    (site / "core" / "tests" / "test_skipped.py").write_text(SKIPPED, encoding="utf-8")
    content = pytest_in(site)
    assert (content["complete"], content["exit_status"], content["result"]) == (
        True,
        1,
        "red",
    )
    assert states(content)["V3.3.1"] == "red", "a known failure shows nothing"
    (site / "core" / "tests" / "test_unmarked.py").write_text(
        "def test_fails() -> None:\n    assert 1 == 2\n"
    )
    content = pytest_in(site)
    assert content["failed"] == [
        "core/tests/test_planted.py::test_fails_as_expected",
        "core/tests/test_unmarked.py::test_fails",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["core/tests/test_planted.py::test_passes"],
        ["-k", "not 2"],
        ["-m", "control"],
        ["--deselect", "core/tests/test_planted.py::test_passes[1]"],
        ["--exitfirst"],
        ["--collect-only"],
        ["-n", "2", "core/tests"],
    ],
    ids=" ".join,
)
def test_run_of_some_tests_writes_another_file(
    arguments: list[str], site: Path
) -> None:
    (site / "users" / "tests" / "test_more.py").write_text(MORE, encoding="utf-8")
    assert not pytest_in(site, *arguments)["complete"]


def test_file_that_cannot_be_read_makes_a_run_incomplete_and_red(site: Path) -> None:
    (site / "users" / "tests" / "test_more.py").write_text(
        "def test_", encoding="utf-8"
    )
    for arguments in ([], ["-n", "2"]):
        content = pytest_in(site, *arguments)
        assert not content["complete"]
        assert (content["result"], content["failed"][-1]) == (
            "red",
            "users/tests/test_more.py",
        )


def test_unreachable_database_does_not_hide_the_result(site: Path) -> None:
    content = pytest_in(site, TEST_DATABASE_URL="postgres://nobody@127.0.0.1:9/none")
    assert content["versions"]["database"] == "PostgreSQL"


# The list of requirements


@pytest.mark.parametrize("answers", COMBINATIONS, ids=name)
def test_every_requirement_of_level_1_has_its_state(
    answers: Answers, pristine: Project
) -> None:
    folder = pristine(answers)
    rows = LISTED.findall((folder / "docs" / "controls.md").read_text(encoding="utf-8"))
    levels = {f"V{it}": level for level, text in ASVS.items() for it in text.split()}
    listed = {control: level for control, level, *_ in rows if level != "–"}
    assert {it for it, level in levels.items() if level == "1"} <= listed.keys()
    assert listed.items() <= levels.items()
    assert len(rows) == len({control for control, *_ in rows})
    documents = [folder / "SECURITY.md", *folder.glob("[a-z]*/**/SECURITY.md")]
    shown = {
        it for path in documents for it in ROW.findall(path.read_text(encoding="utf-8"))
    }
    assert {control for control, *_, state, _ in rows if state == "shown"} == shown
    assert {
        bool(why)
        for *_, state, why in rows
        if state in {"not provided", "not applicable"}
    } == {True}
    assert {category for _, _, category, *_ in rows} == {
        f"A{number:02}" for number in range(1, 11)
    }
    found = {it for it in ("V6.2.12", "V6.3.3") if it in shown}
    assert len(found) == (2 if answers["auth_app"] else 0)


def test_guide_collects_and_compares_evidence(
    evidence: Path, tmp_path: Path, pristine: Project
) -> None:
    workflow = (pristine(ALL_ON) / ".github" / "workflows" / "ci.yml").read_text(
        encoding="utf-8"
    )
    assert "name: controls-${{ matrix.python }}\n" in workflow
    (newest,) = set(re.findall(r"(?:--name controls-|%5B)(3\.\d+)", GUIDE))
    assert f'"{newest}"]' in workflow
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH.format(evidence=evidence), encoding="utf-8")
    (tmp_path / "bin" / "gh").chmod(0o755)
    collect = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)[0]
    run(
        tmp_path,
        "bash",
        "-c",
        collect,
        PATH=f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
    )
    outcome = compare(tmp_path)
    assert outcome.returncode == 1
    problems = r"1 shown  V\d.+, V3\.3\.2 red, V3\.3\.3 not shown"
    assert len(re.findall(problems, outcome.stdout)) == 2
    files = sorted((tmp_path / "evidence").rglob("controls.json"))
    assert [it.parent.name for it in files] == ["shop", "site"]
    for file in files:
        content = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps(green(content)), encoding="utf-8")
    outcome = compare(tmp_path)
    assert outcome.returncode == 0
    assert len(outcome.stdout.splitlines()) == len(files)


def test_page_of_fifty_projects_names_each_problem(
    evidence: Path, tmp_path: Path
) -> None:
    write_fleet(tmp_path, json.loads(evidence.read_text(encoding="utf-8")))
    outcome = compare(tmp_path)
    assert outcome.returncode == 1, outcome.stderr
    lines = outcome.stdout.splitlines()
    assert len(lines) == len(NAMES) == 50
    found = {line.split()[0]: line.rsplit("  ", 1)[1] for line in lines[:5]}
    assert found == {
        RED: f"{CONTROL} red",
        SKIPPED_CONTROL: f"{CONTROL} not shown",
        UNLISTED: f"{CONTROL} not listed",
        OLD: "older than 31 days",
        MISSING: "no evidence",
    }
    assert all(line.endswith(" shown") for line in lines[5:])
    page = (tmp_path / "evidence.html").read_text(encoding="utf-8")
    assert "<h1>50 projects, 5 with problems</h1>" in page
    rows = re.findall(r"<tr( class=problem)?><td>([^<]+)<td>.*</tr>", page)
    assert [name for _, name in rows] == [line.split()[0] for line in lines]
    assert {name for problem, name in rows if problem} == set(found)


def test_page_shows_names_as_text(evidence: Path, tmp_path: Path) -> None:
    content = green(json.loads(evidence.read_text(encoding="utf-8")))
    folder = tmp_path / "evidence" / "<b>site"
    folder.mkdir(parents=True)
    content |= {"commit": "<script>"}
    (folder / "controls.json").write_text(json.dumps(content), encoding="utf-8")
    assert compare(tmp_path).returncode == 0
    page = (tmp_path / "evidence.html").read_text(encoding="utf-8")
    assert "<td>&lt;b&gt;site<td>" in page
    assert "<td>&lt;script&gt;<td>" in page
