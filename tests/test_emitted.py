"""What is generated is sound: style, types, migrations, settings for production, its own tests, Bandit."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.baking import ALL_OFF, ALL_ON, COMBINATIONS, PYTHON_COMBINATIONS, Answers, Project, name, production, run
from tests.postgresql import Database

every_combination = pytest.mark.parametrize("answers", COMBINATIONS, ids=name)
# All on and all off run their tests as the README says, on SQLite, in test_readme.py.
MIXED = [it for it in PYTHON_COMBINATIONS if it["auth_app"] != it["cloudinary_moderation"]]

every_python = pytest.mark.parametrize("answers", PYTHON_COMBINATIONS, ids=name)


@every_combination
def test_style_and_format(answers: Answers, project: Project) -> None:
    folder = project(answers)
    run(folder, "ruff", "check", "--no-cache")
    run(folder, "ruff", "format", "--check", "--no-cache")


@every_combination
def test_types(answers: Answers, project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    # One cache for all that a worker checks: most of the time goes into reading Django's stubs.
    run(project(answers), sys.executable, "-m", "mypy", ".", f"--cache-dir={tmp_path_factory.getbasetemp() / 'mypy'}")


@every_python
def test_check_deploy_has_nothing_to_say_and_no_migration_is_missing(answers: Answers, project: Project) -> None:
    folder = project(answers)
    environment = production(folder)
    manage = (sys.executable, "manage.py")
    run(folder, *manage, "check", "--deploy", "--fail-level", "WARNING", **environment)
    run(folder, *manage, "makemigrations", "--check", "--dry-run", **environment)


@every_python
def test_env_that_was_written_starts_the_project(answers: Answers, project: Project) -> None:
    run(project(answers), sys.executable, "manage.py", "check", "--fail-level", "WARNING")


@every_python
def test_a_colleague_starts_from_the_example(answers: Answers, project: Project) -> None:
    folder = project(answers)
    example = (folder / ".env.example").read_text(encoding="utf-8")
    first, _, _ = example.partition("\n# Required without DEBUG\n")
    secrets = re.findall(r"^# uv run (python -c .+)\n(?:#.*\n)*(\w+)=(.+)$", first, re.MULTILINE)
    assert [variable for _, variable, _ in secrets] == ["SECRET_KEY", "FIELD_ENCRYPTION_KEYS"]
    for command, variable, placeholder in secrets:
        secret = run(folder, *shlex.split(command)).strip()
        example = example.replace(f"{variable}={placeholder}", f"{variable}={secret}")
    (folder / ".env").write_text(example.replace("\nDEBUG=off\n", "\nDEBUG=on\n"), encoding="utf-8")
    run(folder, sys.executable, "manage.py", "check", "--fail-level", "WARNING")


@pytest.mark.parametrize("answers", MIXED, ids=name)
def test_its_own_tests_pass_on_postgresql(answers: Answers, project: Project, postgresql: Database) -> None:
    tests = (sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider")
    report = run(project(answers), *tests, TEST_DATABASE_URL=postgresql())
    assert " passed" in report
    assert " skipped" not in report


def test_summary_counts_a_file_that_cannot_be_read_as_red(project: Project) -> None:
    folder = project(ALL_OFF)
    (folder / "users" / "tests" / "test_passwords.py").write_text("import nowhere\n", encoding="utf-8")
    with pytest.raises(AssertionError) as ended:
        run(
            folder, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "users", "config/tests/test_logs.py"
        )
    assert "\n0 controls shown\n1 red: users/tests/test_passwords.py\n" in str(ended.value)


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_heavier_tests_pass_too(answers: Answers, project: Project) -> None:
    folder = project(answers)
    shutil.copy(Path(__file__).parent / "inside" / "heavier.py", folder / "config" / "tests" / "test_heavier.py")
    run(folder, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "config/tests/test_heavier.py")


@every_combination
def test_bandit_finds_nothing(answers: Answers, project: Project) -> None:
    report = run(project(answers), "bandit", "-q", "-c", "pyproject.toml", "-r", ".", "-ll", "-f", "json")
    assert '"errors": []' in report
