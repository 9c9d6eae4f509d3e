"""Copied into a project: the file .env.example documents the defaults."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: INP001

import re

import pytest
from django.conf import settings

from secure_django.testing import in_environment


def test_example_documents_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    example = (
        (settings.BASE_DIR / ".env.example")
        .read_text(encoding="utf-8")
        .partition("# Optional")[2]
    )
    values = dict(re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE))
    documented, default = (
        in_environment(monkeypatch, **it) for it in (values, dict.fromkeys(values, ""))
    )
    assert values
    assert not [
        name for name in default if name.isupper() and default[name] != documented[name]
    ]
