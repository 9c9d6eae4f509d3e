"""The recipe of a link that shares an object, applied as written, and attacked."""

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.recipes import Install, Recipe, marks

pytestmark = marks("sharing")

RECIPE = Recipe("sharing")


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_shared_link_passes_every_check_resists_attacks_and_can_go(
    answers: Answers, install: Install
) -> None:
    project = install(answers, "notes")
    with project.following("sharing", RECIPE):
        pass
