"""`poe engines` in generated projects: the package's own tests on their settings."""

import os
from pathlib import Path

import pytest

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    RAW,
    SUITE_SECONDS,
    Answers,
    bake,
    commit,
    copy_template,
    run,
    run_within,
)
from tests.support.releases import REPOSITORY, SERVER, publish

pytestmark = [
    pytest.mark.tier("scheduled", "src/*", f"{RAW}/config/*", "tests/site/*"),
    pytest.mark.skipif(os.name != "posix", reason="the settings are the same there"),
]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=["everything", "nothing"])
def test_engines_work_with_the_settings_of_a_project(
    answers: Answers, tmp_path: Path
) -> None:
    repositories = tmp_path / "repositories"
    template = copy_template(repositories / REPOSITORY)
    publish(template)
    project = bake(template, tmp_path, **answers)
    # The packages of the project alone, so without those of features not chosen.
    run(project, "uv", "sync", "--quiet")
    commit(project, "Start")
    home = tmp_path / "home"
    home.mkdir()
    config = f'[url "{repositories.as_posix()}/"]\ninsteadOf = {SERVER}/\n'
    (home / ".gitconfig").write_text(config, encoding="utf-8")
    environment = {
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "PYTEST_ADDOPTS": "-q -ra",
    }
    command = ("uv", "run", "--locked", "poe", "engines")
    output = run_within(SUITE_SECONDS, project, command, environment)
    assert " passed" in output
    # Nothing is left behind in the project.
    assert not run(project, "git", "status", "--porcelain")
