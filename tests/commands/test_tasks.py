"""The tasks of poe that a project includes."""

import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import pytest

from secure_django.commands.tasks import STEPS, TASKS, TASKS_OF_A_SERVER, tasks

ALL_TASKS = STEPS | TASKS | TASKS_OF_A_SERVER
METADATA = """
[tool.poe]
executor = "simple"
include_script = "secure_django.commands.tasks:tasks"

[tool.poe.tasks.types]
cmd = "echo own types"

[tool.secure-django]
deployment = "%s"
"""


@pytest.mark.parametrize(
    ("deployment", "has_backups"), [("server", 1), ("platform", 0)]
)
def test_backups_are_tasks_of_a_server_alone(
    deployment: str, has_backups: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(METADATA % deployment, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names = tasks()["tasks"].keys()
    assert TASKS.keys() <= names
    assert len(TASKS_OF_A_SERVER.keys() & names) == 2 * has_backups


def test_task_of_the_project_replaces_one_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(METADATA % "server", encoding="utf-8")
    command = [sys.executable, "-m", "poethepoet", "--quiet", "types"]
    output = subprocess.check_output(command, cwd=tmp_path, text=True)
    assert output == "own types\n"


def test_tasks_run_modules_and_functions_that_exist() -> None:
    commands = [task.get("cmd", "") for task in ALL_TASKS.values()]
    modules = [
        command.split()[2] for command in commands if command.startswith("python -m ")
    ]
    assert [module for module in modules if not find_spec(module)] == []
    for task in ALL_TASKS.values():
        module, _, call = task.get("script", "").partition(":")
        if module:
            assert callable(getattr(import_module(module), call.partition("(")[0]))


def test_steps_of_tasks_are_tasks() -> None:
    steps = [
        [*task.get("sequence", []), *task.get("deps", [])]
        for task in ALL_TASKS.values()
    ]
    assert set(chain(*steps)) <= ALL_TASKS.keys()
    visible = [task for name, task in ALL_TASKS.items() if not name.startswith("_")]
    assert all(task["help"] for task in visible)
