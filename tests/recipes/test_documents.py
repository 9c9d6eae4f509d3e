"""The recipe of documents, applied as written to an app; attacks on its files, and on its scan with a real clamd."""

import shutil
from pathlib import Path

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.recipes import MARKS, Install, Recipe

pytestmark = MARKS

RECIPES = [Recipe("documents"), Recipe("documents-pages")]
SCAN = Recipe("documents-scan")


@pytest.mark.skipif(not shutil.which("clamd", path="/usr/sbin:/usr/bin"), reason="not installed: clamd")
@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_documents_pass_every_check_resist_attacks_and_can_go(answers: Answers, install: Install) -> None:
    project = install(answers)
    project.run("poe", "app", "programmes")
    project.run("python", "manage.py", "migrate", "--verbosity", "0")
    before = project.snapshot()
    for recipe in RECIPES:
        project.apply(recipe)
    project.check()
    project.attack("documents")
    project.apply(SCAN)
    project.check()
    project.attack("documents_scan")
    project.test()
    for recipe in (SCAN, *reversed(RECIPES)):
        project.take_out(recipe)
    assert project.snapshot() == before
    assert not Path(project.folder, "programmes", "files.py").exists()
