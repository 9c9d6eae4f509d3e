"""The project does not start in a bad environment, and reports all problems."""

import re
import runpy
import sys

import pytest
from django.conf import settings

from secure_django.testing import start

POSITIVE = (
    *("UPLOAD_MAX_BYTES", "UPLOADS_PER_HOUR", "UPLOAD_DECODE_SECONDS"),
    *("REJECTED_RETENTION_DAYS", "MODERATION_STUCK_HOURS"),
)


def read_example() -> str:
    return str((settings.BASE_DIR / ".env.example").read_text(encoding="utf-8"))


@pytest.mark.control("V13.2.3")
def test_complete_environment_starts() -> None:
    result = start()
    assert result.returncode == 0, result.stderr


@pytest.mark.control("V13.2.3")
def test_empty_environment_reports_every_problem_at_once() -> None:
    required, _, _ = read_example().partition("# Optional")
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
            **dict.fromkeys(POSITIVE, "0"),
            "SECURE_HSTS_SECONDS": "-1",
            "CSP_REPORT_ONLY": "bad-value",
            "STORAGE_URL": "s3://key:bad-value@s3.example.com/photos",
            "HEARTBEAT_URL": "http://heartbeat.example.com/bad-value",
            "LANGUAGE_CODE": "bad-value",
            "TIME_ZONE": "bad-value",
            "DEFAULT_FROM_EMAIL": "bad-value",
        },
        # Values that other projects would start with.
        {
            "SECRET_KEY": "a" * 60,
            "FIELD_ENCRYPTION_KEYS": ",",
            "ALLOWED_HOSTS": "https://bad-value",
            "CSRF_TRUSTED_ORIGINS": "bad-value",
            "DATABASE_URL": "sqlite:///bad-value.sqlite3",
            "EMAIL_URL": "smtp+tls://bad-value:587",
            "TRUSTED_PROXY_COUNT": "-1",
            "REJECTED_RETENTION_DAYS": "999999",
            "MODERATION_STUCK_HOURS": "99999999",
            "LANGUAGE_CODE": "zh-cn",  # Django knows it, without a translation
            "DEFAULT_FROM_EMAIL": "site@example.com\nBcc: bad-value@example.com",
        },
        {
            "SECRET_KEY": "bad-value" * 8,
            "SECRET_KEY_FALLBACKS": "correct horse bad-value battery" * 2,
            "ALLOWED_HOSTS": ",",
            "CSRF_TRUSTED_ORIGINS": "https://*.bad-value.example",
            "DATABASE_URL": "sqlite:///",
            "EMAIL_URL": "console://",
            "HEARTBEAT_URL": "https://user:bad-value@heartbeat.example.com/",
            "MEDIA_ROOT": "users/static/bad-value",
        },
    ],
)
def test_bad_values_stop_the_start_and_are_not_shown(bad: dict[str, str]) -> None:
    result = start(**bad)
    assert result.returncode == 1
    for name in bad:
        assert f"\n  {name}: " in result.stderr
    assert "bad-value" not in result.stderr


@pytest.mark.control("V13.2.3")
def test_placeholder_from_the_example_is_refused() -> None:
    placeholder = re.search(r"^SECRET_KEY=(.+)$", read_example(), re.MULTILINE)
    assert placeholder
    assert (
        "SECRET_KEY: Is still the placeholder"
        in start(SECRET_KEY=placeholder[1]).stderr
    )


@pytest.mark.control("V13.4.2")
def test_debug_with_a_public_host_stops_the_start() -> None:
    result = start(ALLOWED_HOSTS="example.com", DEBUG="on")
    assert result.returncode == 1
    assert "DEBUG: Must be off" in result.stderr


@pytest.mark.control("V4.1.3")
@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run on Windows")
def test_server_believes_no_header_of_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    # gunicorn reads the variable when it is imported.
    monkeypatch.setenv("WEB_CONCURRENCY", "1")
    from gunicorn.config import Config
    from gunicorn.http.parser import RequestParser

    config = Config()
    for name, value in runpy.run_path(
        str(settings.BASE_DIR / "gunicorn.conf.py")
    ).items():
        if name in config.settings:
            config.set(name, value)
    sent = (
        b"GET / HTTP/1.1\r\nHost: a\r\nSCRIPT_NAME: /admin\r\nPATH_INFO: /b\r\n"
        b"X-Forwarded-SSL: on\r\n\r\n"
    )
    for peer in ("", ("192.0.2.1", 1)):  # a Unix socket has no address
        request = next(RequestParser(config, [sent], peer))
        assert request.scheme == "http"
        assert dict(request.headers).keys() == {"HOST", "X-FORWARDED-SSL"}
