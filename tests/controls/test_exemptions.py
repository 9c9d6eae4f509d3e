"""A project exempts code from the tests of its templates, each with a reason."""

from pathlib import Path

import pytest
from django.apps import apps
from pytest_django import Settings

from secure_django.controls import test_templates
from secure_django.controls.test_templates import (
    test_exempt_code_is_in_the_project as check_exemptions,
)
from secure_django.controls.test_templates import (
    test_nothing_is_shown_without_escaping as check_escaping,
)
from secure_django.controls.test_templates import (
    test_pages_show_no_email_of_another_user as check_emails,
)


@pytest.fixture(autouse=True)
def project(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return a project whose page shows an email, and a text without escaping."""
    settings.BASE_DIR = tmp_path
    settings.GUARD_PACKAGES = []
    page = "{{ member.email }} {{ text|safe }}"
    templates = {tmp_path / "templates" / "page.html": page}
    monkeypatch.setattr(test_templates, "TEMPLATES", templates)
    return tmp_path


def write_exempt(project: Path, reason: str) -> None:
    lines = [f'"{code}" = "{reason}"' for code in ("member.email", "text|safe")]
    text = "\n".join(["[tool.secure-django.exempt]", *lines, ""])
    (project / "pyproject.toml").write_text(text, encoding="utf-8")


def test_code_with_a_reason_is_exempt(project: Path) -> None:
    write_exempt(project, "the owner has typed it")
    check_emails()
    check_escaping()
    check_exemptions()


def test_exemption_of_code_that_is_gone_is_red(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_exempt(project, "the owner has typed it")
    page = {project / "templates" / "page.html": "{{ member.email }}"}
    monkeypatch.setattr(test_templates, "TEMPLATES", page)
    with pytest.raises(AssertionError, match=r"Remove it.*\n.*'text\|safe'"):
        check_exemptions()


@pytest.mark.parametrize("reason", ["", " "])
def test_code_without_a_reason_is_not_exempt(project: Path, reason: str) -> None:
    write_exempt(project, reason)
    with pytest.raises(AssertionError, match=r"member\.email"):
        check_emails()
    with pytest.raises(AssertionError, match="safe"):
        check_escaping()


@pytest.mark.parametrize(
    ("code", "is_own"), [("object", True), ("object.owner", False)]
)
def test_email_that_the_model_of_an_app_has_is_no_email_of_a_user(
    code: str, is_own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The app of sign-ups has a model with an email.
    page = Path(apps.get_app_config("account").path, "templates", "page.html")
    monkeypatch.setattr(test_templates, "TEMPLATES", {page: f"{{{{ {code}.email }}}}"})
    if is_own:
        check_emails()
    else:
        with pytest.raises(AssertionError, match=r"object\.owner\.email"):
            check_emails()
