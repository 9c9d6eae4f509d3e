"""Copied into a project with the recipe of tracing: a collector over HTTP, and what must not reach it."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ARG001, D102, D107, EM101, I001, INP001, RUF012, S105, TRY003

import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from allauth.account.utils import user_pk_to_url_str
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pytest_django import Settings

from config import urls
from config.environment import otlp_url
from core.testing import PASSWORD, HTTPSClient, in_environment, log_in
from users.models import User

pytestmark = pytest.mark.django_db
SECRET = "Marker-4711"
CLIENTS_TRACE = "0af7651916cd43dd8448eb211c80319c"
ALLOWED = {"http.request.method", "http.response.status_code", "request_id", "db.query.text"}


class Collector(ThreadingHTTPServer):
    """A collector that keeps what it gets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[bytes] = []
        self.asked: list[tuple[str, str | None]] = []

    def spans(self, count: int) -> list[Any]:
        """Return all spans, once there are so many requests."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            batches = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
            found = [
                it
                for batch in batches
                for one in batch.resource_spans
                for scope in one.scope_spans
                for it in scope.spans
            ]
            if sum(not span.parent_span_id for span in found) >= count:
                return found
            time.sleep(0.1)
        raise AssertionError("the collector got nothing")


class Handler(BaseHTTPRequestHandler):
    """Answer as a collector does."""

    server: Collector

    def do_POST(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@login_not_required
def crash(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 'Marker-4711', 4711, %s", [SECRET])
    raise RuntimeError(SECRET)


class URLs:
    """The project's URLs, and a view that fails."""

    handler400 = staticmethod(urls.handler400)
    handler403 = staticmethod(urls.handler403)
    handler404 = staticmethod(urls.handler404)
    handler500 = staticmethod(urls.handler500)
    urlpatterns = [*urls.urlpatterns, path("crash/", crash, name="crash")]


type Trace = Callable[[str], HTTPSClient]


@pytest.fixture
def trace(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Trace:
    """Return a function that makes a client of a site with a collector."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")

    def start(url: str) -> HTTPSClient:
        settings.OTLP_URL, settings.ROOT_URLCONF = url, URLs
        settings.MIDDLEWARE = [settings.MIDDLEWARE[0], "core.tracing.TracingMiddleware", *settings.MIDDLEWARE[1:]]
        return HTTPSClient(raise_request_exception=False)

    return start


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_spans_name_routes_and_queries_and_nothing_else(trace: Trace, collector: Collector, user: User) -> None:
    client = trace(f"http://word@127.0.0.1:{collector.server_port}/v1/traces")
    key = default_token_generator.make_token(user)
    reset = reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})
    headers = {"User-Agent": SECRET, "Referer": f"https://testserver/{SECRET}", "X-Forwarded-For": "192.0.2.77"}
    headers["traceparent"] = f"00-{CLIENTS_TRACE}-b7ad6b7169203331-01"
    client.get(f"{reset}?{SECRET}=1", headers=headers)
    log_in(client, user.email)
    client.get(f"/{SECRET}/")
    client.generic("SECRETMETHOD", "/")
    assert client.get("/crash/", {"a": SECRET}).status_code == 500
    spans = collector.spans(5)

    requests = {span.name: span for span in spans if not span.parent_span_id}
    names = {"GET account_reset_password_from_key", "POST account_login", "GET ", "_OTHER ", "GET crash"}
    assert set(requests) == names
    failed = requests["GET crash"]
    assert {it.key: it.value.int_value or it.value.string_value for it in failed.attributes}[
        "http.response.status_code"
    ] == 500
    queries = [span for span in spans if span.parent_span_id == failed.span_id]
    assert "SELECT ?, ?, %s" in [it.value.string_value for span in queries for it in span.attributes]
    assert {it.key for span in spans for it in span.attributes} == ALLOWED
    assert not any(span.events or span.links or span.status.message for span in spans)
    sent = b"".join(collector.bodies)
    session = client.session.session_key or "none"
    for secret in (SECRET, key, user.email, PASSWORD, session, "192.0.2.77", "127.0.0.1", "SECRETMETHOD"):
        assert secret.encode() not in sent, secret
    assert bytes.fromhex(CLIENTS_TRACE) not in {span.trace_id for span in spans}
    assert set(collector.asked) == {("/v1/traces", "Bearer word")}


def test_site_works_while_the_collector_is_down(trace: Trace) -> None:
    client = trace("http://127.0.0.1:9/v1/traces")
    started = time.monotonic()
    assert [client.get("/").status_code for _ in range(20)] == [200] * 20
    assert time.monotonic() - started < 5


def test_without_the_variable_nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "core.tracing.TracingMiddleware" not in in_environment(monkeypatch)["MIDDLEWARE"]
    middleware = in_environment(monkeypatch, OTLP_URL="https://word@collector.example/v1/traces")["MIDDLEWARE"]
    assert middleware[1] == "core.tracing.TracingMiddleware"


@pytest.mark.parametrize("url", ["collector", "http://collector.example/v1/traces", "https://a b@host/", "ftp://host/"])
def test_malformed_url_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="https://TOKEN@HOST"):
        otlp_url(url)
