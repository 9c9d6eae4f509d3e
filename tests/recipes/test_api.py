"""The recipe of an API with Django Ninja, and attacks on the result.

It is applied as written to an app with a photo.
"""

import pytest

from tests.recipes.covers import add_cover
from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.recipes import Install, Recipe, marks

pytestmark = marks("api", "api-requests", "api-notes")

RECIPES = [Recipe("api"), Recipe("api-requests"), Recipe("api-notes")]


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_api_passes_every_check_resists_attacks_and_can_go(
    answers: Answers, install: Install
) -> None:
    project = install(answers, "notes")
    add_cover(project)
    with project.following("api", *RECIPES):
        pass
