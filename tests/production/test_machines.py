"""One site on two machines: two servers and two workers with folders of their own, behind one proxy.

They share PostgreSQL, Redis, object storage and a stub of Cloudinary.
"""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.support.baking import ALL_OFF, Project, clean_environment, production, run
from tests.support.images import encode, landscape
from tests.support.live import CREATE_USERS, OWNER, PASSWORD, PREPARE, Site, Visitor, issue_certificate
from tests.support.postgresql import Database
from tests.support.services import Buckets, accepts_connections, fetch, free_port, wait_until

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run on Windows"),
    pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed"),
]

ANSWERS = ALL_OFF | {"cloudinary_moderation": True}
WORKER = ("manage.py", "worker")
LOGIN, TOO_MANY = "/accounts/login/", "Too many failed login attempts"
NGINX = """
{user}
pid nginx.pid;
error_log nginx.log;
daemon off;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream machines {{
        server 127.0.0.1:{first};
        server 127.0.0.1:{second};
    }}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        location / {{
            proxy_pass http://machines;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Request-ID $request_id;
            client_max_body_size 32m;
        }}
    }}
}}
"""


@dataclass
class Machine:
    """A copy of the project with a server and a worker in one process group each."""

    folder: Path
    port: int
    processes: list[subprocess.Popen[bytes]]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Return the server's log of requests."""
        lines = (self.folder.parent / "server.log").read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in found if line["logger"] == "access"]

    def kill(self) -> None:
        """End all processes at once, as a power failure does."""
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        """Stop what still runs."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            process.wait(30)


@dataclass
class Cluster:
    """The site behind its proxy, its machines, and the stub of Cloudinary."""

    site: Site
    machines: list[Machine]
    cloud: Any


def start_machine(source: Path, folder: Path, environment: dict[str, str]) -> Machine:
    """Start a server and a worker in a copy of the project."""
    copy = shutil.copytree(source, folder / "my-secure-site")
    port = free_port()
    environment = clean_environment() | environment | {"MEDIA_ROOT": str(folder / "media")}
    commands = {
        "server": [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}"],
        "worker": [sys.executable, *WORKER],
    }
    processes = []
    for name, command in commands.items():
        with (folder / f"{name}.log").open("wb") as log:
            processes.append(
                subprocess.Popen(
                    command, cwd=copy, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
            )
    return Machine(copy, port, processes)


def load_stub(project: Path) -> Any:  # noqa: ANN401 - it is loaded by its path, so its types are unknown here
    """Return the module of the emitted tests that holds the stub of Cloudinary."""
    path = project / "uploads" / "moderation" / "cloudinary" / "tests" / "stub.py"
    spec = importlib.util.spec_from_file_location("stub", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def cluster(project: Project, tmp_path: Path, postgresql: Database, redis: str, buckets: Buckets) -> Iterator[Cluster]:
    source, port = project(ANSWERS), free_port()
    stub = load_stub(source)
    certificate, tls = issue_certificate(tmp_path)
    with ExitStack() as stack:
        cloud = stack.enter_context(stub.Cloud())
        cloud.moderation = stub.moderation("approved", "approved")
        environment = production(source) | {
            "ALLOWED_HOSTS": "localhost",
            "CSRF_TRUSTED_ORIGINS": f"https://localhost:{port}",
            "DATABASE_URL": postgresql(),
            "CACHE_URL": redis,
            "STORAGE_URL": buckets(),
            "CLOUDINARY_URL": cloud.cloudinary_url,
            "TRUSTED_PROXY_COUNT": "1",
            "UPLOADS_PER_HOUR": "1000",
            "UPLOAD_DECODE_SECONDS": "100000",
        }
        run(source, sys.executable, "manage.py", "shell", "-v0", "--command", PREPARE + CREATE_USERS, **environment)
        machines = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            machines.append(start_machine(source, tmp_path / name, environment))
            stack.enter_context(closing(machines[-1]))
        configuration = NGINX.format(
            user="user root;" if os.geteuid() == 0 else "",
            port=port,
            certificate=certificate,
            first=machines[0].port,
            second=machines[1].port,
        )
        (tmp_path / "nginx.conf").write_text(configuration, encoding="utf-8")
        proxy = subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", "nginx.conf", "-e", "nginx.log"])
        stack.callback(proxy.wait, 30)
        stack.callback(proxy.terminate)
        for listening in (port, *(machine.port for machine in machines)):
            wait_until(partial(accepts_connections, listening), "a server did not start")
        yield Cluster(
            Site(
                source, f"https://localhost:{port}", environment, tls, machines[0].processes[0], tmp_path / "nginx.log"
            ),
            machines,
            cloud,
        )


def stored_photos(site: Site) -> Counter[str]:
    """Return the number of files in the bucket by photo."""
    address = site.environment["STORAGE_URL"].partition("@")[2].partition("?")[0]
    keys = re.findall(r"<Key>(.+?)/.+?</Key>", fetch(f"http://{address}?list-type=2&max-keys=1000").read().decode())
    return Counter(keys)


def test_photo_goes_its_way_whichever_machine_answers(cluster: Cluster) -> None:
    site = cluster.site
    owner = site.visitor(OWNER)
    for number in range(4):
        assert owner.upload(encode(landscape(number, (320, 240))), title=f"Photo {number}").status == 302
    photos = stored_photos(site)
    assert set(photos.values()) == {2}
    assert not [machine for machine in cluster.machines if (machine.folder.parent / "media").exists()]
    for photo in photos:
        for _ in range(2):  # once from each machine
            link = owner.get(f"/photos/{photo}/display/")
            assert link.status == 302
            assert fetch(link.location).read().startswith(b"\xff\xd8")
    wait_until(lambda: site.visitor().get("/").text.count("https://res.cloudinary.com/cloud/") == 4, "not published")
    assert len(cluster.cloud.uploads) == 4
    for photo in photos:
        assert owner.post(f"/photos/{photo}/delete/", {}, page=f"/photos/{photo}/").status == 302
    assert not stored_photos(site)
    wait_until(lambda: not cluster.cloud.assets, "still at Cloudinary")
    assert all({"uploads:upload", "uploads:file"} <= {it["route"] for it in it.requests} for it in cluster.machines)


def test_limits_and_request_ids_hold_on_both_machines(cluster: Cluster) -> None:
    visitor = cluster.site.visitor()
    report = {"Content-Type": "application/csp-report"}
    statuses = [
        visitor.request("POST", "/csp-report/", b'{"csp-report": {}}', report).status
        for _ in range(2)
        for _ in range(21)  # the second round counts for a new minute, if one began in the first round
    ]
    assert statuses[:10] == [204] * 10
    assert 429 in statuses
    # One token for all guesses: with a page before each, the proxy would send all of them to the same machine.
    form = {"csrfmiddlewaretoken": visitor.token(LOGIN), "login": OWNER, "password": f"not {PASSWORD}"}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    guesses = [visitor.request("POST", LOGIN, urlencode(form).encode(), headers) for _ in range(8)]
    assert [TOO_MANY in guess.text for guess in guesses] == [False] * 5 + [True] * 3
    tried = [[(line["method"], line["route"]) for line in machine.requests] for machine in cluster.machines]
    assert [lines.count(("POST", "account_login")) for lines in tried] == [4, 4]
    # The right password is not even checked now, whichever machine answers.
    for _ in range(2):
        guess = visitor.request("POST", LOGIN, urlencode(form | {"password": PASSWORD}).encode(), headers)
        assert (guess.status, TOO_MANY in guess.text) == (200, True)
    sent = visitor.get("/", **{"X-Request-ID": "0" * 32}).headers["X-Request-ID"]
    assert sent != "0" * 32
    logged = [line for machine in cluster.machines for line in machine.requests if line["request_id"] == sent]
    assert [(line["route"], line["status"]) for line in logged] == [("uploads:gallery", 200)]


def test_machine_killed_in_the_middle_loses_nothing(cluster: Cluster) -> None:
    site, image, first_uploads = cluster.site, encode(landscape(1, (640, 480))), Event()
    emails = [f"visitor{number}@example.com" for number in range(6)]
    site.python(f"for email in {emails}: User.objects.create_user(email, '{PASSWORD}')")

    def upload(visitor: Visitor, title: str, token: str) -> bool:
        status = 0

        def is_answered() -> bool:
            nonlocal status
            try:
                status = visitor.upload(image, title=title, token=token).status
            except (OSError, HTTPException):
                status = 0
            return status not in {429, 503}

        # The turn of an account whose upload the dead machine has held ends by itself, after 30 seconds.
        wait_until(is_answered, f"{title} is refused")
        return status == 302

    def upload_all(visitor: Visitor) -> set[str]:
        acknowledged, token = set(), visitor.token("/photos/upload/")
        for _ in range(7):
            title = f"Photo {uuid4()}"
            if upload(visitor, title, token):
                acknowledged.add(title)
            if len(acknowledged) == 2:
                first_uploads.set()
        return acknowledged

    # An account uploads one photo at a time.
    visitors = [site.visitor(email) for email in emails]
    with ThreadPoolExecutor(len(visitors)) as threads:
        results = threads.map(upload_all, visitors)
        assert first_uploads.wait(60)
        cluster.machines[0].kill()
        acknowledged = set().union(*results)
    assert len(acknowledged) > 30
    rows = dict(
        line.split("|")
        for line in site.python("for it in Photo.objects.all(): print(f'{it.title}|{it.pk}')").splitlines()
    )
    assert acknowledged <= set(rows)
    assert dict.fromkeys(rows.values(), 2).items() <= dict(stored_photos(site)).items()
    # What the first worker had claimed waits for five minutes, which end now.
    site.python("Photo.objects.update(claimed_until=None)")
    wait_until(
        lambda: site.python("print(Photo.objects.exclude(status='approved').count())").strip() == "0", "not published"
    )
    assert {fields["public_id"] for fields in cluster.cloud.uploads} == set(rows.values())
    assert site.visitor().get("/health/ready/").status == 200
