"""Requests per second of the public pages.

They are compared in the same run with a bare `startproject` and with nginx. The stack:
PostgreSQL and Redis, gunicorn as generated projects run it behind the emitted nginx
with TLS, every feature on, photos at Cloudinary.
"""

import contextlib
import os
import re
import shutil
import socket
import ssl
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import generated, print_table, require_packages
from tests.support.baking import ALL_ON, production, run
from tests.support.cluster import proxy
from tests.support.images import encode, landscape
from tests.support.live import PREPARE, gunicorn, issue_certificate
from tests.support.postgresql import running_postgresql
from tests.support.proxying import nginx
from tests.support.services import redis_server

ROUNDS = 7
SECONDS = 2
CLIENTS = 4
BARE, NGINX_FILE = "a bare `startproject` page", "the same file by nginx"

# The bare project has a page that is a constant text, which all ratios are relative to,
# and, to show what Django itself costs, the least page with a query for as many rows
# and the least view that answers with a file.
BARE_URLS = """
from django.http import FileResponse, HttpResponse
from django.shortcuts import render
from django.urls import path
from config.models import Item

PAGE = "<!doctype html><title>Hello</title><h1>Hello</h1>"

def index(request):
    items = Item.objects.filter(status="approved")[:25]
    return render(request, "index.html", {"items": items})

def image(request, pk):
    item = Item.objects.get(pk=pk, status="approved")
    return FileResponse(open(item.image, "rb"), content_type="image/jpeg")

urlpatterns = [
    path("", lambda request: HttpResponse(PAGE)),
    path("items/", index),
    path("items/<uuid:pk>/", image, name="item"),
]
"""
BARE_SETTINGS = """
import os
from urllib.parse import urlsplit
DEBUG = False
ALLOWED_HOSTS = ["localhost"]
INSTALLED_APPS += ["config"]
TEMPLATES[0]["DIRS"] = [BASE_DIR]
url = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path[1:],
        "USER": url.username,
        "HOST": url.hostname,
        "PORT": url.port,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}
"""
BARE_MODELS = """
import uuid
from django.db import models

class Item(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    title = models.CharField(max_length=100)
    status = models.CharField(max_length=20, default="approved")
    image = models.CharField(max_length=200)
    width = models.IntegerField(default=480)
    height = models.IntegerField(default=360)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "id"]
        indexes = [
            models.Index("status", models.F("created_at").desc(), "id", name="items")
        ]
"""
BARE_PAGE = """<!doctype html>
<title>Items</title>
{% if user.is_authenticated %}<p>{{ user.username }}</p>{% endif %}
<ul>
{% for item in items %}
<li><a href="{% url 'item' item.id %}">\
<img src="{{ item.image }}" alt="{{ item.title }}" \
width="{{ item.width }}" height="{{ item.height }}"></a>
{% endfor %}
</ul>
"""
# Prints the value of a session's cookie, and the id of an item.
BARE_FILL = """
from django.core.management import call_command
from django.test import Client
from config.models import Item
call_command("migrate", run_syncdb=True, verbosity=0)
Item.objects.bulk_create(
    Item(title=f"Item {number}", image="photo.jpg") for number in range(60)
)
client = Client()
client.force_login(User.objects.create_user("owner"))
print("found", client.cookies["sessionid"].value, Item.objects.first().pk)
"""

# Prints the cookies of a user who is logged in, the cursor of the second page, and the
# id and a file of a photo.
FILL = """
from pathlib import Path
from django.test import Client
from gallery.models import Picture
from secure_django.photos.images import validate_and_reencode
from secure_django.photos.cloudinary.models import Asset
from secure_django.testing.photos import create_photo
from secure_django.web.paging import SIZE, make_cursor
purpose = Picture._meta.get_field("photo").purpose
owner = User.objects.create_user("owner@example.com", None)
image = validate_and_reencode(Path({photo!r}).read_bytes())
for number in range(60):
    photo = create_photo(owner, purpose, image)
    Picture.objects.create(id=photo.pk, owner=owner, title=photo.title, photo=photo)
Photo.objects.update(status="approved")
pictures = list(Picture.objects.select_related("photo"))
Asset.objects.update(version=1700000000)
client = Client()
client.force_login(owner)
client.get("/photos/mine/", secure=True, headers={{"host": "localhost"}})
cookies = ";".join(f"{{it.key}}={{it.value}}" for it in client.cookies.values())
cursor = make_cursor(pictures[SIZE - 1])
first = pictures[0].photo
print("found", cookies, cursor, first.pk, first.path("thumbnail"))
"""


