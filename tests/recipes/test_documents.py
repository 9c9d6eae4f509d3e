"""The recipe of documents, applied as written to an app.

The attacks are on its files, and on its scan with a real clamd.
"""

import shutil

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.recipes import Install, Recipe, marks

pytestmark = marks("documents", "documents-pages", "documents-scan")

RECIPES = [Recipe("documents"), Recipe("documents-pages")]
SCAN = Recipe("documents-scan")


@pytest.mark.skipif(
    not shutil.which("clamd", path="/usr/sbin:/usr/bin"), reason="not installed: clamd"
)
@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_documents_pass_every_check_resist_attacks_and_can_go(
    answers: Answers, install: Install
) -> None:
    project = install(answers, "notes")
    with (
        project.following("documents", *RECIPES, tests=["notes"]),
        project.following("documents_scan", SCAN),
    ):
        pass
