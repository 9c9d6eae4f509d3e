"""Gallery pages per second of one worker, compared with a page of a bare `startproject`, and the time of each part."""

import json
import shutil
import socket
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import generated, print_table
from tests.support.baking import ALL_OFF, production, run
from tests.support.images import encode, landscape
from tests.support.live import PREPARE, gunicorn

ROUNDS = 5
SECONDS = 3
CLIENTS = 4
# A recycled worker would close its connections.
STEADY = ("--max-requests", "0")
# Both servers run as behind a proxy that terminates TLS.
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Proto: https\r\n\r\n"

BARE_URLS = """
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse("<!doctype html><title>Hello</title><h1>Hello</h1>"))]
"""
BARE_SETTINGS = """
DEBUG = False
ALLOWED_HOSTS = ["localhost"]
"""

FILL = """
from pathlib import Path
from uploads import services
from uploads.images import validate_and_reencode
owner = User.objects.create_user("owner@example.com", None)
content = open({photo!r}, "rb")
image = validate_and_reencode(content, "a.jpg", Path({photo!r}).stat().st_size)
for number in range(40):
    services.create_photo(owner, f"Photo {{number}}", "a.jpg", image)
Photo.objects.update(status="approved")
"""

# Times a page and each of its parts, inside the project, without a server.
SPLIT = """
import json, time
from django.core.handlers.wsgi import WSGIHandler
from django.core.paginator import Paginator
from django.db import connection
from django.template.loader import render_to_string
from django.test import RequestFactory
from uploads.views import PAGE_SIZE

handler, factory = WSGIHandler(), RequestFactory()
request = factory.get("/", secure=True, headers={"host": "localhost"})

def get(path):
    environ = factory.get(path, secure=True, headers={"host": "localhost"}).environ
    handler(environ, lambda *_: None).close()

def fetch():
    page = Paginator(Photo.objects.published(), PAGE_SIZE).get_page(1)
    page.object_list = list(page.object_list)
    return page

def measure(work, times=300):
    for _ in range(50):
        work()
    started = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - started) / times

whole = measure(lambda: get("/"))
page = fetch()
parts = {
    "all middlewares (a health page)": measure(lambda: get("/health/live/")),
    "a new connection to the database": measure(lambda: (connection.close(), connection.ensure_connection())),
    "two queries, 24 rows": measure(fetch),
    "template": measure(lambda: render_to_string("uploads/gallery.html", {"page": page}, request)),
}
print(json.dumps(parts | {"user, session and the rest": whole - sum(parts.values()), "the whole page": whole}))
"""


def count_responses(port: int, deadline: float) -> int:
    """Request the page over one persistent connection until the deadline, and return the number of responses."""
    responses = 0
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as stream:
        while time.perf_counter() < deadline:
            connection.sendall(REQUEST)
            if not stream.readline().startswith(b"HTTP/1.1 200 "):
                raise RuntimeError
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split()[1])
            stream.read(length)
            responses += 1
    return responses


def requests_per_second(port: int) -> float:
    """Return the responses per second of all clients together."""
    deadline = time.perf_counter() + SECONDS
    with ThreadPoolExecutor(CLIENTS) as clients:
        return sum(clients.map(count_responses, [port] * CLIENTS, [deadline] * CLIENTS)) / SECONDS


def start_bare(folder: Path, settings_of: Path) -> dict[str, str]:
    """Create a project by `startproject` with one page, and return its environment."""
    folder.mkdir()
    run(folder, "django-admin", "startproject", "config", ".")
    (folder / "config" / "urls.py").write_text(BARE_URLS, encoding="utf-8")
    with (folder / "config" / "settings.py").open("a", encoding="utf-8") as settings:
        settings.write(BARE_SETTINGS)
    shutil.copy(settings_of / "gunicorn.conf.py", folder)
    return {"WEB_CONCURRENCY": "1"}


def start_full(project: Path, folder: Path) -> dict[str, str]:
    """Add photos to the gallery, and return the project's environment."""
    environment = production(project) | {
        "ALLOWED_HOSTS": "localhost",
        "MEDIA_ROOT": str(folder / "media"),
        "TRUSTED_PROXY_COUNT": "1",
        "UPLOADS_PER_HOUR": "1000",
        "WEB_CONCURRENCY": "1",
    }
    photo = folder / "photo.jpg"
    photo.write_bytes(encode(landscape(1, (640, 480))))
    code = PREPARE + FILL.format(photo=str(photo))
    run(project, sys.executable, "manage.py", "shell", "-v0", "--command", code, **environment)
    return environment


def main() -> None:
    """Alternate between both servers, print the medians, and then the time of each part of a gallery page."""
    rates: dict[str, list[float]] = {"a bare startproject page": [], "the gallery, 24 photos": []}
    with tempfile.TemporaryDirectory() as temporary, generated(ALL_OFF) as project:
        folder = Path(temporary)
        environment = start_full(project, folder)
        bare = start_bare(folder / "bare", project)
        with (
            gunicorn(folder / "bare", bare, folder / "bare.log", *STEADY) as (_, bare_port),
            gunicorn(project, environment, folder / "full.log", *STEADY) as (_, full_port),
        ):
            time.sleep(3)
            for port in (bare_port, full_port):
                requests_per_second(port)
            for _ in range(ROUNDS):
                for name, port in zip(rates, (bare_port, full_port), strict=True):
                    rates[name].append(requests_per_second(port))
        split = run(project, sys.executable, "manage.py", "shell", "-v0", "--command", SPLIT, **environment)
    medians = {name: statistics.median(rate) for name, rate in rates.items()}
    base = medians["a bare startproject page"]
    print_table(
        [f"one worker, median of {ROUNDS}", "requests per second", "ratio"],
        [[name, round(rate), rate / base] for name, rate in medians.items()],
    )
    print()
    parts = json.loads(split.splitlines()[-1])
    print_table(
        ["one page of the gallery, inside the process", "milliseconds", "share"],
        [[name, seconds * 1000, seconds / parts["the whole page"]] for name, seconds in parts.items()],
    )


if __name__ == "__main__":
    main()
