"""The test site has the settings of a project with everything but the gallery."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from jinja2 import Environment

from tests.support.baking import ROOT

ANSWERS = {
    "project_name": "Full Site",
    "__description": "A website made with Django.",
    "domain_name": "example.com",
    "author_email": "security@example.com",
    "auth_app": True,
    "cloudinary_moderation": True,
    "gallery": False,
}
RAW = ROOT / "{{cookiecutter.project_slug}}" / "config" / "settings.py"


def render(**answers: object) -> str:
    engine = Environment(  # noqa: S701 - Python, not HTML
        line_statement_prefix="# %", keep_trailing_newline=True
    )
    template = engine.from_string(RAW.read_text(encoding="utf-8"))
    return template.render(cookiecutter=ANSWERS | answers)


def test_site_has_the_settings_of_the_template() -> None:
    site = settings.BASE_DIR / "config" / "settings.py"
    assert site.read_text(encoding="utf-8") == render()


def test_settings_are_short_enough_to_be_read() -> None:
    lines = render(gallery=True).splitlines()
    assert 120 <= len(lines) <= 160
    assert max(map(len, lines)) <= 88


@pytest.mark.control("V13.2.3")
@pytest.mark.parametrize("value", ["", "too-short"])
def test_project_without_its_last_line_refuses_too(value: str, tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__")
    site = shutil.copytree(settings.BASE_DIR, tmp_path / "site", ignore=ignore)
    path = site / "config" / "settings.py"
    *lines, last = path.read_text(encoding="utf-8").splitlines()
    assert last.startswith("env.stop_on_problems()")
    path.write_text("\n".join(lines), encoding="utf-8")
    variables = {"DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": ""}
    result = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=site,
        env=os.environ | variables | {"FIELD_ENCRYPTION_KEYS": value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "  FIELD_ENCRYPTION_KEYS: " in result.stderr
    assert "too-short" not in result.stderr
    assert "Traceback" not in result.stderr
