"""The recipe of tracing, applied as written; what reaches a collector over HTTP."""

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.recipes import MARKS, Install, Recipe

pytestmark = MARKS

RECIPE = Recipe("tracing")


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_tracing_passes_every_check_resists_attacks_and_can_go(answers: Answers, install: Install) -> None:
    project = install(answers)
    before = project.snapshot()
    project.apply(RECIPE)
    project.check()
    project.attack("tracing")
    project.test()
    project.take_out(RECIPE)
    assert project.snapshot() == before
