"""The contents of the image, and the user that runs it."""

import re

import pytest
from django.conf import settings


def read(name: str) -> str:
    return (settings.BASE_DIR / name).read_text(encoding="utf-8")


@pytest.mark.control("hardening")
def test_image_has_exactly_the_locked_packages() -> None:
    commands = re.findall(r"\buv sync\b.*", read("Dockerfile"))
    assert commands
    # The last says if uv.lock fits pyproject.toml. Those before it only read uv.lock.
    assert "--locked" in commands[-1]
    for command in commands:
        assert "--locked" in command or "--frozen" in command
        assert "--no-dev" in command


@pytest.mark.control("hardening")
def test_image_runs_as_a_user_without_a_name() -> None:
    users = re.findall(r"^USER (.+)$", read("Dockerfile"), re.MULTILINE)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


@pytest.mark.control("V13.4.1")
def test_image_gets_no_history_and_no_secrets() -> None:
    lines = read(".dockerignore").splitlines()
    assert {".git*", ".env*", "/secrets"} <= set(lines)
    exceptions = {line for line in lines if line.startswith("!")}
    # The build of the package reads the one, and the image runs the other.
    assert exceptions <= {
        "!/vendor/secure-django/src/README.md",
        "!/scans/bytecode.py",
    }
