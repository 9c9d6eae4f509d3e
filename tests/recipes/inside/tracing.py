"""A collector over HTTP, and gunicorn and the worker that send to it.

Copied into a project with the recipes of tracing.
"""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ARG001, D102, D107, INP001, S105

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import resolve
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tracing import traces_url

from secure_django.jobs import JOBS
from secure_django.testing import HTTPSClient, in_environment, start

SECRET = "kepttoourselves"  # one word, as names of tables are
# Ids that a client sends.
TRACE = "ab" * 16
PARENT = "cd" * 8
IP = "203.0.113.77"
SLOW = 2  # seconds for a page; to wait once for a collector takes three
ALLOWED = {
    Span.SPAN_KIND_SERVER: {
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "request_id",
    },
    Span.SPAN_KIND_CLIENT: {"db.system.name"},
    Span.SPAN_KIND_INTERNAL: {"request_id"},
}
# An app with what can go wrong in a project.
SETTINGS = """
from config.settings import *
ROOT_URLCONF = "traced.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "traced"]
STORAGES["staticfiles"]["BACKEND"] = (
    "django.contrib.staticfiles.storage.StaticFilesStorage"
)
WHITENOISE_USE_FINDERS = True
"""
URLS = """
from config.urls import *
from config.urls import urlpatterns
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpResponse
from django.urls import path

@login_not_required
def fail(request, key):
    try:
        raise KeyError(key)
    except KeyError as error:
        raise ValueError(f"nobody has the key {key}") from error

@login_not_required
def query(request, key):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT ' FROM {key}'")
        cursor.execute("SELECT 1 FROM users_user WHERE email = %s", [key])
        cursor.execute(f"WITH found AS (SELECT '{key}') SELECT * FROM found")
        cursor.execute(f"SELECT * FROM \\"{key}\\"")

urlpatterns = [
    path("fail/<str:key>/", fail),
    path("query/<str:key>/", query),
    *urlpatterns,
]
"""
FAILING_JOB = f"""
from secure_django.jobs import job

@job(every=1)
def fail():
    raise ValueError("{SECRET}")
"""
CREATE_USER = (
    "from users.models import User; "
    f'User.objects.create_user("owner@example.com", "{SECRET}")'
)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


class Collector(ThreadingHTTPServer):
    """A collector of traces over HTTP, which answers as a test says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = "takes"
        self.bodies: list[bytes] = []
        self.headers: list[str] = []
        self.over = Event()

    def spans(self) -> list[Span]:
        requests = map(ExportTraceServiceRequest.FromString, list(self.bodies))
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def wait_for(self, condition: Callable[[list[Span]], object]) -> list[Span]:
        wait_until(lambda: condition(self.spans()))
        return self.spans()


class Handler(BaseHTTPRequestHandler):
    """What the collector answers."""

    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.answer == "silent":
            self.server.over.wait(60)
            return
        if self.server.answer == "takes":
            assert self.path == "/v1/traces"
            self.server.headers.append(str(self.headers))
            self.server.bodies.append(body)
        self.send_response(
            200 if self.server.answer in {"takes", "drips"} else int(self.server.answer)
        )
        self.send_header(
            "Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere"
        )
        if self.server.answer == "drips":
            while not self.server.over.wait(1):
                self.wfile.write(b"X: ")
                self.wfile.flush()
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


@pytest.fixture(scope="module")
def site_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a site behind a proxy, with a user, for all tests."""
    folder = tmp_path_factory.mktemp("traced")
    (folder / "traced").mkdir()
    for name, text in {
        "__init__": "",
        "settings": SETTINGS,
        "urls": URLS,
        "jobs": FAILING_JOB,
    }.items():
        (folder / "traced" / f"{name}.py").write_text(text, "utf-8")
    made = os.environ | {
        "DJANGO_SETTINGS_MODULE": "traced.settings",
        "PYTHONPATH": str(folder),
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "TRUSTED_PROXY_COUNT": "1",
        "WEB_CONCURRENCY": "1",
        # Sent soon, from a queue that is soon full.
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_BSP_MAX_QUEUE_SIZE": "40",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "20",
    }
    manage(made, "migrate", "--verbosity", "0")
    manage(made, "shell", "--verbosity", "0", "--command", CREATE_USER)
    return made


