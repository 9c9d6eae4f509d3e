"""The recipe of single sign-on, applied as written.

Providers that lie attack it over HTTP.
"""

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.recipes import Install, Recipe, marks

pytestmark = marks("single-sign-on", "single-sign-on-people", "single-sign-on-pages")

RECIPES = [
    Recipe("single-sign-on"),
    Recipe("single-sign-on-people"),
    Recipe("single-sign-on-pages"),
]


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_single_sign_on_passes_every_check_resists_attacks_and_can_go(
    answers: Answers, install: Install
) -> None:
    project = install(answers)
    with project.following("single_sign_on", *RECIPES):
        pass
