"""The project does not start in a bad environment, and reports all problems."""

import json
import os
import re
import runpy
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from io import StringIO
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from django.conf import locale, settings
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.cache import CacheHandler
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage.handler import StorageHandler
from django.core.management import call_command
from django.db import OperationalError
from django.db.utils import ConnectionHandler

from secure_django import postgresql
from secure_django.conf import environment
from secure_django.conf.environment import (
    cache_url,
    database_url,
    email_url,
    storage_url,
)
from secure_django.postgresql import driver
from secure_django.testing import in_environment, start

POSITIVE = (
    *("UPLOAD_MAX_BYTES", "UPLOADS_PER_HOUR", "UPLOAD_DECODE_SECONDS"),
    *("REJECTED_RETENTION_DAYS", "MODERATION_STUCK_HOURS"),
)
FIVE_LETTERS, FOUR_LETTERS = (
    "".join(map("".join, permutations(letters)))[:50] for letters in ("abcde", "abcd")
)
EXAMPLE = (settings.BASE_DIR / ".env.example").read_text(encoding="utf-8")


@pytest.mark.control("V13.2.3")
@pytest.mark.parametrize(
    "bad",
    [
        {"MEDIA_ROOT": "static"},
        {"MEDIA_ROOT": "config/.."},
        {"MEDIA_ROOT": "media/../staticfiles/"},
    ],
)
def test_folder_of_uploads_is_none_of_the_code(bad: dict[str, str]) -> None:
    result = start(**bad)
    assert result.returncode == 1
    assert "\n  MEDIA_ROOT: " in result.stderr


@pytest.mark.control("V13.2.3")
def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = {
        cache_url: "redis://localhost",
        storage_url: "s3://s3.example.com/photos?region=eu",
    }
    for parse, url in urls.items():
        monkeypatch.setattr(
            "secure_django.conf.environment.is_installed", lambda name: None
        )
        with pytest.raises(ImproperlyConfigured, match="uv sync --all-extras"):
            parse(url)
        monkeypatch.setattr(
            "secure_django.conf.environment.is_installed",
            {"redis", "storages"}.__contains__,
        )
        assert parse(url)
    without_port = storage_url("s3://s3.example.com/photos?region=eu")["OPTIONS"]
    assert without_port["endpoint_url"] == "https://s3.example.com"
    options = storage_url("s3://key:a%2Fb@s3.example.com:9000/photos?region=eu")[
        "OPTIONS"
    ]
    assert options == {
        "access_key": "key",
        "secret_key": "a/b",
        "endpoint_url": "https://s3.example.com:9000",
        "bucket_name": "photos",
        "region_name": "eu",
    }


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        (
            "secret_key",
            FIVE_LETTERS,
            [FIVE_LETTERS[:49], FOUR_LETTERS, f"django-insecure-{FIVE_LETTERS}"],
        ),
        (
            "hosts",
            "example.com, .example.com, 192.0.2.1, [::1]",
            ["example.com:80", "exam*ple.com", "EXAMPLE.com", ""],
        ),
        (
            "origins",
            "https://a.example.com, http://localhost:8000",
            ["example.com", "https://example.com/a", "https://A.example.com"],
        ),
        (
            "cache_url",
            "rediss://:password@localhost:6379/1",
            ["redis://", "redis://:pass/word@localhost", "db://other"],
        ),
        (
            "site_url",
            "https://staging.example.com:8443",
            [
                "staging.example.com",
                "https://example.com/",
                "https://example.com/a",
                "https://me@example.com",
                "https://.example.com",
                "https://EXAMPLE.com",
            ],
        ),
        ("language", "en-us", ["en-uk"]),
        *[
            (name, url.format(65535), [url.format(0), url.format(65536)])
            for name, url in {
                "cache_url": "redis://localhost:{}/1",
                "database_url": "postgres://me@db.example:{}/site",
                "email_url": "smtps://mail.example.com:{}",
                "heartbeat_url": "https://beat.example.com:{}/",
                "origins": "https://example.com:{}",
                "site_url": "https://example.com:{}",
                "storage_url": "s3://s3.example.com:{}/photos?region=eu-1",
            }.items()
        ],
        (
            "sender",
            '"Site, the" <site@example.com>',
            ["Site <site@example.com", "Site site@example.com", "tüm@example.com"],
        ),
    ],
)
def test_values_are_accepted_up_to_their_limits(
    name: str, accepted: str, refused: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "is_installed", lambda name: True)
    parse = getattr(environment, name)
    assert parse(accepted)
    for value in refused:
        with pytest.raises(ImproperlyConfigured):
            parse(value)


