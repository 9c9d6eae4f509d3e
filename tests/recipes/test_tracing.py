"""The recipe of tracing, applied as written, with a collector over HTTP.

The attacks are on the result.
"""

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.recipes import Install, Recipe, marks

pytestmark = marks("tracing", "tracing-queries")

RECIPES = [Recipe("tracing"), Recipe("tracing-queries")]


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_tracing_passes_every_check_resists_attacks_and_can_go(
    answers: Answers, install: Install
) -> None:
    project = install(answers)
    with project.following("tracing", *RECIPES):
        pass
