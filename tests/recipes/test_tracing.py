"""The recipe of tracing, applied as written; attacks on the result, with a collector over HTTP."""

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.recipes import MARKS, Install, Recipe

pytestmark = MARKS

RECIPES = [Recipe("tracing"), Recipe("tracing-queries")]


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_tracing_passes_every_check_resists_attacks_and_can_go(answers: Answers, install: Install) -> None:
    project = install(answers)
    with project.following("tracing", *RECIPES):
        pass
