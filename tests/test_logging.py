"""What is logged, and what is never logged."""

import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from secrets import token_urlsafe
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as project
from django.test import RequestFactory
from django.urls import reverse
from pytest_django import Settings

from secure_django.logging import CAUSES, FRAMES, MAX_LENGTH, JSONFormatter, log_event
from secure_django.testing import (
    LOGIN,
    PASSWORD,
    PRIVATE,
    HTTPSClient,
    Login,
    MakePhoto,
    log_in,
)
from users.models import User


def line(**record: Any) -> str:
    return JSONFormatter().format(logging.makeLogRecord(record))


@pytest.mark.control("V16.4.1")
def test_production_logs_are_json() -> None:
    assert any(
        isinstance(handler.formatter, JSONFormatter)
        for handler in logging.getLogger().handlers
    )
    # One of Django's would mail tracebacks.
    assert not logging.getLogger("django").handlers
    assert all(
        logging.getLogger(name).isEnabledFor(logging.INFO)
        for name in ("access", "security", "uploads")
    )
    for name in ("csrf", "DisallowedHost"):
        assert not logging.getLogger(f"django.security.{name}").isEnabledFor(
            logging.ERROR
        )


def test_line_holds_time_level_logger_and_fields() -> None:
    fields = {"number": 7, "other": datetime(2026, 1, 1, tzinfo=UTC)}
    entry = json.loads(
        line(created=0.25, levelname="INFO", name="access", msg="done", fields=fields)
    )
    expected = {
        "time": "1970-01-01T00:00:00.250+00:00",
        "level": "INFO",
        "logger": "access",
        "event": "done",
    }
    assert entry == entry | expected | {
        "number": 7,
        "other": "2026-01-01 00:00:00+00:00",
    }
    assert "request_id" not in json.loads(Context().run(line, msg=""))


@pytest.mark.control("V16.4.1")
def test_input_cannot_forge_a_log_line() -> None:
    text = line(
        msg="Not Found: %s",
        args=('/a\r\n{"event": "authn_login_success"}\u2028',),
        name="django.request",
    )
    assert len(text.splitlines()) == 1
    assert json.loads(text)["event"].startswith("Not Found: /a\r\n")
    assert json.loads(line(msg='Not Found: /reset/x", "event": "\r\n'))[
        "event"
    ].startswith("Not Found: /reset/…")


@pytest.mark.control("V16.4.1")
def test_long_value_is_cut_in_the_log() -> None:
    entry = json.loads(
        line(
            msg="Invalid request: %s",
            args=("a" * 100_000,),
            fields={"path": "/" * 100_000},
        )
    )
    assert len(entry["event"]) == len(entry["path"]) == MAX_LENGTH + 1
    assert json.loads(line(msg="a" * MAX_LENGTH))["event"] == "a" * MAX_LENGTH


# A program that logs an error as gunicorn does, before it has loaded any settings.
CRASH = """
import logging.config, runpy
from gunicorn.glogging import CONFIG_DEFAULTS
config = CONFIG_DEFAULTS | runpy.run_path("gunicorn.conf.py")["logconfig_dict"]
logging.config.dictConfig(config)
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("gunicorn.error").exception("a\\nb" * 9000)
"""


@pytest.mark.control("V16.4.1")
@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run on Windows")
def test_gunicorn_logs_json_without_settings() -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "DJANGO_SETTINGS_MODULE"
    }
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            CRASH,
        ],
        cwd=project.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    (text,) = (result.stdout + result.stderr).splitlines()
    assert json.loads(text)["error"] == "ZeroDivisionError"
    assert len(text) < 2 * MAX_LENGTH


def logged(raise_error: Callable[[], object]) -> tuple[str, dict[str, Any]]:
    """Return the log line of an error, as text and parsed."""
    try:
        raise_error()
    except Exception as error:  # noqa: BLE001 - any error is logged
        text = line(
            msg="Internal Server Error",
            exc_info=(type(error), error, error.__traceback__),
        )
    return text, json.loads(text)


