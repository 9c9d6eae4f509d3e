"""Forks keep the tests.

One adds defaults, texts, an app, a package, a rule and a step of CI: its quick tier is
green. Another has a design, single sign-on, prompts, a license and a Python of its own:
each failure of its quick tier says what to change.
"""

import re
import sys
import xml.etree.ElementTree as ET
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.baking import (
    FORK_TABLE,
    RAW,
    ROOT,
    commit,
    copy_template,
    run,
    run_within,
)
from tests.support.forking import HOUSE_EDITS, remove_prompt, set_repository
from tests.support.readme import section
from tests.support.releases import Edit, change

pytestmark = [
    pytest.mark.tier("scheduled", "*"),
    pytest.mark.skipif(sys.platform != "linux", reason="a fork is the same everywhere"),
]

# As CONTRIBUTING.md says: a package is in two pyproject.toml.
PACKAGE = f"markdown-it-py=={version('markdown-it-py')}"
PINS: list[Edit] = [
    (path, old, f'    "{PACKAGE}",\n{old}')
    for path, old in (
        ("pyproject.toml", '    "python-dotenv='),
        ("../pyproject.toml", '    "python-dotenv=='),
    )
]
UPSTREAM = "tests/template/test_upstream.py"
# pytest fails where no test runs, and the tests of a module can all be of other tiers.
QUICK = "tests/test_csv.py"
MODULES = [
    module
    for path in sorted((ROOT / "tests").rglob("test_*.py"))
    if (module := path.relative_to(ROOT).as_posix()) != UPSTREAM
    and not re.search(
        r"^pytestmark = (marks\(|\[?\s*pytest\.mark\.tier\()",
        path.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
]


# The modules that know the features by name.
ABOUT_FEATURES = ["documents", "generation", "imports", "mutations", "raw", "teams"]
# More causes would hide each other.
MOST_CAUSES = 5


def test_each_edit_of_a_fork_has_its_rows() -> None:
    table = section(ROOT / "CONTRIBUTING.md", "Keep a fork")
    for edit in HOUSE_EDITS.values():
        for row in edit.rows:
            assert f"\n| {row} |" in table
    red = [edit for edit in HOUSE_EDITS.values() if edit.failures]
    assert len(red) <= MOST_CAUSES


def record(fork: Path) -> None:
    """Commit a fork, with its settings.lock and its records."""
    commit(fork)  # they have what Git knows
    run(fork, sys.executable, "-m", "tests.support.settings_lock")
    run(fork, sys.executable, "-m", "tests.support.records")
    commit(fork)


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fork with each edit that leaves its tests green, and a package."""
    folder = copy_template(tmp_path_factory.mktemp("fork") / "museum-django")
    set_repository(folder)
    for edit in HOUSE_EDITS.values():
        if not edit.failures:
            edit.apply(folder)
    change(folder / RAW, PINS)
    record(folder)
    return folder


@pytest.fixture(scope="module")
def edited_fork(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fork with all edits of tests/support/forking.py, and its packages."""
    folder = copy_template(tmp_path_factory.mktemp("fork") / "museum-django")
    set_repository(folder)
    for edit in HOUSE_EDITS.values():
        edit.apply(folder)
    record(folder)
    run(folder, "uv", "sync", "--quiet", UV_PROJECT_ENVIRONMENT=".venv")
    return folder


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("module", MODULES)
def test_quick_tier_of_a_fork_is_green(module: str, fork: Path, tmp_path: Path) -> None:
    options = ["-n0", "-q", "--tier=quick", "-p", "no:cacheprovider"]
    options += [f"--basetemp={tmp_path / 'inner'}"]
    command = ("pytest", *options, module, UPSTREAM, QUICK)
    # One module lints and checks every combination of answers.
    run_within(3500, fork, command, {})


def failures_of(report: Path) -> dict[str, str]:
    """Return the report of each test that failed; its `message` would be cut."""
    cases = ET.parse(report).iter("testcase")  # noqa: S314  # pytest wrote it
    return {
        str(case.get("name")): str(failure.text)
        for case in cases
        for failure in (*case.findall("failure"), *case.findall("error"))
    }


@pytest.mark.timeout(7200)
def test_failures_of_an_edited_fork_say_what_to_change(
    edited_fork: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.xml"
    python = str(edited_fork / ".venv" / "bin" / "python")
    options = ["-n2", "-q", "--tier=quick", "-p", "no:cacheprovider"]
    options += [f"--junitxml={report}", f"--basetemp={tmp_path / 'inner'}"]
    with pytest.raises(AssertionError) as red:
        run_within(7000, edited_fork, (python, "-m", "pytest", *options), {})
    output = str(red.value)
    failures = failures_of(report)
    expected = {
        test: (sentence, f"{FORK_TABLE}{edit.rows[0]}")
        for edit in HOUSE_EDITS.values()
        for test, sentence in edit.failures.items()
    }
    assert failures.keys() == expected.keys(), output
    for test, sentences in expected.items():
        for sentence in sentences:
            assert sentence in failures[test], output
    _, _, removed = output.partition("= tests of removed features =")
    module = "tests/template/test_teams.py"
    assert f"\ncloudinary_moderation: {module}::" in removed, output


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("prompt", ["gallery", "cloudinary_moderation", "auth_app"])
def test_fork_without_a_prompt_is_green(prompt: str, tmp_path: Path) -> None:
    fork = copy_template(tmp_path / "museum-django")
    set_repository(fork)
    remove_prompt(fork, prompt)
    record(fork)
    modules = [f"tests/template/test_{name}.py" for name in ABOUT_FEATURES]
    options = ["-n0", "-q", "--tier=quick", "-p", "no:cacheprovider"]
    command = ("pytest", *options, f"--basetemp={tmp_path / 'inner'}", *modules)
    run_within(3500, fork, command, {})