@pytest.mark.control("V3.4.1")
def test_hsts_without_subdomains_is_a_decision() -> None:
    off = {"SECURE_HSTS_INCLUDE_SUBDOMAINS": "off"}
    result = start(
        "check", "--deploy", "--fail-level", "WARNING", **off, SECURE_HSTS_PRELOAD="off"
    )
    assert result.returncode == 0, result.stderr
    result = start(**off, SECURE_HSTS_PRELOAD="on")
    assert result.returncode == 1
    assert "SECURE_HSTS_PRELOAD: Needs SECURE_HSTS_INCLUDE_SUBDOMAINS" in result.stderr


def test_switch_is_on_or_off() -> None:
    switches = ["on", "True", "YES", "1"], ["off", "False", "NO", "0"]
    assert [[*map(environment.boolean, words)] for words in switches] == [
        [True] * 4,
        [False] * 4,
    ]


def test_smallest_numbers_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    values = in_environment(
        monkeypatch, SECURE_HSTS_SECONDS="0", **dict.fromkeys(POSITIVE, "1")
    )
    assert {values[name] for name in POSITIVE} == {1}


@pytest.mark.control("V4.1.3")
def test_scheme_is_read_from_a_proxy_that_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert in_environment(monkeypatch)["SECURE_PROXY_SSL_HEADER"] is None
    values = in_environment(monkeypatch, TRUSTED_PROXY_COUNT="1")
    assert values["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")


def test_development_needs_no_https_and_no_mail_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changes = {
        "DEBUG": "on",
        "ALLOWED_HOSTS": "",
        "DATABASE_URL": "",
        "EMAIL_URL": "",
        "DEFAULT_FROM_EMAIL": "",
    }
    values = in_environment(monkeypatch, **changes)
    # At once, without the worker.
    assert values["MAILERS"]["default"] == {
        "BACKEND": "secure_django.mail.outbox.ConsoleBackend"
    }
    database = values["DATABASES"]["default"]
    assert database["NAME"] == str(settings.BASE_DIR / "db.sqlite3")
    assert "localhost" in values["ALLOWED_HOSTS"]
    assert values["LOGGING"]["loggers"]["access"]["level"] == "WARNING"
    assert values["LOGGING"]["handlers"]["console"]["formatter"] == "text"
    secure = (
        "SECURE_SSL_REDIRECT",
        "SECURE_HSTS_SECONDS",
        "SESSION_COOKIE_SECURE",
        "CSRF_COOKIE_SECURE",
    )
    for name in secure:
        assert not values[name], name
    for name in ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME"):
        assert not values[name].startswith("__Host-")


def test_images_of_the_bucket_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "secure_django.conf.environment.is_installed", lambda name: True
    )
    values = in_environment(
        monkeypatch, STORAGE_URL="s3://s3.example.com/photos?region=eu"
    )
    assert values["BUCKET_URL"] == "https://s3.example.com/photos/"
    assert values["BUCKET_URL"] in values["SECURE_CSP"]["img-src"]
    assert (
        values["STORAGES"]["default"]["BACKEND"]
        == "secure_django.photos.storage.ObjectStorage"
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes of files")
def test_photos_are_private_and_static_files_are_hashed(
    media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the manifest of another test.
    monkeypatch.setattr(settings, "STATIC_ROOT", media.parent)
    storages = StorageHandler(in_environment(monkeypatch)["STORAGES"])
    storages["default"].save("folder/photo", ContentFile(b""))
    modes = [path.stat().st_mode for path in media.rglob("*")]
    assert [mode & 0o077 for mode in modes] == [0, 0]
    assert isinstance(storages["staticfiles"], ManifestFilesMixin)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "submission://me:a%2Fb@mail.example.com",
            ("mail.example.com", 587, "me", "a/b", True, False),
        ),
        (
            "smtps://me:a%2Fb@mail.example.com",
            ("mail.example.com", 465, "me", "a/b", False, True),
        ),
        (
            "smtp://me:a%2Fb@localhost:2525",
            ("localhost", 2525, "me", "a/b", False, False),
        ),
        ("smtp://localhost", ("localhost", 25, "", "", False, False)),
    ],
)
def test_mail_server_is_read_with_its_encryption(url: str, expected: object) -> None:
    mailer = email_url(url)
    options = mailer["OPTIONS"]
    assert mailer["BACKEND"].endswith("smtp.EmailBackend")
    assert 0 < options["timeout"] < 30
    names = ("host", "port", "username", "password", "use_tls", "use_ssl")
    assert tuple(options[name] for name in names) == expected