def make_request(path: str, **headers: str) -> bytes:
    """Return a request."""
    lines = [
        f"{name.replace('_', '-')}: {value}"
        for name, value in ({"Host": "localhost"} | headers).items()
    ]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()


def count_responses(
    tls: ssl.SSLContext, port: int, request: bytes, status: bytes, deadline: float
) -> int:
    """Send the request over one persistent connection until the deadline.

    Return the number of responses.
    """
    responses = 0
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        tls.wrap_socket(plain, server_hostname="localhost") as connection,
        connection.makefile("rb") as stream,
    ):
        while time.perf_counter() < deadline:
            connection.sendall(request)
            if not (line := stream.readline()).startswith(b"HTTP/1.1 " + status):
                raise RuntimeError(line)
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split()[1])
            stream.read(length)
            responses += 1
    return responses


def measure(
    tls: ssl.SSLContext, port: int, request: bytes, status: bytes
) -> tuple[float, float]:
    """Return the responses per second of all clients together.

    Return also the servers' CPU time for each response, in seconds.
    """
    before, deadline = servers_seconds(), time.perf_counter() + SECONDS
    with ThreadPoolExecutor(CLIENTS) as clients:
        work = [
            clients.submit(count_responses, tls, port, request, status, deadline)
            for _ in range(CLIENTS)
        ]
        responses = sum(it.result() for it in work)
    return responses / SECONDS, (servers_seconds() - before) / responses


