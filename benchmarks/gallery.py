"""How many gallery pages a second a worker serves, against a bare `startproject` page, and where the time goes."""

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
from tests.baking import ALL_OFF, production, run
from tests.live import PREPARE, gunicorn
from tests.pictures import encode, landscape

ROUNDS = 5
SECONDS = 3
CLIENTS = 4
# A worker that is recycled would drop its connections.
STEADY = ("--max-requests", "0")
# As behind a proxy that ends TLS: so both are measured without it.
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
from uploads.images import sanitize
owner = User.objects.create_user("owner@example.com", None)
content = open({photo!r}, "rb")
rebuilt = sanitize(content, "a.jpg", Path({photo!r}).stat().st_size)
for number in range(40):
    Photo.objects.accept(owner, f"Photo {{number}}", "a.jpg", rebuilt)
Photo.objects.update(status="approved")
"""

# Inside the project, without a server: a page, and what it is made of, each alone.
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

def ask(path):
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

whole = measure(lambda: ask("/"))
page = fetch()
parts = {
    "all middlewares (a health page)": measure(lambda: ask("/health/live/")),
    "a new connection to the database": measure(lambda: (connection.close(), connection.ensure_connection())),
    "two queries, 24 rows": measure(fetch),
    "template": measure(lambda: render_to_string("uploads/gallery.html", {"page": page}, request)),
}
print(json.dumps(parts | {"user, session, the rest": whole - sum(parts.values()), "the whole page": whole}))
"""


def ask(port: int, deadline: float) -> int:
    """Ask for the page over one connection that stays open, and count the answers; as little work as can be."""
    answers = 0
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
            answers += 1
    return answers


def requests_per_second(port: int) -> float:
    """Return how many answers all clients together get."""
    deadline = time.perf_counter() + SECONDS
    with ThreadPoolExecutor(CLIENTS) as clients:
        return sum(clients.map(ask, [port] * CLIENTS, [deadline] * CLIENTS)) / SECONDS


def start_bare(folder: Path, settings_of: Path) -> dict[str, str]:
    """Make a project as Django does, with one page, and return its environment."""
    folder.mkdir()
    run(folder, "django-admin", "startproject", "config", ".")
    (folder / "config" / "urls.py").write_text(BARE_URLS, encoding="utf-8")
    with (folder / "config" / "settings.py").open("a", encoding="utf-8") as settings:
        settings.write(BARE_SETTINGS)
    shutil.copy(settings_of / "gunicorn.conf.py", folder)
    return {"WEB_CONCURRENCY": "1"}


def start_full(project: Path, folder: Path) -> dict[str, str]:
    """Fill a gallery and return the project's environment."""
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
    """Take turns between both servers, print the medians, and then what one page of the gallery is made of."""
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
        [f"one worker, median of {ROUNDS}", "requests a second", "ratio"],
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