def test_cache_is_shared_and_too_large_to_be_emptied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table: Any = CacheHandler({"default": cache_url("db://django_cache")})["default"]
    assert (table._table, table._max_entries >= 10_000) == ("django_cache", True)
    monkeypatch.setattr(
        "secure_django.conf.environment.is_installed", lambda name: True
    )
    redis: Any = CacheHandler(
        {"default": cache_url(url := "redis://localhost:6379/1")}
    )["default"]
    assert redis._servers == [url]
    assert redis._options.keys() == {"socket_connect_timeout", "socket_timeout"}


@pytest.mark.django_db
def test_models_have_their_migrations() -> None:
    with suppress(SystemExit):
        call_command(
            "makemigrations", "--check", "--dry-run", stdout=(output := StringIO())
        )
    if "No changes detected" not in output.getvalue():
        pytest.fail(" ".join(output.getvalue().split()), pytrace=False)


def test_gunicorn_reads_the_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").write_text(
        "BIND=0.0.0.0:9000\nWEB_CONCURRENCY=3\n", encoding="utf-8"
    )
    monkeypatch.setenv("ENV_FILE", str(tmp_path / "env"))
    monkeypatch.delenv("BIND")
    monkeypatch.setenv("WEB_CONCURRENCY", "5")
    gunicorn = runpy.run_path(str(settings.BASE_DIR / "gunicorn.conf.py"))
    assert (gunicorn["bind"], gunicorn["workers"]) == ("0.0.0.0:9000", 5)
    assert gunicorn["forwarded_allow_ips"] == ""  # the number of proxies decides
    for name in ("WEB_CONCURRENCY", "PORT"):
        for unusable in ("two", "0"):
            with monkeypatch.context() as patch:
                patch.setenv(name, unusable)
                with pytest.raises(SystemExit, match=rf"^{name}: "):
                    runpy.run_path(str(settings.BASE_DIR / "gunicorn.conf.py"))
    monkeypatch.undo()
    gunicorn = runpy.run_path(str(settings.BASE_DIR / "gunicorn.conf.py"))
    assert (gunicorn["bind"], gunicorn["workers"]) == ("127.0.0.1:8000", 2)


def test_gunicorn_ends_within_the_time_of_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = str(settings.BASE_DIR / "gunicorn.conf.py")
    for value in ("", "10", "90"):
        monkeypatch.setenv("GRACE_SECONDS", value)
        seconds = in_environment(monkeypatch)["GRACE_SECONDS"]
        assert runpy.run_path(path)["graceful_timeout"] == seconds - 1
    monkeypatch.setenv("GRACE_SECONDS", "soon")  # then the settings say what is wrong
    assert runpy.run_path(path)["graceful_timeout"]
    assert "\n  GRACE_SECONDS: Must be" in start().stderr


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"SITE_URL": "https://staging.example.com"}, ""),
        ({"SITE_URL": "http://staging.example.com"}, "SITE_URL: Must begin with https"),
        ({"SITE_URL": "https://example.com"}, "SITE_URL: ALLOWED_HOSTS must have its"),
        ({"SITE_URL": "http://localhost:8000", "DEBUG": "on"}, ""),
    ],
)
def test_url_of_the_site_fits_its_hosts(values: dict[str, str], problem: str) -> None:
    hosts = "localhost" if "DEBUG" in values else ".staging.example.com"
    result = start(**{"ALLOWED_HOSTS": hosts} | values)
    assert problem in result.stderr
    assert bool(result.returncode) == bool(problem)


@pytest.mark.parametrize(
    ("is_debug", "is_persistent", "bucket", "is_refused"),
    [
        (False, False, {}, True),
        (False, False, {"BACKEND": "a"}, False),
        (False, True, {}, False),
        (False, None, {}, False),  # a server
        (True, False, {}, False),
    ],
)
def test_site_on_a_platform_does_not_start_without_a_place_for_photos(
    *,
    is_debug: bool,
    is_persistent: bool | None,
    bucket: dict[str, str],
    is_refused: bool,
) -> None:
    loaded = environment.Environment()
    loaded.variables = {"DEBUG": "on" if is_debug else "off"}
    loaded.values = {"STORAGE_URL": bucket}
    if is_persistent is not None:
        loaded.values["MEDIA_ROOT_IS_PERSISTENT"] = is_persistent
    loaded.check_together()
    sentences = " ".join(loaded.problems.get("STORAGE_URL", []))
    assert ("lose every photo at the next release" in sentences) == is_refused
    assert ("MEDIA_ROOT_IS_PERSISTENT=on" in sentences) == is_refused


