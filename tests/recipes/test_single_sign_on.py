"""The recipe of single sign-on, applied as written.

Providers that lie attack it over HTTP.
"""

from copy import copy

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.recipes import Block, Install, Recipe, marks

pytestmark = marks("single-sign-on", "single-sign-on-people", "single-sign-on-pages")

RECIPES = [
    Recipe("single-sign-on"),
    Recipe("single-sign-on-people"),
    Recipe("single-sign-on-pages"),
]
ADAPTERS = ("secure_django.accounts.adapters", "secure_django.login.adapters")


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_single_sign_on_passes_every_check_resists_attacks_and_can_go(
    answers: Answers, install: Install
) -> None:
    project = install(answers)
    recipes = RECIPES if answers == ALL_ON else list(map(without_accounts, RECIPES))
    with project.following("single_sign_on", *recipes):
        pass


def without_accounts(recipe: Recipe) -> Recipe:
    """Take the adapter of a project without accounts, as the second page says."""
    recipe = copy(recipe)
    recipe.steps = [
        Block(block.language, block.path, block.text.replace(*ADAPTERS))
        for block in recipe.steps
    ]
    return recipe
