"""Names that a later release removes warn, and say what to write instead."""

from typing import Any

import pytest
from django.core.checks.registry import registry

from secure_django import deprecation
from secure_django.checks import check_deprecated_settings
from secure_django.deprecation import (
    Deprecation,
    RemovedInNextMajorWarning,
    deprecated_attribute,
)

MODULE = "secure_django.csv"
PUBLIC = Deprecation("public", f"{MODULE}: old", "1.2.0", "2.0.0", "csv_response")
SETTING = Deprecation("setting", "OLD_LIMIT", "1.2.0", "2.0.0", "NEW_LIMIT")


@pytest.fixture(autouse=True)
def deprecations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deprecation, "DEPRECATIONS", (PUBLIC, SETTING))


def test_deprecated_name_of_a_module_works_and_warns() -> None:
    sentence = "2.0.0 removes it: use csv_response instead"
    with pytest.warns(RemovedInNextMajorWarning, match=sentence):
        assert deprecated_attribute(MODULE, "old", {"old": 1}) == 1


def test_other_name_of_a_module_is_missing() -> None:
    with pytest.raises(AttributeError, match="no attribute 'new'"):
        deprecated_attribute(MODULE, "new", {"new": 1, "old": 1})


def test_deprecated_setting_of_a_project_is_named(settings: Any) -> None:
    assert check_deprecated_settings in registry.get_checks()
    assert not check_deprecated_settings()
    settings.OLD_LIMIT = 5
    [message] = check_deprecated_settings()
    assert message.id == "secure_django.W002"
    assert "OLD_LIMIT is deprecated since secure-django 1.2.0" in message.msg
    assert "use NEW_LIMIT instead" in message.msg