@pytest.mark.parametrize(
    ("lines", "bind"),
    [
        ("", "127.0.0.1:8000"),
        ("PORT=8080", "0.0.0.0:8080"),
        ("PORT=8080\nBIND=[::1]:9000", "[::1]:9000"),
    ],
)
def test_gunicorn_listens_where_a_platform_asks(
    lines: str, bind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").write_text(lines, encoding="utf-8")
    monkeypatch.setenv("ENV_FILE", str(tmp_path / "env"))
    monkeypatch.delenv("BIND")
    monkeypatch.delenv("PORT")
    path = str(settings.BASE_DIR / "gunicorn.conf.py")
    assert runpy.run_path(path)["bind"] == bind


def test_server_without_manage_py_logs_the_warnings() -> None:
    variables = {
        name: value
        for name, value in os.environ.items()
        if name != "DJANGO_SETTINGS_MODULE"
    }
    result = subprocess.run(
        [sys.executable, "-c", "import config.wsgi"],
        cwd=settings.BASE_DIR,
        env=variables | {"CSP_REPORT_ONLY": "on"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in result.stderr.splitlines() if line.startswith("{")]
    entries = [json.loads(line) for line in lines]
    events = {(entry["logger"], entry["event"].split()[0]) for entry in entries}
    assert ("secure_django.conf.wsgi", "secure_django.W001") in events


@pytest.mark.control("V16.5.2")
@pytest.mark.django_db
def test_sqlite_takes_its_write_lock_at_the_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path.as_posix()}/site.sqlite3?timeout=0"
    first, second = (
        ConnectionHandler({"default": database_url(url)})["default"] for _ in range(2)
    )
    with closing(first), closing(second):
        first.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        with pytest.raises(OperationalError, match="locked"):
            second.set_autocommit(
                False, force_begin_transaction_with_broken_autocommit=True
            )


def test_locked_sqlite_is_named_in_one_sentence(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path.as_posix()}/site.sqlite3"
    with closing(
        sqlite3.connect(tmp_path / "site.sqlite3", isolation_level=None)
    ) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")
        result = start("migrate", DATABASE_URL=f"{url}?timeout=0")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("The SQLite database is locked: ")
    assert "Traceback" not in result.stderr
    assert "JSON" not in result.stderr


@pytest.mark.parametrize("command", ["migrate", "createsuperuser"])
def test_database_that_does_not_answer_is_named_in_one_sentence(
    command: str, tmp_path: Path
) -> None:
    result = start(command, DATABASE_URL=f"sqlite:///{tmp_path.as_posix()}/no/db")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    last_line = result.stderr.splitlines()[-1]
    assert last_line.startswith("Start the database, or check DATABASE_URL: ")


def test_query_that_fails_is_not_taken_for_a_database_that_is_away(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path.as_posix()}/empty.sqlite3"
    code = "from users.models import User; User.objects.count()"
    result = start("shell", "-v0", "--command", code, DATABASE_URL=url)
    assert result.returncode == 1
    assert "no such table" in result.stderr.splitlines()[-1]
    assert "Start the database" not in result.stderr


def test_connections_to_postgresql_are_kept_and_checked() -> None:
    database = database_url("postgres://user@localhost/site")
    assert (database["CONN_MAX_AGE"], database["CONN_HEALTH_CHECKS"]) == (60, True)
    assert database["OPTIONS"].keys() == {"connect_timeout", "tcp_user_timeout"}
    assert not database_url("sqlite:////site.sqlite3").get("CONN_MAX_AGE")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgres://me:a%2Fb:c@db.example:5433/my%20site",
            ("me", "a/b:c", "db.example", "5433", "my site"),
        ),
        (
            "postgresql://me@[2001:db8::1]:5433/site",
            ("me", "", "2001:db8::1", "5433", "site"),
        ),
        ("postgres://%2FVar%2Frun/site", ("", "", "/Var/run", "", "site")),
        ("postgres:///site", ("", "", "", "", "site")),  # the default socket
    ],
)
def test_server_of_the_database_is_read_from_its_url(
    url: str, expected: object
) -> None:
    database = database_url(
        f"{url}?sslmode=verify-full&connect_timeout=9&pool=true&options=-c%20search_path%3Dsite"
    )
    keys = ("USER", "PASSWORD", "HOST", "PORT", "NAME")
    assert tuple(database[key] for key in keys) == expected
    read = {
        "sslmode": "verify-full",
        "connect_timeout": 9,
        "pool": True,
        "options": "-c search_path=site",
    }
    assert database["OPTIONS"] == read | {"tcp_user_timeout": 10_000}


