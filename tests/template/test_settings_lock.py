"""A new project has the settings.lock that its settings ask for."""

import pytest

from tests.support.baking import ALL_ON, ON_PLATFORM, Answers, Project, every, name
from tests.support.settings_lock import FEATURES, NAME, compute

SETTINGS = every({feature: [True, False] for feature in FEATURES})


@pytest.mark.parametrize(
    "answers", [*(ALL_ON | features for features in SETTINGS), ON_PLATFORM], ids=name
)
def test_new_project_has_its_settings_in_the_lock(
    answers: Answers, pristine: Project
) -> None:
    project = pristine(answers)
    lock = (project / NAME).read_text(encoding="utf-8")
    assert lock == compute(project), "run python -m tests.support.settings_lock"
