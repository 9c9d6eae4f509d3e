"""Forks keep the tests.

One adds defaults, texts, an app, a package, a rule and a step of CI: its quick tier is
green. Another has a design, single sign-on, prompts, a license and a Python of its own:
each failure of its quick tier says what to change.
"""

import json
import re
import sys
import xml.etree.ElementTree as ET
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.baking import (
    FORK_TABLE,
    PROMPTS,
    RAW,
    ROOT,
    commit,
    copy_template,
    run,
    run_within,
)
from tests.support.forking import EDITS_OF_A_FORK, remove_prompt, set_repository
from tests.support.readme import section
from tests.support.releases import Edit, change

pytestmark = [
    pytest.mark.tier("scheduled", "*"),
    pytest.mark.skipif(sys.platform != "linux", reason="a fork is the same everywhere"),
]

DEFAULTS = {
    "project_name": "Museum",
    "description": "A site of the museum.",
    "domain_name": "museum.example",
    "author_name": "The web team",
    "author_email": "web@museum.example",
    "gallery": False,
    "cloudinary_moderation": False,
    "auth_app": False,
    "ci_scanning": ["gitlab", "none", "github"],
    "deployment": ["platform", "server"],
    "_repository": "https://git.museum.example/web/museum-django",
}
NEW_APPS = "    # `poe app` names new apps above this line.\n"
# As CONTRIBUTING.md says: an app is in three lists, a package in two pyproject.toml.
PACKAGE = f"markdown-it-py=={version('markdown-it-py')}"
CHECK = "uv run poe check\n"
STEP = "uv run python -m compileall -q notes\n"
EDITS: list[Edit] = [
    ("config/settings.py", NEW_APPS, f'    "notes",\n{NEW_APPS}'),
    (
        "pyproject.toml",
        f'root_packages = [\n{NEW_APPS}    "config",\n',
        f'root_packages = [\n    "notes",\n{NEW_APPS}    "config",\n',
    ),
    (
        "pyproject.toml",
        f'layers = [\n    "config",\n{NEW_APPS}',
        f'layers = [\n    "config",\n    "notes",\n{NEW_APPS}',
    ),
    (
        "../secure_django_refusals.py",
        "    annotated-types ",
        "    notes\n    annotated-types ",
    ),
    ("pyproject.toml", '    "python-dotenv=', f'    "{PACKAGE}",\n    "python-dotenv='),
    (
        "../pyproject.toml",
        '    "python-dotenv==',
        f'    "{PACKAGE}",\n    "python-dotenv==',
    ),
    ("pyproject.toml", 'select = [\n    "E", ', 'select = [\n    "PIE", "E", '),
    (
        ".github/workflows/ci.yml",
        f"      - run: {CHECK}",
        f"      - run: {CHECK}      - run: {STEP}",
    ),
    (".gitlab-ci.yml", f"  script: {CHECK}", f"  script:\n    - {CHECK}    - {STEP}"),
    (
        "README.md",
        "\n## Start\n",
        "\nThe web team helps: write to web@museum.example.\n\n## Start\n",
    ),
    (
        "../README.md",
        "\n## What comes out\n",
        "\nThis is the museum's template. Ask the web team.\n\n## What comes out\n",
    ),
]
APP = {
    "__init__.py": "",
    "migrations/__init__.py": "",
    "migrations/0001_initial.py": """\
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Note",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("text", models.CharField(max_length=100)),
            ],
        ),
    ]
""",
    "models.py": """\
from django.db import models


class Note(models.Model):
    in_clear = {"text": "everyone reads it"}

    text = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.text
""",
    "tests/__init__.py": "",
    "tests/test_notes.py": """\
from notes.models import Note


def test_note_is_shown_by_its_text() -> None:
    assert str(Note(text="First")) == "First"
""",
}
UPSTREAM = "tests/template/test_upstream.py"
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
# All failures of the other fork, and what their messages say.
FAILURES = {
    # Single sign-on has packages of its own.
    "test_names_of_dependencies_and_folders_are_rejected_as_slug": (
        "Add these names to TAKEN in secure_django_refusals.py: "
    ),
    # Renovate is configured from scratch.
    "test_renovate_raises_the_pins_of_a_project": "renovate.json needs:",
    # Only the raw pyproject.toml has the new Python.
    "test_every_file_names_the_same_versions_of_python": "Write the same into:",
}


# The row of the table in CONTRIBUTING.md that each message names.
ROWS = {
    "test_names_of_dependencies_and_folders_are_rejected_as_slug": (
        "settings, such as those of single sign-on"
    ),
    "test_renovate_raises_the_pins_of_a_project": (
        "a configuration of Renovate or Dependabot"
    ),
    "test_every_file_names_the_same_versions_of_python": (
        "another oldest or newest Python"
    ),
}


def test_each_failure_of_a_fork_has_its_row() -> None:
    table = section(ROOT / "CONTRIBUTING.md", "Keep a fork")
    assert ROWS.keys() == FAILURES.keys()
    for row in ROWS.values():
        assert f"\n| {row} |" in table


def record(fork: Path) -> None:
    """Commit a fork, with its settings.lock and its records."""
    commit(fork)  # they have what Git knows
    run(fork, sys.executable, "-m", "tests.support.settings_lock")
    run(fork, sys.executable, "-m", "tests.support.records")
    commit(fork)


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fork of this checkout."""
    folder = copy_template(tmp_path_factory.mktemp("fork") / "museum-django")
    (folder / "cookiecutter.json").write_text(
        json.dumps(PROMPTS | DEFAULTS, indent=2), encoding="utf-8"
    )
    change(folder / RAW, EDITS)
    for path, text in APP.items():
        (folder / RAW / "notes" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / RAW / "notes" / path).write_text(text, encoding="utf-8")
    record(folder)
    return folder


@pytest.fixture(scope="module")
def edited_fork(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fork with all edits of tests/support/forking.py, and its packages."""
    folder = copy_template(tmp_path_factory.mktemp("fork") / "museum-django")
    set_repository(folder)
    for edit in EDITS_OF_A_FORK:
        edit(folder)
    record(folder)
    run(folder, "uv", "sync", "--quiet", UV_PROJECT_ENVIRONMENT=".venv")
    return folder


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("module", MODULES)
def test_quick_tier_of_a_fork_is_green(module: str, fork: Path, tmp_path: Path) -> None:
    options = ["-n0", "-q", "--tier=quick", "-p", "no:cacheprovider"]
    command = ("pytest", *options, f"--basetemp={tmp_path / 'inner'}", module, UPSTREAM)
    # One module lints and checks every combination of answers.
    run_within(3500, fork, command, {})


def failures_of(report: Path) -> dict[str, str]:
    """Return the message of each test that failed."""
    cases = ET.parse(report).iter("testcase")  # noqa: S314  # pytest wrote it
    return {
        str(case.get("name")): str(failure.get("message"))
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
    assert failures.keys() == FAILURES.keys(), output
    for test, sentence in FAILURES.items():
        assert sentence in failures[test], output
        assert f"{FORK_TABLE}{ROWS[test]}" in failures[test], output
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
