"""The variables that .env.example documents as optional have their defaults there."""

import shutil
import sys

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, ROOT, Answers, Project, name, run

PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


@pytest.mark.parametrize(
    "answers",
    [ALL_ON, pytest.param(ALL_OFF, marks=pytest.mark.tier("whole"))],
    ids=name,
)
def test_example_documents_the_defaults(answers: Answers, project: Project) -> None:
    folder = project(answers)
    test = folder / "tests" / "test_env_example.py"
    shutil.copy(ROOT / "tests" / "template" / "inside" / "env_example.py", test)
    run(folder, *PYTEST, "tests/test_env_example.py")
