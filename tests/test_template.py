"""The template's own code: style, types, pinned dependencies, tracked files."""

import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.baking import PYTHON_COMBINATIONS, ROOT, Answers, Project, name, run


def requirements(texts: list[str]) -> dict[str, Requirement]:
    """Return requirements by the normalized name of their package."""
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, texts)}


PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINNED = requirements(PYPROJECT["dependency-groups"]["dev"])


def test_template_style_and_format() -> None:
    run(ROOT, "ruff", "check", "--no-cache")
    run(ROOT, "ruff", "format", "--check", "--no-cache")


def test_template_types() -> None:
    run(ROOT, sys.executable, "-m", "mypy")


def test_template_dependencies_are_pinned() -> None:
    assert not [str(it) for it in PINNED.values() if [clause.operator for clause in it.specifier] != ["=="]]


@pytest.mark.parametrize("answers", PYTHON_COMBINATIONS, ids=name)
def test_pins_match_the_requirements_of_emitted_projects(answers: Answers, pristine: Project) -> None:
    emitted = tomllib.loads((pristine(answers) / "pyproject.toml").read_text(encoding="utf-8"))
    extras = chain.from_iterable(emitted["project"]["optional-dependencies"].values())
    wanted = requirements([*emitted["project"]["dependencies"], *extras, *emitted["dependency-groups"]["dev"]])
    assert wanted.keys() <= PINNED.keys()
    for package, requirement in wanted.items():
        (pin,) = PINNED[package].specifier
        assert pin.version in requirement.specifier, f"{requirement} does not allow {pin.version}"
        assert requirement.extras <= PINNED[package].extras, f"{requirement} has other extras than {PINNED[package]}"


def test_no_secrets_caches_or_lock_files_are_tracked() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    names = {Path(path).name for path in tracked}
    assert not names & {"uv.lock", ".env", "db.sqlite3"}
    assert not [path for path in tracked if "__pycache__" in path or "_cache/" in path]