def fail(depth: int = 0) -> None:
    password = PASSWORD
    if depth:
        fail(depth - 1)
    raise ValueError(password)


def fail_again() -> None:
    try:
        fail()
    except ValueError as error:
        raise KeyError(PASSWORD) from error


@pytest.mark.control("V16.2.5")
def test_error_is_logged_by_every_frame_without_its_text() -> None:
    text, entry = logged(fail_again)
    (cause,) = entry["causes"]
    assert (entry["error"], cause["error"]) == ("KeyError", "ValueError")
    assert [place.split()[1] for place in entry["at"]] == ["logged", "fail_again"]
    assert [place.split()[1] for place in cause["at"]] == ["fail_again", "fail"]
    assert f"{__file__}:{fail.__code__.co_firstlineno + 4} fail" == cause["at"][-1]
    assert PASSWORD not in text
    assert "causes" not in logged(fail)[1]
    hidden = KeyError()
    hidden.__context__ = ValueError()
    hidden.__suppress_context__ = True
    assert "causes" not in json.loads(line(msg="", exc_info=(KeyError, hidden, None)))
    hidden.__suppress_context__ = False
    assert json.loads(line(msg="", exc_info=(KeyError, hidden, None)))["causes"] == [
        {"error": "ValueError", "at": []}
    ]


@pytest.mark.control("V16.2.5")
def test_long_traceback_keeps_its_first_and_last_frames() -> None:
    for depth in (2 * FRAMES - 1, 500):
        _, entry = logged(partial(fail, depth))
        assert len(entry["at"]) == 2 * FRAMES + 1
        assert entry["at"][FRAMES] == "…"
        assert entry["at"][0].endswith(" logged")
        assert entry["at"][-1].endswith(f":{fail.__code__.co_firstlineno + 4} fail")
    assert "…" not in logged(partial(fail, 2 * FRAMES - 2))[1]["at"]
    circle = [ValueError(PASSWORD) for _ in range(500)]
    for error, cause in pairwise([*circle, circle[0]]):
        error.__cause__ = cause
    assert (
        len(json.loads(line(msg="", exc_info=(ValueError, circle[0], None)))["causes"])
        == 2 * CAUSES + 1
    )


@pytest.mark.control("V16.2.5")
def test_reset_link_is_masked_in_the_log(
    rf: RequestFactory, caplog: pytest.LogCaptureFixture
) -> None:
    link = "/accounts/reset/MQ/dik1n7-8fc0259ddbf7a360/"
    assert (
        json.loads(line(msg="Not Found: %s", args=(link,)))["event"]
        == "Not Found: /accounts/reset/…"
    )
    log_event("authz_fail", rf.get(link), level=logging.WARNING)
    assert (
        json.loads(JSONFormatter().format(caplog.records[-1]))["path"]
        == "/accounts/reset/…"
    )
    shared = f"/notes/shared/{token_urlsafe(32)}/"
    event = json.loads(line(msg="Not Found: %s", args=(shared,)))["event"]
    assert event == "Not Found: /notes/shared/…/"
    photo = f"/photos/{uuid4()}/display/"
    assert photo in line(msg="Not Found: %s", args=(photo,))


