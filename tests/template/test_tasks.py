"""`poe ci`, `poe check` and `poe test`: what they print, and what they write."""

import json
import sys
from pathlib import Path

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, Project, name, run
from tests.support.releases import Edit, change
from tests.support.updating import package_of

pytestmark = pytest.mark.tier("whole")

PYTEST = (sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider")
POE = (sys.executable, "-m", "poethepoet", "--executor", "simple")
MODELS = "users/models.py"
LAST = 'Add your fields here."""\n'
NEW_FIELD: list[Edit] = [
    (
        MODELS,
        LAST,
        f'{LAST}\n    nickname = models.CharField(max_length=20, default="")\n',
    ),
    (MODELS, "from django.utils", "from django.db import models\nfrom django.utils"),
]
# Long lines, a default of this project, and imports of three kinds.
NEW_FIELDS: list[Edit] = [
    (
        MODELS,
        LAST,
        f"""{LAST}
    speech = models.CharField(
        "speech",
        max_length=2,
        default="en",
        choices={{"en": "English", "de": "German", "fr": "French"}},
        help_text="A",
    )
    number = models.UUIDField(default=uuid.uuid4, editable=False)
    partner = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="partner_of"
    )
    note = EncryptedTextField(default="")
""",
    ),
    (
        MODELS,
        "from django.utils",
        (
            "import uuid\n"
            "from django.db import models\n"
            "from secure_django.encryption import EncryptedTextField\n"
            "from django.utils"
        ),
    ),
]
# Both have tests of their own.
OWN_TASKS: Edit = (
    "pyproject.toml",
    "[tool.pytest]\n",
    """\
[tool.poe.tasks]
test = "echo all tested"
security = "echo all scanned"

[tool.pytest]
""",
)
PLANTED = """
import logging

import pytest

@pytest.mark.control("V3.3.1")
@pytest.mark.parametrize("number", range(40))
def test_passes(number: int) -> None:
    pass

@pytest.mark.control("V3.3.2")
@pytest.mark.parametrize("number", range(40))
def test_fails_once(number: int) -> None:
    if number == 7:
        logging.getLogger("planted").warning("said once")
    assert number != 7
"""


def plant(folder: Path) -> str:
    """Add a file with 80 tests, of which one fails, and return its path."""
    (folder / "tests" / "test_planted.py").write_text(PLANTED, encoding="utf-8")
    return "tests/test_planted.py"


def failure(folder: Path, *command: str) -> str:
    """Run a command that fails, and return its output."""
    with pytest.raises(AssertionError) as failed:
        run(folder, *command, **package_of(folder))
    _, _, output = str(failed.value).partition("\n")
    return output


def test_ci_runs_every_step_and_names_what_failed(project: Project) -> None:
    folder = project(ALL_OFF)
    run(folder, *POE, "settings-lock", **package_of(folder))
    # A mistake of style and format, one of types, a missing migration, and one setting.
    change(
        folder,
        [
            *NEW_FIELD,
            ("users/admin.py", "from django", "import os\n\nfrom django"),
            ("users/admin.py", "\n\nadmin.site", "\n\nx:int=''\nadmin.site"),
            ("config/settings.py", "TIMEOUT = 60 * 60", "TIMEOUT = 60 * 30"),
            OWN_TASKS,
        ],
    )
    output = failure(folder, *POE, "ci")
    said = [
        "Found 1 error",
        "1 file would be reformatted",
        "Contracts: 1 kept, 0 broken",
        "Found 1 error in 1 file",
        "System check identified",
        "-PASSWORD_RESET_TIMEOUT = 3600",
        "+ Add field nickname to user",
        (
            "Subtasks '_style', '_format', 'types', '_lock', '_migrations' "
            "returned non-zero exit status"
        ),
        "\nall tested\n",
        "\nall scanned\n",
        "Subtask 'check' returned non-zero exit status",
    ]
    places = [output.find(text) for text in said]
    assert -1 not in places, f"{said[places.index(-1)]} is not in {output}"
    assert places[3:] == sorted(places[3:]), "in this order"
    for task in ("lint", "deploy-check"):
        assert "' returned non-zero exit status" in failure(folder, *POE, task)


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_written_migrations_pass_the_check_of_style_and_format(
    answers: Answers, project: Project
) -> None:
    folder = project(answers)
    change(folder, NEW_FIELDS)
    run(
        folder,
        sys.executable,
        "manage.py",
        "makemigrations",
        "users",
        DJANGO_SETTINGS_MODULE="tests.settings",
    )
    assert list((folder / "users" / "migrations").glob("0003*.py"))
    run(folder, "ruff", "check", "--no-cache", "users/migrations")
    run(folder, "ruff", "format", "--check", "--no-cache", "users/migrations")


def test_log_of_a_failing_test_is_printed_once(project: Project) -> None:
    folder = project(ALL_OFF)
    assert failure(folder, *PYTEST, plant(folder)).count("said once") == 2, (
        "once in the source, once in the log"
    )


def test_parallel_run_writes_the_same_evidence(project: Project) -> None:
    folder = project(ALL_OFF)
    path = plant(folder)
    file = folder / "reports" / "controls-partial.json"
    files = []
    for command in ((*PYTEST, path), (*POE, "test", path)):
        file.unlink(missing_ok=True)
        output = failure(folder, *command)
        assert "\n1 red: V3.3.2\n" in output
        files.append(json.loads(file.read_text(encoding="utf-8")) | {"time": ""})
    assert files[0] == files[1]
    assert sum(len(control["tests"]) for control in files[1]["controls"]) == 80
