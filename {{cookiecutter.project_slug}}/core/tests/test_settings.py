"""The project does not start in a bad environment, and reports all problems."""

import os
import re
import runpy
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError
from django.db.utils import ConnectionHandler
from environs import ValidationError

from config.environment import cache_url, database_url, email_url, sentry_dsn, storage_url
from config.settings import env
from core.testing import start

EXAMPLE = (settings.BASE_DIR / ".env.example").read_text(encoding="utf-8")


@pytest.mark.control("V13.2.3")
def test_complete_environment_starts() -> None:
    result = start()
    assert result.returncode == 0, result.stderr


@pytest.mark.control("V13.2.3")
def test_empty_environment_reports_every_problem_at_once() -> None:
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
            "STORAGE_URL": "s3://key:bad-value@s3.example.com/photos",
            "SENTRY_DSN": "http://bad-value@example.com/1",
            "LANGUAGE_CODE": "bad-value",
            "TIME_ZONE": "bad-value",
        },
        # Values that other projects would start with.
        {
            "SECRET_KEY": "a" * 60,
            "FIELD_ENCRYPTION_KEYS": ",",
            "ALLOWED_HOSTS": "https://bad-value",
            "CSRF_TRUSTED_ORIGINS": "bad-value",
            "DATABASE_URL": "sqlite:///bad-value.sqlite3",
            "EMAIL_URL": "smtp+tls://bad-value:587",
        },
        {
            "SECRET_KEY": "bad-value" * 8,
            "SECRET_KEY_FALLBACKS": "correct horse bad-value battery" * 2,
            "ALLOWED_HOSTS": ",",
            "CSRF_TRUSTED_ORIGINS": "https://*.bad-value.example",
            "EMAIL_URL": "console://",
            "MEDIA_ROOT": "uploads/static/bad-value",
        },
        {"MEDIA_ROOT": "static"},
        {"MEDIA_ROOT": "media/../staticfiles/"},
    ],
)
def test_bad_values_stop_the_start_and_are_not_shown(bad: dict[str, str]) -> None:
    result = start(**bad)
    assert result.returncode == 1
    for name in bad:
        assert f"  {name}: " in result.stderr
    assert "bad-value" not in result.stderr


@pytest.mark.control("V13.2.3")
def test_redis_without_its_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.environment.find_spec", lambda name: None)
    with pytest.raises(ValidationError, match="uv sync --all-extras"):
        cache_url("redis://localhost")


@pytest.mark.control("V13.2.3")
def test_placeholder_from_the_example_is_refused() -> None:
    placeholder = re.search(r"^SECRET_KEY=(.+)$", EXAMPLE, re.MULTILINE)
    assert placeholder
    assert "SECRET_KEY: Is still the placeholder" in start(SECRET_KEY=placeholder[1]).stderr


@pytest.mark.control("V13.2.3")
def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = {
        cache_url: "redis://localhost",
        storage_url: "s3://s3.example.com/photos?region=eu",
        sentry_dsn: "https://key@example.com/1",
    }
    for parse, url in urls.items():
        monkeypatch.setattr("config.environment.find_spec", lambda name: None)
        with pytest.raises(ValidationError, match="uv sync --all-extras"):
            parse(url)
        monkeypatch.setattr("config.environment.find_spec", lambda name: True)
        assert parse(url)
    without_port = storage_url("s3://s3.example.com/photos?region=eu")["OPTIONS"]
    assert without_port["endpoint_url"] == "https://s3.example.com"
    options = storage_url("s3://key:a%2Fb@s3.example.com:9000/photos?region=eu")["OPTIONS"]
    assert options == {
        "access_key": "key",
        "secret_key": "a/b",
        "endpoint_url": "https://s3.example.com:9000",
        "bucket_name": "photos",
        "region_name": "eu",
    }


@pytest.mark.control("V13.4.2")
def test_debug_with_a_public_host_stops_the_start() -> None:
    assert start(ALLOWED_HOSTS="example.com").returncode == 0
    result = start(ALLOWED_HOSTS="example.com", DEBUG="on")
    assert result.returncode == 1
    assert "DEBUG: Must be off" in result.stderr


@pytest.mark.control("V3.4.1")
def test_hsts_without_subdomains_is_a_decision() -> None:
    off = {"SECURE_HSTS_INCLUDE_SUBDOMAINS": "off"}
    result = start("check", "--deploy", "--fail-level", "WARNING", **off, SECURE_HSTS_PRELOAD="off")
    assert result.returncode == 0, result.stderr
    result = start(**off, SECURE_HSTS_PRELOAD="on")
    assert result.returncode == 1
    assert "SECURE_HSTS_PRELOAD: Needs SECURE_HSTS_INCLUDE_SUBDOMAINS" in result.stderr


