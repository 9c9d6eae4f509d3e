"""The recipe of restic: a restoration, and attacks on the copies over HTTP.

It is applied as written.
"""

import shutil
from pathlib import Path

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.recipes import Install, Recipe, marks

MISSING = [
    it
    for it in ("restic", "restic-rest-server", "htpasswd", "systemd-analyze")
    if not shutil.which(it)
]
pytestmark = marks("restic")
RECIPE = Recipe("restic")


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_restic_passes_every_check_resists_attacks_and_can_go(
    answers: Answers, install: Install
) -> None:
    project = install(answers)
    # No Python has changed.
    tests = ["core/tests/test_backup.py", "core/tests/test_settings.py"]
    with project.following("restic", RECIPE, tests=tests):
        assert Path(project.folder, "deploy", "site-restic.service").exists()