@pytest.fixture
def environment(
    site_environment: dict[str, str], collector: Collector
) -> dict[str, str]:
    """Return the environment of the same site, traced."""
    return site_environment | {
        "TRACES_URL": f"http://127.0.0.1:{collector.server_port}/v1/traces"
    }


def manage(
    environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


class Site:
    """A running gunicorn, and a client that looks like a proxy."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log
        self.cookies: dict[str, str] = {}

    def ask(
        self, path: str, method: str = "GET", body: str = "", **headers: str
    ) -> tuple[int, dict[str, str], str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {
            "Host": "localhost",
            "Referer": f"https://localhost/{SECRET}",
            "User-Agent": SECRET,
            "X-Forwarded-For": IP,
            "X-Forwarded-Proto": "https",
            "Cookie": "; ".join(
                f"{name}={value}" for name, value in self.cookies.items()
            ),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        connection.request(method, path, body or None, sent | headers)
        answer = connection.getresponse()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        text = answer.read().decode()
        connection.close()
        return answer.status, dict(answer.headers), text


@contextmanager
def gunicorn(
    environment: dict[str, str], folder: Path, *options: str
) -> Iterator[Site]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        (folder / "log").open("wb") as log,
    ):
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "config.wsgi",
            "--bind",
            f"fd://{listener.fileno()}",
            *options,
        ]
        process = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=environment,
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=log,
        )
        site = Site(process, listener.getsockname()[1], folder / "log")
        try:
            deadline = time.monotonic() + 120
            while not is_up(site):
                assert time.monotonic() < deadline, site.log.read_text("utf-8")
                assert process.poll() is None, site.log.read_text("utf-8")
                time.sleep(0.1)
            yield site
        finally:
            process.terminate()
            process.wait(60)


def is_up(site: Site) -> bool:
    try:
        return site.ask("/health/live/")[0] == 200
    except (OSError, HTTPException):
        return False


def attributes(span: Span) -> dict[str, Any]:
    return {
        item.key: item.value.string_value or item.value.int_value
        for item in span.attributes
    }


def check_harmless(spans: list[Span]) -> None:
    """Compare what spans hold with what they may hold."""
    for span in spans:
        found = attributes(span)
        assert found.keys() - {"error.type"} == ALLOWED[span.kind], span.name
        assert not span.events
        assert not span.links
        assert not span.trace_state
        assert not span.status.message
        assert (span.status.code == Status.STATUS_CODE_ERROR) == ("error.type" in found)


def secrets_in(content: bytes) -> list[str]:
    words = [SECRET, SECRET.upper(), IP, "owner@example.com", settings.SECRET_KEY]
    return [
        word
        for word in words
        if word.encode() in content or word.encode().hex().encode() in content
    ]


def test_traces_hold_nothing_that_a_visitor_sends(
    environment: dict[str, str],
    collector: Collector,
    tmp_path: Path,
    client: HTTPSClient,
    db: None,
) -> None:
    lies = {
        "traceparent": f"00-{TRACE}-{PARENT}-01",
        "tracestate": f"a={SECRET}",
        "baggage": f"user={SECRET}",
        "Authorization": f"Bearer {SECRET}",
    }
    asked = [
        f"/accounts/password/reset/key/abc-{SECRET}/",
        f"/fail/{SECRET}/",
        f"/query/{SECRET}/",
    ]
    with gunicorn(environment, tmp_path) as site:
        for path, expected in zip(asked, (200, 500, 500), strict=True):
            assert site.ask(f"{path}?token={SECRET}&email=owner@example.com", **lies)[
                0
            ] in {expected, 302}, path
        assert site.ask(f"/{SECRET}/?token={SECRET}", **lies)[0] == 404
        assert site.ask("/", "POST", SECRET, **lies, **{"X-CSRFToken": SECRET})[0] in {
            403,
            405,
        }
        assert site.ask("/", SECRET.upper(), **lies)[0] in {400, 405}
        assert site.ask("/", Host=f"{SECRET}.example", **lies)[0] == 400
        for path in ("/health/ready/", "/health/live/", "/static/site.css"):
            assert site.ask(path, **lies)[0] == 200
        status, headers, text = site.ask("/accounts/login/")
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', text)
        assert token, "the page has no token"
        form = {"csrfmiddlewaretoken": token[1], "login": "owner@example.com"}
        for password, expected in ((f"{SECRET}-not", 200), (SECRET, 302)):
            body = urlencode(form | {"password": password})
            status, _, _ = site.ask(
                f"/accounts/login/?next=/{SECRET}", "POST", body, **lies
            )
            assert status == expected
        site.ask("/admin/", **lies)
    spans = collector.wait_for(
        lambda spans: any(span.name.startswith("GET /admin/") for span in spans)
    )
    sent = b"".join(collector.bodies)
    assert sent
    assert not secrets_in(sent + "".join(collector.headers).encode())
    assert not [value for value in site.cookies.values() if value.encode() in sent]
    assert token[1].encode() not in sent
    for number in (TRACE, PARENT):
        assert bytes.fromhex(number) not in sent
        assert number.encode() not in sent
    check_harmless(spans)

    requests = [span for span in spans if span.kind == Span.SPAN_KIND_SERVER]
    assert not [span for span in requests if span.parent_span_id]
    assert len({span.trace_id for span in requests}) == len(requests) == 9
    names = {span.name: attributes(span) for span in requests}
    route = f"GET /{resolve(asked[0]).route}"
    assert names.keys() >= {
        route,
        "GET /fail/<str:key>/",
        "GET no route",
        "POST /accounts/login/",
        "POST /",
    }
    assert names["GET /fail/<str:key>/"]["error.type"] == "ValueError"
    assert names["GET /query/<str:key>/"]["error.type"] == "OperationalError"
    assert "error.type" not in names["GET no route"]
    logged = [
        json.loads(line)
        for line in site.log.read_text("utf-8").splitlines()
        if line.startswith("{")
    ]
    ids = {line["request_id"] for line in logged if line.get("event") == "request"}
    assert {fields["request_id"] for fields in names.values()} <= ids

    queries = [span for span in spans if span.kind == Span.SPAN_KIND_CLIENT]
    assert {span.trace_id for span in queries} <= {span.trace_id for span in requests}
    found = {span.name for span in queries}
    assert {
        "SELECT users_user",
        "INSERT secure_django_session",
        "SELECT",
        "query",
    } <= found
    assert {name.partition(" ")[0] for name in found} <= {
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "query",
    }
    # The policy of the pages is that of a site without traces.
    policies = [
        headers["Content-Security-Policy"],
        client.get("/accounts/login/").headers["Content-Security-Policy"],
    ]
    assert len({re.sub(r"nonce-[^']+", "", policy) for policy in policies}) == 1


@pytest.mark.parametrize(
    "options", [("--workers", "2"), ("--workers", "2", "--preload")], ids=" ".join
)
def test_each_process_of_gunicorn_sends(
    options: tuple[str, ...],
    environment: dict[str, str],
    collector: Collector,
    tmp_path: Path,
) -> None:
    with gunicorn(environment, tmp_path, *options) as site:
        threads = [
            Thread(target=site.ask, args=("/accounts/login/",)) for _ in range(30)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        log = site.log.read_text("utf-8")
        # Before the end, at which a process sends what is left.
        spans = collector.wait_for(
            lambda spans: sum("login" in span.name for span in spans) == 30
        )
    check_harmless(spans)
    assert "ERROR" not in log


@pytest.mark.parametrize("answer", ["down", "silent", "drips", "500", "503", "307"])
def test_a_bad_collector_slows_and_breaks_nothing(
    answer: str, environment: dict[str, str], collector: Collector, tmp_path: Path
) -> None:
    collector.answer = answer
    if answer == "down":
        with socket.create_server(("127.0.0.1", 0)) as free:
            environment["TRACES_URL"] = (
                f"http://127.0.0.1:{free.getsockname()[1]}/v1/traces"
            )
    with gunicorn(environment, tmp_path, "--workers", "1") as site:
        slow = 0
        for _ in range(60):  # pages, each with several spans
            started = time.monotonic()
            assert site.ask(f"/accounts/login/?token={SECRET}")[0] == 200
            slow += time.monotonic() - started > SLOW
            assert slow < 6, "on a busy machine, some pages are slow by themselves"
        if answer not in {"drips", "307"}:
            wait_until(
                lambda: (
                    b"opentelemetry" in site.log.read_bytes()
                    or not site.ask("/accounts/login/")
                )
            )
        if answer not in {"down", "drips"}:
            collector.over.set()
            collector.answer = "takes"
            wait_until(lambda: collector.bodies or not site.ask("/accounts/login/"))
            check_harmless(collector.spans())
        stopping = time.monotonic()
        site.process.terminate()
        site.process.wait(60)
        assert time.monotonic() - stopping < 35
    log = site.log.read_bytes()
    assert not secrets_in(log)
    lines = [json.loads(line) for line in log.splitlines() if line.startswith(b"{")]
    lost = [line for line in lines if line["logger"].startswith("opentelemetry")]
    assert {line["level"] for line in lost} <= {"ERROR"}, (
        "none for each attempt and each span"
    )
    assert not [line for line in lost if "at" in line], "no traceback"


def test_worker_traces_its_jobs(
    environment: dict[str, str], collector: Collector
) -> None:
    done = manage(environment, "worker", "--once")
    assert "traced.jobs.fail" in done.stderr
    spans = collector.spans()
    check_harmless(spans)
    assert not secrets_in(b"".join(collector.bodies))
    jobs = {
        span.name: attributes(span)
        for span in spans
        if span.kind == Span.SPAN_KIND_INTERNAL
    }
    assert jobs.keys() <= {*map(str, JOBS), "traced.jobs.fail"}
    assert {
        "secure_django.jobs.leave_sign",
        "secure_django.jobs.send_mails",
    } <= jobs.keys()
    assert jobs["traced.jobs.fail"]["error.type"] == "ValueError"
    assert "DELETE django_cache" in {span.name for span in spans}
    collector.answer = "500"
    assert "Failed: traced.jobs.fail." in manage(environment, "worker", "--once").stderr


def test_without_the_variable_nothing_is_imported(
    environment: dict[str, str], collector: Collector
) -> None:
    code = (
        "import sys, config.wsgi; "
        "print([it for it in sys.modules if it.startswith('opentelemetry')])"
    )
    found = [
        manage(
            environment | {"TRACES_URL": url},
            "shell",
            "--verbosity",
            "0",
            "--command",
            code,
        ).stdout
        for url in ("", environment["TRACES_URL"])
    ]
    assert found[0].strip() == "[]"
    assert "opentelemetry.sdk.trace" in found[1]
    assert not collector.bodies
    assert "tracing.middleware.TracingMiddleware" not in settings.MIDDLEWARE


@pytest.mark.parametrize(
    "url",
    [
        "bad-value",
        "http://collector.example.com:4318/bad-value",
        "http://127.0.0.1.bad-value.example:4318/v1/traces",
        "http://user@collector.example.com:4318/v1/bad-value",
        "https://user:bad-value@collector.example.com/v1/traces",
        "https://collector.example.com/v1/traces?key=bad-value",
        "https://collector.example.com/v1/traces\nbad-value",
        "file:///bad-value",
    ],
)
def test_bad_value_stops_the_start(url: str) -> None:
    result = start(TRACES_URL=url)
    assert result.returncode == 1
    assert "\n  TRACES_URL: Must be https://" in result.stderr
    assert "bad-value" not in result.stderr


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in (
        "https://collector.example.com/v1/traces",
        "http://collector:4318/v1/traces",
        "",
    ):
        assert traces_url(url) == url
        assert in_environment(monkeypatch, TRACES_URL=url)["TRACES_URL"] == url
    monkeypatch.setattr("tracing.find_spec", lambda _: None)
    with pytest.raises(ImproperlyConfigured, match="uv sync --all-extras"):
        traces_url("https://collector.example.com/v1/traces")
