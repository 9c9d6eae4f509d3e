"""The designed page 503, while a service that the site needs is down."""

import errno
import logging
import sqlite3
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import psycopg
import pytest
from django.contrib.auth.decorators import login_not_required
from django.contrib.sessions.backends.db import SessionStore
from django.db import (
    DatabaseError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from pytest_django import Settings

from secure_django.postgresql import waits
from secure_django.testing import HTTPSClient, Login
from secure_django.web import unavailable
from users.models import User

FAILING = "/failing/"
HEADERS = {
    "Content-Security-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Permissions-Policy",
    "Referrer-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-Request-ID",
}
type Fail = Callable[[BaseException], None]


@pytest.fixture
def fail(client: HTTPSClient, settings: Settings) -> Fail:
    """Return a function that makes a page raise an error."""
    project = import_module(settings.ROOT_URLCONF)
    urls = ModuleType("urls_with_a_failure")
    vars(urls).update(vars(project))
    errors: list[BaseException] = []

    @login_not_required
    def view(request: HttpRequest) -> HttpResponse:
        raise errors[-1]

    vars(urls)["urlpatterns"] = [*project.urlpatterns, path("failing/", view)]
    settings.ROOT_URLCONF = urls
    client.raise_request_exception = False
    return errors.append


@pytest.fixture(autouse=True)
def no_earlier_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unavailable, "quiet_until", {})


def caused(error: type[Exception], cause: Exception) -> Exception:
    """Return an error of Django for an error of a driver, as Django raises it."""
    raised = error()
    raised.__cause__ = cause
    return raised


def of_sqlite(code: int) -> Exception:
    cause = sqlite3.OperationalError()
    cause.sqlite_errorcode = code
    return caused(OperationalError, cause)


def check_page(response: Any) -> None:
    assert response.status_code == 503
    assert "<h1>Temporarily unavailable</h1>" in response.text
    assert set(response.headers) >= HEADERS
    assert response.headers["X-Request-ID"] in response.text


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [it.getMessage() for it in caplog.records if it.levelno >= logging.WARNING]


PG = psycopg.errors


@pytest.mark.control("V16.5.3")
@pytest.mark.parametrize(
    ("error", "service"),
    [
        (OperationalError(), "database"),
        (InterfaceError("connection already closed"), "database"),
        (caused(OperationalError, PG.ConnectionTimeout()), "database"),
        (caused(OperationalError, PG.AdminShutdown()), "database"),
        (caused(OperationalError, PG.TooManyConnections()), "database"),
        (caused(OperationalError, PG.DiskFull()), "database"),
        (caused(OperationalError, PG.LockNotAvailable()), "database"),
        (caused(OperationalError, PG.QueryCanceled()), "database"),
        (caused(OperationalError, PG.DeadlockDetected()), "database"),
        (caused(InternalError, PG.ReadOnlySqlTransaction()), "database"),
        (of_sqlite(sqlite3.SQLITE_BUSY), "database"),
        (of_sqlite(sqlite3.SQLITE_READONLY_DIRECTORY), "database"),
        (of_sqlite(sqlite3.SQLITE_IOERR_WRITE), "database"),
        (of_sqlite(sqlite3.SQLITE_FULL), "database"),
        (of_sqlite(sqlite3.SQLITE_CANTOPEN), "database"),
        (caused(ValueError, OperationalError()), "database"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (OSError(errno.EDQUOT, "Quota exceeded"), "disk"),
        (OSError(errno.EROFS, "Read-only file system"), "disk"),
        (OSError(errno.EIO, "Input/output error"), "disk"),
    ],
    ids=repr,
)
def test_service_that_is_down_gets_its_page(
    error: Exception,
    service: str,
    fail: Fail,
    client: HTTPSClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fail(error)
    check_page(client.get(FAILING))
    check_page(client.get(FAILING))
    # The service is named once, and not for each request.
    assert lines(caplog) == [f"{service} unavailable: visitors get the page 503"]


@pytest.mark.control("V16.5.3")
@pytest.mark.django_db
@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        DatabaseError(),
        caused(ProgrammingError, PG.UndefinedTable()),
        caused(OperationalError, PG.StatementTooComplex()),
        of_sqlite(sqlite3.SQLITE_ERROR),
        FileNotFoundError(errno.ENOENT, "No such file"),
    ],
    ids=repr,
)
def test_error_of_the_site_stays_an_error(
    error: Exception,
    fail: Fail,
    client: HTTPSClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fail(error)
    assert client.get(FAILING).status_code == 500
    assert lines(caplog) == [f"Internal Server Error: {FAILING}"]


def test_missing_page_asks_no_service(
    fail: Fail, client: HTTPSClient, settings: Settings
) -> None:
    settings.CACHES = {"default": {"BACKEND": "secure_django.testing.DeadCache"}}
    fail(Http404())
    assert client.get(FAILING).status_code == 404
    fail(ValueError())
    assert client.get(FAILING).status_code == 503


@pytest.mark.control("V16.5.3")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("GET", "/"),
        ("GET", "/accounts/password/change/"),
        ("POST", "/accounts/password/change/"),
        ("GET", "/admin/"),
    ],
)
def test_session_that_cannot_be_loaded_is_asked_for_once(
    method: str,
    address: str,
    login: Login,
    user: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = login(user)
    client.raise_request_exception = False
    load = Mock(side_effect=OperationalError("secret detail"))
    with monkeypatch.context() as patch:
        patch.setattr(SessionStore, "load", load)
        kind = "multipart/form-data; boundary=x"
        response: Any = client.generic(method, address, b"x" * 100_000, kind)
        check_page(response)
        # Unread, it would reset the connection before the browser has the page.
        assert not response.wsgi_request.read()
        assert load.call_count == 1
        assert not response.cookies
    assert lines(caplog) == ["database unavailable: visitors get the page 503"]
    # Nobody is logged out.
    assert client.get("/accounts/password/change/").status_code == 200


@pytest.mark.django_db
def test_body_of_a_failed_request_is_read(fail: Fail, client: HTTPSClient) -> None:
    fail(ValueError())
    response: Any = client.generic("POST", FAILING, b"x" * 100_000, "text/plain")
    assert response.status_code in {403, 500}
    assert not response.wsgi_request.read()


@pytest.mark.django_db
def test_developer_sees_the_error_itself(
    fail: Fail, client: HTTPSClient, settings: Settings
) -> None:
    settings.DEBUG = True
    fail(OperationalError("no such table"))
    response = client.get(FAILING)
    assert response.status_code == 500
    assert "no such table" in response.text


def test_change_that_the_database_gave_up_is_not_confirmed(
    client: HTTPSClient, settings: Settings
) -> None:
    """Django rolls a transaction back without an error if a view has caught its own."""

    @login_not_required
    def swallow(request: HttpRequest) -> HttpResponse:
        waits.were_given_up = "given_up" in request.GET
        return HttpResponse("Saved.")

    project = import_module(settings.ROOT_URLCONF)
    urls = ModuleType("urls_with_a_view_that_catches_errors")
    vars(urls).update(vars(project))
    vars(urls)["urlpatterns"] = [*project.urlpatterns, path("swallow/", swallow)]
    settings.ROOT_URLCONF = urls
    check_page(client.get("/swallow/?given_up=1"))
    assert client.get("/swallow/").text == "Saved."
