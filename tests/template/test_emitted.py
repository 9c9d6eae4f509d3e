"""Generated projects: style, types, migrations, settings, their own tests, Bandit."""

import re
import shlex
import sys
from itertools import combinations
from pathlib import Path

import pytest

from secure_django.scans import BANDIT as BANDIT_COMMAND
from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    FEATURES,
    ON_PLATFORM,
    PAIRS,
    PYTHON_COMBINATIONS,
    RAW,
    ROOT,
    SUITE_SECONDS,
    VENDOR,
    Answers,
    Project,
    bake,
    every,
    every_combination,
    name,
    pairwise,
    production,
    run,
    run_within,
)
from tests.support.postgresql import Database

MIXED = [it for it in PYTHON_COMBINATIONS if {True, False} <= set(it.values())]
# Those of recipes need what their recipe adds, and are checked with it.
INSIDE = sorted(
    it for it in (ROOT / "tests").rglob("inside/[!_]*.py") if it.parts[-3] != "recipes"
)

BANDIT = ("bandit", "-q", "-c", "pyproject.toml", "-r", ".", "-ll", "-f", "json")
PYTEST = (sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider")

# Both in one process: most of its time is the start of Django.
DEPLOY_CHECK = """
import django
django.setup()
from django.core.management import call_command
call_command("check", deploy=True, fail_level="WARNING")
call_command("makemigrations", check_changes=True, dry_run=True)
"""

SUITE = pytest.mark.timeout(SUITE_SECONDS + 100)

# The quick tier starts and tests one project: that with everything.
WHOLE = pytest.mark.tier("whole")
every_python = pytest.mark.parametrize(
    "answers",
    [
        pytest.param(it, marks=[] if it == ALL_ON else [WHOLE])
        for it in PYTHON_COMBINATIONS
    ],
    ids=name,
)

# What only combines what the extremes have shown is tested on the schedule.
EXTREMES = [ALL_ON, ALL_OFF]
SCHEDULED = pytest.mark.tier("scheduled", f"{RAW}/*.py", f"{RAW}/pyproject.toml")


def in_tiers(
    choices: list[Answers], *marks: pytest.MarkDecorator
) -> pytest.MarkDecorator:
    """Return the parameters of a test: extremes with marks, others scheduled."""
    parameters = [
        pytest.param(answers, marks=marks if answers in EXTREMES else SCHEDULED)
        for answers in choices
    ]
    return pytest.mark.parametrize("answers", parameters, ids=name)


def test_pairs_have_any_two_answers_together() -> None:
    features = FEATURES | {"other": [True, False]}
    pairs = [set(combinations(answers.items(), 2)) for answers in every(features)]
    chosen = pairwise(features)
    assert set().union(*pairs) == set().union(
        *(combinations(answers.items(), 2) for answers in chosen)
    )
    assert len(chosen) <= len(pairs) / 2
    assert (chosen[0], chosen[-1]) == (every(features)[0], every(features)[-1])


@every_combination
def test_style_and_format(answers: Answers, pristine: Project) -> None:
    folder = pristine(answers)
    run(folder, "ruff", "check", "--no-cache")
    run(folder, "ruff", "format", "--check", "--no-cache")


@in_tiers(PAIRS, WHOLE)
def test_types(answers: Answers, project: Project, mypy_cache: str) -> None:
    run(project(answers), sys.executable, "-m", "mypy", ".", mypy_cache)


@every_python
def test_check_deploy_and_migrations_are_clean(
    answers: Answers, project: Project
) -> None:
    folder = project(answers)
    environment = production(folder) | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    run(folder, sys.executable, "-c", DEPLOY_CHECK, **environment)


@every_python
def test_generated_env_file_starts_the_project(
    answers: Answers, project: Project
) -> None:
    run(
        project(answers),
        sys.executable,
        "manage.py",
        "check",
        "--fail-level",
        "WARNING",
    )


@every_python
def test_env_example_starts_the_project(answers: Answers, project: Project) -> None:
    folder = project(answers)
    example = (folder / ".env.example").read_text(encoding="utf-8")
    first, _, _ = example.partition("\n# Required without DEBUG\n")
    secrets = re.findall(
        r"^# uv run --no-dev (python -c .+)\n(?:#.*\n)*(\w+)=(.+)$", first, re.MULTILINE
    )
    assert [variable for _, variable, _ in secrets] == [
        "SECRET_KEY",
        "FIELD_ENCRYPTION_KEYS",
    ]
    for command, variable, placeholder in secrets:
        secret = run(folder, *shlex.split(command)).strip()
        example = example.replace(f"{variable}={placeholder}", f"{variable}={secret}")
    (folder / ".env").write_text(
        example.replace("\nDEBUG=off\n", "\nDEBUG=on\n"), encoding="utf-8"
    )
    run(folder, sys.executable, "manage.py", "check", "--fail-level", "WARNING")


@SUITE
@pytest.mark.parametrize(
    "answers",
    [ALL_ON, pytest.param(ALL_OFF, marks=WHOLE)],
    ids=name,
)
def test_emitted_tests_pass(answers: Answers, template: Path, tmp_path: Path) -> None:
    names = {
        "project_name": "O'Brien's Photos",
        "domain_name": "photos.example.org",
        "author_email": "ann@example.net",
    }
    folder = bake(template, tmp_path, **names, **answers)
    assert " passed" in run_within(SUITE_SECONDS, folder, PYTEST, {})


# The project for a platform has everything else too.
@SUITE
@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(it, marks=WHOLE if it == ON_PLATFORM else SCHEDULED)
        for it in [ALL_ON, ON_PLATFORM, *MIXED]
    ],
    ids=name,
)
def test_emitted_tests_pass_on_postgresql(
    answers: Answers, project: Project, postgresql: Database
) -> None:
    environment = {"TEST_DATABASE_URL": postgresql()}
    report = run_within(SUITE_SECONDS, project(answers), PYTEST, environment)
    assert " passed" in report
    assert " skipped" not in report


