"""The check of templates that a project has copied from the package."""

from pathlib import Path

import pytest
from pytest_django import Settings

from secure_django.web.checks import (
    check_copied_templates,
    find_original,
    hash_original,
)

NAME = Path("base.html")


@pytest.fixture
def copy(settings: Settings, tmp_path: Path) -> Path:
    """Return a file in the folder of the project's templates."""
    (options,) = settings.TEMPLATES
    settings.TEMPLATES = [options | {"DIRS": [tmp_path]}]
    return tmp_path / NAME


def present_hash() -> str:
    original = find_original(NAME)
    assert original is not None
    return hash_original(original)


def test_copy_of_the_present_original_is_fine(copy: Path) -> None:
    copy.write_text(f"{{# original: {present_hash()} #}}\nmine", encoding="utf-8")
    assert check_copied_templates() == []


def test_template_without_a_hash_is_the_teams_own(copy: Path) -> None:
    copy.write_text("mine", encoding="utf-8")
    assert check_copied_templates() == []


def test_copy_whose_original_has_changed_is_named(copy: Path) -> None:
    copy.write_text("{# original: 000000000000 #}\nmine", encoding="utf-8")
    (message,) = check_copied_templates()
    assert message.id == "secure_django.W301"
    assert str(copy) in message.msg
    assert present_hash() in str(message.hint)


def test_copied_text_of_an_email_is_compared_too(copy: Path) -> None:
    text = copy.parent / "account" / "email" / "email_confirmation_message.txt"
    text.parent.mkdir(parents=True)
    text.write_text("{# original: 000000000000 #}\nmine", encoding="utf-8")
    (message,) = check_copied_templates()
    assert message.id == "secure_django.W301"
    assert str(text) in message.msg


def test_copy_without_an_original_is_named(copy: Path) -> None:
    gone = copy.with_name("gone.html")
    gone.write_text("{# original: 000000000000 #}\nmine", encoding="utf-8")
    (message,) = check_copied_templates()
    assert message.id == "secure_django.W302"
    assert str(gone) in message.msg