def servers_seconds() -> float:
    """Return the CPU time of gunicorn, PostgreSQL, Redis and nginx, in seconds.

    They are all processes below this one.
    """
    found: dict[int, list[str]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # the process has ended
            found[int(file.parent.name)] = (
                file.read_text(encoding="utf-8").rpartition(")")[2].split()
            )
    below, before = {os.getpid()}, set[int]()
    while below != before:
        before = below
        below = below | {
            pid for pid, fields in found.items() if int(fields[1]) in below
        }
    ticks = sum(
        int(field) for pid in below - {os.getpid()} for field in found[pid][11:15]
    )
    return ticks / os.sysconf("SC_CLK_TCK")


def make_bare(
    folder: Path, settings_of: Path, environment: dict[str, str], photo: Path
) -> tuple[str, str]:
    """Create a project by `startproject` with three pages.

    Return the value of a session's cookie and an item's id.
    """
    folder.mkdir()
    run(folder, "django-admin", "startproject", "config", ".")
    (folder / "config" / "urls.py").write_text(BARE_URLS, encoding="utf-8")
    (folder / "config" / "models.py").write_text(BARE_MODELS, encoding="utf-8")
    (folder / "index.html").write_text(BARE_PAGE, encoding="utf-8")
    with (folder / "config" / "settings.py").open("a", encoding="utf-8") as settings:
        settings.write(BARE_SETTINGS)
    shutil.copy(settings_of / "gunicorn.conf.py", folder)
    shutil.copy(photo, folder / "photo.jpg")
    session, item = shell(folder, BARE_FILL, environment)
    return session, item


def fill(project: Path, photo: Path, environment: dict[str, str]) -> list[str]:
    """Publish photos; return what FILL prints."""
    photo.write_bytes(encode(landscape(1, (640, 480))))
    return shell(project, PREPARE + FILL.format(photo=str(photo)), environment)


def shell(project: Path, code: str, environment: dict[str, str]) -> list[str]:
    """Run code in a project; return the words that it prints after "found"."""
    printed = run(
        project,
        sys.executable,
        "manage.py",
        "shell",
        "-v0",
        "--command",
        code,
        **environment,
    )
    found = re.search(r"^found (.+)$", printed, re.MULTILINE)
    if not found:
        raise RuntimeError(printed)
    return found[1].split()


def main() -> None:
    """Alternate between all pages, and print the medians with their ratios."""
    require_packages("nginx", "postgresql", "redis-server")
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        folder = Path(temporary)
        project = stack.enter_context(generated(ALL_ON))
        database = stack.enter_context(running_postgresql())
        environment = production(project) | {
            "ALLOWED_HOSTS": "localhost",
            "MEDIA_ROOT": str(folder / "media"),
            "TRUSTED_PROXY_COUNT": "1",
            "UPLOADS_PER_HOUR": "1000",
            "DATABASE_URL": database.create_database(),
            "CACHE_URL": stack.enter_context(redis_server(folder)),
        }
        cookies, cursor, photo, file = fill(project, folder / "photo.jpg", environment)
        bare_environment = {"DATABASE_URL": database.create_database()}
        bare_session, item = make_bare(
            folder / "bare", project, bare_environment, folder / "media" / file
        )
        certificate, tls = issue_certificate(folder)
        folder.chmod(0o755)
        many = "keepalive_requests 1000000;"
        files = (
            f"{many} location /files/ "
            f"{{ alias {folder / 'media'}/; default_type image/jpeg; }}"
        )
        _, inner = stack.enter_context(
            gunicorn(folder / "bare", bare_environment, folder / "bare.log")
        )
        (own := folder / "bare-nginx").mkdir()
        bare = stack.enter_context(proxy(own, certificate, project, [inner], files))
        _, inner = stack.enter_context(
            gunicorn(project, environment, folder / "site.log")
        )
        (own := folder / "site-nginx").mkdir()
        main = project / "deploy" / "nginx.conf"
        main.write_text(
            main.read_text("utf-8").replace("http {", f"http {{ {many}"),
            encoding="utf-8",
        )
        _, site = stack.enter_context(
            nginx(project / "deploy", own, certificate, f"127.0.0.1:{inner}")
        )
        thumbnail = f"/photos/{photo}/thumbnail/"
        pages = {
            BARE: (bare, make_request("/"), b"200"),
            "bare, a query for 25 rows": (bare, make_request("/items/"), b"200"),
            "bare, the same, logged in": (
                bare,
                make_request("/items/", Cookie=f"sessionid={bare_session}"),
                b"200",
            ),
            "bare, a query and a file": (bare, make_request(f"/items/{item}/"), b"200"),
            "gallery, anonymous, kept by nginx": (site, make_request("/"), b"200"),
            "gallery, anonymous, not kept": (
                site,
                make_request("/?not=cached"),
                b"200",
            ),
            "gallery, anonymous, second page": (
                site,
                make_request(f"/?older={cursor}"),
                b"200",
            ),
            "gallery, logged in": (site, make_request("/", Cookie=cookies), b"200"),
            "my photos": (site, make_request("/photos/mine/", Cookie=cookies), b"200"),
            "page of a photo": (site, make_request(f"/photos/{photo}/"), b"200"),
            "thumbnail": (site, make_request(thumbnail), b"200"),
            "thumbnail that the browser has": (
                site,
                make_request(thumbnail, If_None_Match=f'"{photo}-thumbnail"'),
                b"304",
            ),
            NGINX_FILE: (bare, make_request(f"/files/{file}"), b"200"),
        }
        measured: dict[str, list[tuple[float, float]]] = {name: [] for name in pages}
        for _ in range(1 + ROUNDS):
            for name, page in pages.items():
                measured[name].append(measure(tls, *page))
    # The first round warms up.
    rates = {
        name: statistics.median(rate for rate, _ in them[1:])
        for name, them in measured.items()
    }
    times = {
        name: statistics.median(seconds for _, seconds in them[1:])
        for name, them in measured.items()
    }
    print_table(
        [
            f"median of {ROUNDS}",
            "per second",
            "of the bare page",
            "of nginx",
            "CPU ms",
            "the bare page's share of it",
        ],
        [
            [
                name,
                round(rate),
                rate / rates[BARE],
                rate / rates[NGINX_FILE],
                times[name] * 1000,
                times[BARE] / times[name],
            ]
            for name, rate in rates.items()
        ],
    )


if __name__ == "__main__":
    main()