@pytest.mark.control("V13.2.3")
@pytest.mark.parametrize(
    "url",
    [
        "mysql://me@db.example/site",
        "oracle://me@db.example/site",
        # Characters of a password that are not encoded: they would end it, and name a
        # wrong server.
        *(f"postgres://me:12{character}3@db.example/site" for character in "/?#@"),
        "postgres://me@db.example:port/site",
        "postgres://db.example",
        "postgres://db.example/site?sslmode",
        "sqlite://srv/site.sqlite3",
    ],
)
def test_other_database_url_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        database_url(url)
    assert "example" not in str(refusal.value)


@pytest.mark.control("V16.5.2")
@pytest.mark.django_db
def test_silent_postgresql_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "longest_wait", 7)
    monkeypatch.setattr(driver, "silence", driver.Silence())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgres://user@127.0.0.1:{silent.getsockname()[1]}/site"
        database = ConnectionHandler({"default": database_url(url)})["default"]
        with pytest.raises(OperationalError, match="timeout expired"):
            database.ensure_connection()
        # What else the request tries does not wait as long again.
        with pytest.raises(OperationalError, match="did not answer a moment ago"):
            database.ensure_connection()


@pytest.mark.control("V13.3.1")
def test_secret_is_read_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text(os.environ["SECRET_KEY"] + "\n", encoding="utf-8")
    values = in_environment(monkeypatch, SECRET_KEY="", SECRET_KEY_FILE=str(file))
    assert values["SECRET_KEY"] == settings.SECRET_KEY
    missing = f"{file}-missing"
    result = start(SECRET_KEY="", SECRET_KEY_FILE=missing, MEDIA_ROOT_FILE=missing)
    assert "SECRET_KEY_FILE names a file that cannot be read" in result.stderr
    assert "MEDIA_ROOT_FILE names a file that cannot be read" in result.stderr


def test_env_file_is_read_unless_the_process_overrides_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").write_text("TIME_ZONE=Pacific/Apia\n", encoding="utf-8")
    path = str(tmp_path / "env")
    values = in_environment(monkeypatch, ENV_FILE=path, TIME_ZONE="UTC")
    assert values["TIME_ZONE"] == "UTC"
    monkeypatch.delenv("TIME_ZONE")
    assert (
        in_environment(monkeypatch, ENV_FILE=str(tmp_path / "env"))["TIME_ZONE"]
        == "Pacific/Apia"
    )
    # No file of a folder above.
    path = str(tmp_path / "folder" / "env")
    values = in_environment(monkeypatch, ENV_FILE=path)
    assert values["TIME_ZONE"] != "Pacific/Apia"


def test_unreadable_env_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("TIME_ZONE=UTC\n", encoding="utf-16")
    for unreadable in (tmp_path / "env", tmp_path):
        result = start(ENV_FILE=str(unreadable))
        assert result.returncode == 1
        assert (
            "\n  ENV_FILE: The file (default: .env) must be UTF-8 text" in result.stderr
        )


def test_languages_are_those_that_django_translates() -> None:
    folders = {
        path.name.replace("_", "-").lower()
        for path in Path(locale.__file__).parent.iterdir()
        if path.is_dir()
    }
    assert environment.LANGUAGE_CODES - {"en-us"} <= folders


def test_example_documents_every_variable() -> None:
    package = Path(environment.__file__).parents[1]
    modules = [settings.BASE_DIR / "config" / "settings.py"]
    modules += package.rglob("defaults.py")
    names = [
        name
        for path in modules
        for name in re.findall(
            r'env\.read\(\s*"(\w+)"', path.read_text(encoding="utf-8")
        )
    ]
    assert len(names) > 20
    assert not [name for name in names if f"\n{name}=" not in EXAMPLE]