@pytest.mark.control("V16.3.1")
@pytest.mark.control("V16.2.1")
def test_log_in_and_log_out_are_logged_by_user_id(
    login: Login, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client = login(user)
    client.post("/accounts/logout/")
    log_in(client, user.email, "wrong " + PASSWORD)
    client.post("/accounts/logout/")  # without a session
    events = {
        record.getMessage(): record
        for record in caplog.records
        if record.name == "security"
    }
    assert events.keys() >= {"authn_login_success", "authn_logout", "authn_login_fail"}
    entry = json.loads(JSONFormatter().format(events["authn_logout"]))
    assert entry["user"] == user.pk
    assert entry["path"] == "/accounts/logout/"
    assert vars(events["authn_login_success"])["fields"]["user"] == user.pk
    assert entry["time"].endswith("+00:00")
    assert user.email not in caplog.text
    assert PASSWORD not in caplog.text


@pytest.mark.control("V16.3.2")
def test_csrf_failures_and_guessed_ids_are_logged(
    make_photo: MakePhoto, other_user: User, caplog: pytest.LogCaptureFixture
) -> None:
    client = HTTPSClient(enforce_csrf_checks=True)
    client.force_login(other_user)
    client.post(PRIVATE)
    client.get(reverse("uploads:file", args=[make_photo().pk, "display"]))
    assert client.get("/admin/login/").status_code == 403
    _, *records = [record for record in caplog.records if record.name == "security"]
    assert [record.getMessage() for record in records] == [
        "malicious_csrf",
        "authz_fail",
        "authz_fail",
    ]
    assert {
        (record.levelname, vars(record)["fields"]["user"]) for record in records
    } == {("WARNING", other_user.pk)}


def requests_in(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [
        getattr(record, "fields")  # noqa: B009
        for record in caplog.records
        if record.name == "access"
    ]


@pytest.mark.control("V16.2.1")
def test_request_is_logged_by_route_and_id(
    login: Login, user: User, make_photo: MakePhoto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client = login(user)
    response = client.get(f"{PRIVATE}?page=private")
    client.get(
        reverse("uploads:file", args=[make_photo(status="approved").pk, "thumbnail"])
    )
    page, image = requests_in(caplog)
    assert 0 <= page.pop("milliseconds") < 60_000
    assert {
        record.getMessage() for record in caplog.records if record.name == "access"
    } == {"request"}
    assert page == {
        "method": "GET",
        "status": 200,
        "route": "account_change_password",
        "user": user.pk,
    }
    assert (image["route"], image["user"]) == ("uploads:file", None)
    assert "private" not in caplog.text
    routes = {
        "/health/live/": "health_live",
        "/health/ready/": "health_ready",
        "/csp-report/": "csp_report",
    }
    for path, route in (routes | {"/.well-known/security.txt": "security_txt"}).items():
        client.post(path)
        assert requests_in(caplog)[-1]["route"] == route
    number = response.headers["X-Request-ID"]
    assert len(number) == 32
    assert client.get(LOGIN).headers["X-Request-ID"] != number
    missing = client.get("/missing/")
    assert f"this number: {missing.headers['X-Request-ID']}" in missing.text
    assert (
        json.loads(line(msg="later"))["request_id"] == missing.headers["X-Request-ID"]
    )


@pytest.mark.control("V16.4.1")
@pytest.mark.django_db
def test_request_id_is_taken_only_from_a_trusted_proxy(
    client: HTTPSClient, settings: Settings
) -> None:
    sent = "0123456789abcdef0123456789abcdef"
    assert (
        client.get(LOGIN, headers={"x-request-id": sent}).headers["X-Request-ID"]
        != sent
    )
    settings.TRUSTED_PROXY_COUNT = 1
    assert (
        client.get(LOGIN, headers={"x-request-id": sent}).headers["X-Request-ID"]
        == sent
    )
    for forged in ("short", sent + "\n", sent + "<b>", "ä" * 32, "a" * 65):
        assert (
            client.get(LOGIN, headers={"x-request-id": forged}).headers["X-Request-ID"]
            != forged
        )


def test_error_that_nobody_awaits_is_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail() -> None:
        message = "the secret of Ann"
        raise ValueError(message)

    async def forget() -> None:
        task = asyncio.create_task(fail())
        await asyncio.wait([task])

    asyncio.run(forget())
    gc.collect()
    [record] = [each for each in caplog.records if each.name == "asyncio"]
    line = JSONFormatter().format(record)
    assert "Task exception was never retrieved" in line
    assert "ValueError" in line
    assert "Ann" not in line
