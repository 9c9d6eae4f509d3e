"""A start without what it needs stops, and says all of it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from config.environment import database_url
from config.settings import env

EXAMPLE = (settings.BASE_DIR / ".env.example").read_text(encoding="utf-8")


def start(**changes: str) -> subprocess.CompletedProcess[str]:
    """Runs a command under the tests' own production environment with these changes."""
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"} | changes,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.control("V13.2.3")
def test_complete_environment_starts() -> None:
    result = start()
    assert result.returncode == 0, result.stderr


@pytest.mark.control("V13.2.3")
def test_empty_environment_stops_with_every_problem_at_once() -> None:
    required, _, _ = EXAMPLE.partition("# Optional")
    names = re.findall(r"^(\w+)=", required, re.MULTILINE)
    result = start(**dict.fromkeys(names, ""))
    assert result.returncode == 1
    assert [name for name in names if f"  {name}: " not in result.stderr] == ["DEBUG"]
    assert "Traceback" not in result.stderr


@pytest.mark.control("V13.2.3")
@pytest.mark.parametrize(
    "bad",
    [
        {
            "SECRET_KEY": "django-insecure-bad-value-bad-value-bad-value-bad-value",
            "SECRET_KEY_FALLBACKS": "bad-value",
            "FIELD_ENCRYPTION_KEYS": "bad-value",
            "ALLOWED_HOSTS": "*",
            "DATABASE_URL": "bad-value",
            "CACHE_URL": "locmem://bad-value",
            "EMAIL_URL": "bad-value",
            "TRUSTED_PROXY_COUNT": "bad-value",
            "UPLOAD_MAX_BYTES": "-1",
            "SECURE_HSTS_SECONDS": "-1",
            "CSP_REPORT_ONLY": "bad-value",
        },
        # These would start, and do something else than they look like.
        {
            "SECRET_KEY": "a" * 60,
            "FIELD_ENCRYPTION_KEYS": ",",
            "ALLOWED_HOSTS": "https://bad-value",
            "CSRF_TRUSTED_ORIGINS": "bad-value",
            "DATABASE_URL": "sqlite:///bad-value.sqlite3",
            "EMAIL_URL": "smtp+tls://bad-value:587",
        },
        {"ALLOWED_HOSTS": ",", "EMAIL_URL": "console://"},
    ],
)
def test_bad_values_stop_the_start_without_being_shown(bad: dict[str, str]) -> None:
    result = start(**bad)
    assert result.returncode == 1
    for name in bad:
        assert f"  {name}: " in result.stderr
    assert "bad-value" not in result.stderr


@pytest.mark.control("V13.2.3")
def test_placeholder_of_the_example_is_no_secret() -> None:
    placeholder = re.search(r"^SECRET_KEY=(.+)$", EXAMPLE, re.MULTILINE)
    assert placeholder
    assert "SECRET_KEY: Is still the placeholder" in start(SECRET_KEY=placeholder[1]).stderr


@pytest.mark.control("V13.4.2")
def test_debug_with_a_public_host_stops_the_start() -> None:
    assert start(ALLOWED_HOSTS="example.com").returncode == 0
    result = start(ALLOWED_HOSTS="example.com", DEBUG="on")
    assert result.returncode == 1
    assert "DEBUG: Must be off" in result.stderr


@pytest.mark.control("V16.5.2")
def test_databases_neither_lose_writes_nor_hang() -> None:
    sqlite, postgres = database_url("sqlite:////srv/site.sqlite3"), database_url("postgres://user@host/site")
    assert sqlite["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert postgres["OPTIONS"]["connect_timeout"] <= 5


@pytest.mark.control("V13.3.1")
def test_secret_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(os.environ["SECRET_KEY"] + "\n", encoding="utf-8")
    assert start(SECRET_KEY="", SECRET_KEY_FILE=str(file)).returncode == 0
    result = start(SECRET_KEY="", SECRET_KEY_FILE=f"{file}-missing")
    assert "SECRET_KEY_FILE names a file that cannot be read" in result.stderr


def test_example_documents_every_variable() -> None:
    assert not [name for name in env.dump() if f"\n{name}=" not in EXAMPLE]
