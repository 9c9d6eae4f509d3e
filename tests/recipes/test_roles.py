"""The recipe of two roles on one object, applied as written, and attacked."""

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.recipes import Install, Recipe, marks

pytestmark = marks(
    "roles", "roles-accounts", "roles-invitations", "roles-pages", "roles-tests"
)

RECIPES = [
    Recipe("roles"),
    Recipe("roles-accounts"),
    Recipe("roles-invitations"),
    Recipe("roles-pages"),
    Recipe("roles-tests"),
]


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_two_roles_pass_every_check_resist_attacks_and_can_go(
    answers: Answers, install: Install
) -> None:
    project = install(answers, "notes")
    with project.following("roles", *RECIPES):
        pass
