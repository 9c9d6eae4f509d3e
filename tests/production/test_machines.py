"""One site on two machines: two servers and two workers with folders of their own, behind one proxy.

They share PostgreSQL, Redis, object storage and a stub of Cloudinary.
"""

import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.support.baking import WITH_GALLERY, Project, production, run
from tests.support.cluster import Machine, load_stub, proxy, start_machine
from tests.support.images import encode, landscape
from tests.support.live import CREATE_USERS, OWNER, PASSWORD, PREPARE, Site, Visitor, issue_certificate
from tests.support.postgresql import Database
from tests.support.services import Buckets, fetch, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run on Windows"),
    pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed"),
]

ANSWERS = WITH_GALLERY | {"cloudinary_moderation": True}
LOGIN, TOO_MANY = "/accounts/login/", "Too many failed login attempts"


@dataclass
class Cluster:
    """The site behind its proxy, its machines, and the stub of Cloudinary."""

    site: Site
    machines: list[Machine]
    cloud: Any


@pytest.fixture
def cluster(project: Project, tmp_path: Path, postgresql: Database, redis: str, buckets: Buckets) -> Iterator[Cluster]:
    source = project(ANSWERS)
    stub = load_stub(source)
    certificate, tls = issue_certificate(tmp_path)
    with ExitStack() as stack:
        cloud = stack.enter_context(stub.Cloud())
        cloud.moderation = stub.moderation("approved", "approved")
        environment = production(source) | {
            "ALLOWED_HOSTS": "localhost",
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
        port = stack.enter_context(proxy(tmp_path, certificate, source, [machine.port for machine in machines]))
        log = tmp_path / "nginx.log"
        site = Site(source, f"https://localhost:{port}", environment, tls, machines[0].processes[0], log)
        yield Cluster(site, machines, cloud)


def stored_photos(site: Site) -> Counter[str]:
    """Return the number of files in the bucket by photo."""
    address = site.environment["STORAGE_URL"].partition("@")[2].partition("?")[0]
    keys = re.findall(
        r"<Key>photos/../(.{36})-.+?</Key>", fetch(f"http://{address}?list-type=2&max-keys=1000").read().decode()
    )
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
    wait_until(lambda: not stored_photos(site), "still in the bucket")
    wait_until(lambda: not cluster.cloud.assets, "still at Cloudinary")
    assert all({"gallery:upload", "uploads:file"} <= {it["route"] for it in it.requests} for it in cluster.machines)


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
    assert [(line["route"], line["status"]) for line in logged] == [("gallery:index", 200)]


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
    site.python("Asset.objects.update(claimed_until=None)")
    wait_until(
        lambda: site.python("print(Photo.objects.exclude(status='approved').count())").strip() == "0", "not published"
    )
    assert {fields["public_id"] for fields in cluster.cloud.uploads} == set(rows.values())
    assert site.visitor().get("/health/ready/").status == 200
