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
LOG_EVENT = "from secure_django.logging import log_event\n"
WITH_ACCOUNTS = (
    f"from secure_django.accounts.adapters import AccountAdapter\n{LOG_EVENT}"
)
WITHOUT_ACCOUNTS = (
    f"{LOG_EVENT}from secure_django.login.adapters import AccountAdapter\n"
)


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
        Block(
            block.language,
            block.path,
            block.text.replace(WITH_ACCOUNTS, WITHOUT_ACCOUNTS),
        )
        for block in recipe.steps
    ]
    return recipe