@WHOLE
def test_broken_test_file_counts_as_red(project: Project) -> None:
    folder = project(ALL_OFF)
    broken = "tests/test_start_page.py"
    (folder / broken).write_text("import nowhere\n", encoding="utf-8")
    with pytest.raises(AssertionError) as failed:
        run(folder, *PYTEST, "tests")
    assert f"\n1 red: {broken}\n" in str(failed.value)


@WHOLE
@pytest.mark.feature("auth_app", "cloudinary_moderation", "gallery")
def test_modules_that_run_inside_a_project_have_sound_types(
    project: Project, mypy_cache: str
) -> None:
    folder = project(ALL_ON)
    for module in INSIDE:
        # The comment hides from the template's own mypy what only a generated project
        # can import.
        text = module.read_text(encoding="utf-8").replace("# mypy: ignore-errors\n", "")
        (folder / "tests" / module.name).write_text(text, encoding="utf-8")
    modules = [f"tests/{module.name}" for module in INSIDE]
    run(folder, sys.executable, "-m", "mypy", *modules, mypy_cache)


@in_tiers(PAIRS, WHOLE)
def test_bandit_finds_nothing(answers: Answers, project: Project) -> None:
    report = run(project(answers), *BANDIT)
    assert '"errors": []' in report


def test_bandit_reads_every_folder_of_a_project(project: Project) -> None:
    folder = project(ALL_ON)
    planted = set()
    for path in folder.iterdir():
        if path.is_dir() and list(path.rglob("*.py")):
            module = path / "planted.py"
            module.write_text("exec(input())\n", encoding="utf-8")
            planted.add(module.relative_to(folder).as_posix())
    package = folder / VENDOR / "secure-django" / "src" / "secure_django"
    for path in (package, package / "web"):
        module = path / "planted.py"
        module.write_text("exec(input())\n", encoding="utf-8")
        planted.add(module.relative_to(folder).as_posix())
    assert len(planted) >= 6
    report = run(folder, *shlex.split(BANDIT_COMMAND), "json")
    assert planted <= set(re.findall(r'"filename": "\./(.+?)"', report))