def in_environment(monkeypatch: pytest.MonkeyPatch, **changes: str) -> dict[str, Any]:
    """Return the settings of the tests' production environment with changes."""
    with monkeypatch.context() as patch:
        for name, value in changes.items():
            patch.setenv(name, value)
        return runpy.run_path(str(settings.BASE_DIR / "config" / "settings.py"))


@pytest.mark.control("V4.1.3")
def test_scheme_is_read_from_a_proxy_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "SECURE_PROXY_SSL_HEADER" not in in_environment(monkeypatch)
    found = in_environment(monkeypatch, TRUSTED_PROXY_COUNT="1")
    assert found["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")


def test_development_needs_no_https_and_no_mail_server(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"DEBUG": "on", "ALLOWED_HOSTS": "", "DATABASE_URL": "", "EMAIL_URL": "", "DEFAULT_FROM_EMAIL": ""}
    found = in_environment(monkeypatch, **changes)
    assert found["MAILERS"] == {"default": {"BACKEND": "core.mail.ConsoleBackend"}}
    assert found["DATABASES"]["default"]["NAME"] == str(settings.BASE_DIR / "db.sqlite3")
    assert "localhost" in found["ALLOWED_HOSTS"]
    for name in ("SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"):
        assert not found[name], name


@pytest.mark.parametrize(
    ("url", "host", "port", "encryption"),
    [
        ("submission://me:a%2Fb@mail.example.com", "mail.example.com", 587, (True, False)),
        ("smtps://me:a%2Fb@mail.example.com", "mail.example.com", 465, (False, True)),
        ("smtp://me:a%2Fb@localhost:2525", "localhost", 2525, (False, False)),
    ],
)
def test_mail_server_is_read_with_its_encryption(url: str, host: str, port: int, encryption: object) -> None:
    mailer = email_url(url)
    options = mailer["OPTIONS"]
    assert mailer["BACKEND"].endswith("smtp.EmailBackend")
    assert (options["host"], options["port"], options["username"], options["password"]) == (host, port, "me", "a/b")
    assert (options["use_tls"], options["use_ssl"]) == encryption


@pytest.mark.django_db
def test_models_have_their_migrations() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_gunicorn_reads_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env").write_text("BIND=0.0.0.0:9000\nWEB_CONCURRENCY=3\n", encoding="utf-8")
    monkeypatch.setenv("ENV_FILE", str(tmp_path / "env"))
    monkeypatch.delenv("BIND")
    monkeypatch.setenv("WEB_CONCURRENCY", "5")
    gunicorn = runpy.run_path(str(settings.BASE_DIR / "gunicorn.conf.py"))
    assert (gunicorn["bind"], gunicorn["workers"]) == ("0.0.0.0:9000", 5)
    assert gunicorn["forwarded_allow_ips"] == ""  # the number of proxies decides
    monkeypatch.undo()
    gunicorn = runpy.run_path(str(settings.BASE_DIR / "gunicorn.conf.py"))
    assert (gunicorn["bind"], gunicorn["workers"]) == ("127.0.0.1:8000", 2)


@pytest.mark.control("V16.5.2")
@pytest.mark.django_db
def test_sqlite_takes_its_write_lock_at_the_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path.as_posix()}/site.sqlite3?timeout=0"
    first, second = (ConnectionHandler({"default": database_url(url)})["default"] for _ in range(2))
    first.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    with pytest.raises(OperationalError, match="locked"):
        second.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)


def test_locked_sqlite_is_named_in_one_sentence(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path.as_posix()}/site.sqlite3"
    with closing(sqlite3.connect(tmp_path / "site.sqlite3", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")
        result = start("migrate", DATABASE_URL=f"{url}?timeout=0")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("The SQLite database is locked: ")
    assert "Traceback" not in result.stderr
    assert "JSON" not in result.stderr


def test_connections_to_postgresql_are_kept_and_checked() -> None:
    database = database_url("postgres://user@localhost/site")
    assert (database["CONN_MAX_AGE"], database["CONN_HEALTH_CHECKS"]) == (60, True)
    assert not database_url("sqlite:////site.sqlite3").get("CONN_MAX_AGE")


@pytest.mark.control("V16.5.2")
@pytest.mark.django_db
def test_silent_postgresql_does_not_hang() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgres://user@127.0.0.1:{silent.getsockname()[1]}/site"
        started = time.monotonic()
        with pytest.raises(OperationalError):
            ConnectionHandler({"default": database_url(url)})["default"].ensure_connection()
    assert time.monotonic() - started < 10


@pytest.mark.control("V13.3.1")
def test_secret_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(os.environ["SECRET_KEY"] + "\n", encoding="utf-8")
    assert start(SECRET_KEY="", SECRET_KEY_FILE=str(file)).returncode == 0
    result = start(SECRET_KEY="", SECRET_KEY_FILE=f"{file}-missing")
    assert "SECRET_KEY_FILE names a file that cannot be read" in result.stderr


def test_example_documents_every_variable() -> None:
    assert not [name for name in env.dump() if f"\n{name}=" not in EXAMPLE]
