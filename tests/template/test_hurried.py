"""The features of tests/guard/hurried: every exploit runs, and succeeds as it says."""

import pytest

from tests.guard.hurried import Feature, read_features
from tests.guard.hurried.checks import add_feature, run_exploits
from tests.support.baking import ALL_ON, RAW, Project

FEATURES = read_features()


@pytest.mark.tier("scheduled", "tests/guard/hurried/*", f"{RAW}/*.py")
@pytest.mark.parametrize(
    "feature", FEATURES, ids=[feature.name for feature in FEATURES]
)
def test_every_exploit_succeeds_but_those_that_are_prevented(
    feature: Feature, project: Project
) -> None:
    site = project(ALL_ON)
    add_feature(feature, site)
    texts = run_exploits(site, feature)
    assert sorted(texts) == sorted(it.exploit for it in feature.weaknesses)
    prevented = {it.exploit for it in feature.weaknesses if it.prevented}
    assert {name for name, text in texts.items() if text} == prevented, texts
