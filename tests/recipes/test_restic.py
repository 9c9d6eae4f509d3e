"""The recipe of restic, applied as written; a restoration, and attacks on the copies over HTTP."""

import shutil
from pathlib import Path

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.recipes import MARKS, Install, Recipe

MISSING = [it for it in ("restic", "restic-rest-server", "htpasswd", "systemd-analyze") if not shutil.which(it)]
pytestmark = MARKS
RECIPE = Recipe("restic")


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_restic_passes_every_check_resists_attacks_and_can_go(answers: Answers, install: Install) -> None:
    project = install(answers)
    before = project.snapshot()
    project.apply(RECIPE)
    project.check()
    project.attack("restic")
    # No Python has changed.
    project.test("core/tests/test_backup.py", "core/tests/test_settings.py")
    project.take_out(RECIPE)
    assert project.snapshot() == before
    assert not Path(project.folder, "deploy", "site-restic.service").exists()
