"""Names that a later release removes warn, and say what to write instead."""

from pathlib import Path
from typing import Any

import pytest
from django.core.checks.registry import registry

from secure_django import deprecation
from secure_django.checks import check_deprecated_names
from secure_django.deprecation import (
    Deprecation,
    RemovedInNextMajorWarning,
    deprecated_attribute,
)

MODULE = "secure_django.csv"
PUBLIC = Deprecation("public", f"{MODULE}: old", "1.2.0", "2.0.0", "csv_response")
SETTING = Deprecation("setting", "OLD_LIMIT", "1.2.0", "2.0.0", "NEW_LIMIT")
VARIABLE = Deprecation("variable", "OLD_URL", "1.2.0", "2.0.0", "NEW_URL")
BLOCK = Deprecation("block", "card.html: heading", "1.2.0", "2.0.0", "the block title")


@pytest.fixture(autouse=True)
def deprecations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deprecation, "DEPRECATIONS", (PUBLIC, SETTING, VARIABLE, BLOCK))
    monkeypatch.setattr(deprecation, "used_names", set())


def test_deprecated_name_of_a_module_works_and_warns() -> None:
    sentence = "2.0.0 removes it: use csv_response instead"
    with pytest.warns(RemovedInNextMajorWarning, match=sentence):
        assert deprecated_attribute(MODULE, "old", {"old": 1}) == 1


def test_other_name_of_a_module_is_missing() -> None:
    with pytest.raises(AttributeError, match="no attribute 'new'"):
        deprecated_attribute(MODULE, "new", {"new": 1, "old": 1})


def test_deprecated_setting_of_a_project_is_named(settings: Any) -> None:
    assert check_deprecated_names in registry.get_checks()
    assert not check_deprecated_names()
    settings.OLD_LIMIT = 5
    [message] = check_deprecated_names()
    assert message.id == "secure_django.W002"
    assert "OLD_LIMIT is deprecated since secure-django 1.2.0" in message.msg
    assert "use NEW_LIMIT instead" in message.msg


def test_deprecated_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not check_deprecated_names()
    monkeypatch.setenv("OLD_URL", "redis://")
    [message] = check_deprecated_names()
    assert message.hint == "It is used in the environment."


def test_deprecated_name_of_a_module_is_named_where_the_code_uses_it() -> None:
    assert not check_deprecated_names()
    with pytest.warns(RemovedInNextMajorWarning):
        deprecated_attribute(MODULE, "old", {"old": 1})
    [message] = check_deprecated_names()
    assert f"{MODULE}: old is deprecated" in message.msg


def test_template_that_fills_a_deprecated_block_is_named(
    settings: Any, tmp_path: Path
) -> None:
    settings.TEMPLATES = [settings.TEMPLATES[0] | {"DIRS": [tmp_path]}]
    page = tmp_path / "page.html"
    page.write_text("{% block headings %}{% endblock %}", encoding="utf-8")
    assert not check_deprecated_names()
    page.write_text("{% block heading %}{% endblock %}", encoding="utf-8")
    [message] = check_deprecated_names()
    assert message.hint == f"It is used in {page}."
