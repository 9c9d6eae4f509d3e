"""Attacks on the upload limits: parallel requests against the quota, huge bodies."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.support.baking import WITH_GALLERY, Project
from tests.support.corpus import jpeg
from tests.support.images import encode, landscape
from tests.support.live import HANG_SECONDS, OWNER, Site, serve
from tests.support.uploads import (
    CAN_MEASURE,
    megabytes,
    reset_peak,
    seconds,
    stored_files,
)

pytestmark = pytest.mark.tier("whole")

QUOTA = 5
HUGE = 300 * 1024**2
CHUNK = bytes(1024**2)
BOUNDARY = "boundary"
CHARGED = f"""
from secure_django.photos import limits
owner = User.objects.get(email="{OWNER}")
print(sum(limits.seconds_used(f"decoded:{{owner.pk}}").values()))
"""
FORM = {
    "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
    "Content-Length": str(HUGE),
}


def body_of(size: int, token: str) -> Iterator[bytes]:
    """Yield a form's body in pieces: a title, and a file up to `size` bytes in all."""
    fields = {"csrfmiddlewaretoken": token, "title": "Kept title"}
    head = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        f"{text}\r\n"
        for name, text in fields.items()
    )
    head += (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'
    )
    end = f"\r\n--{BOUNDARY}--\r\n".encode()
    yield head.encode()
    left = size - len(head) - len(end)
    while left:
        yield CHUNK[:left]
        left -= min(left, len(CHUNK))
    yield end


@pytest.mark.parametrize(
    ("workers", "database"), [("1", "sqlite"), ("2", "sqlite"), ("4", "postgresql")]
)
def test_parallel_uploads_cannot_exceed_the_quota(
    workers: str,
    database: str,
    pristine: Project,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    project = shutil.copytree(pristine(WITH_GALLERY), tmp_path / "my-secure-site")
    environment = {"UPLOADS_PER_HOUR": str(QUOTA), "WEB_CONCURRENCY": workers}
    if database == "postgresql":
        environment["DATABASE_URL"] = request.getfixturevalue(database)()
    with serve(project, **environment) as site:
        owner = site.visitor(OWNER)
        token = owner.token("/photos/upload/")

        def upload(_: int) -> int:
            # An account has one upload at a time; the others are told to wait.
            while (
                "Retry-After" in (response := owner.upload(jpeg(), token=token)).headers
            ):
                time.sleep(0.1)
            return response.status

        with ThreadPoolExecutor(16) as threads:
            statuses = sorted(threads.map(upload, range(32)))
        assert statuses == [302] * QUOTA + [429] * (32 - QUOTA)
        assert site.python("print(Photo.objects.count())").strip() == str(QUOTA)
        assert len(stored_files(site)) == 2 * QUOTA, (
            "files of rejected uploads were stored"
        )


@contextmanager
def busy_loops(number: int) -> Iterator[None]:
    """Keep the processors busy."""
    loops = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(number)
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def test_busy_machine_blames_neither_photo_nor_account(
    pristine: Project, tmp_path: Path
) -> None:
    project = shutil.copytree(pristine(WITH_GALLERY), tmp_path / "my-secure-site")
    photo = encode(landscape(1, (4000, 3000), 0.25), quality=90)
    with serve(project) as site:
        owner = site.visitor(OWNER)
        token = owner.token("/photos/upload/")
        (worker,) = site.workers()
        started = seconds(worker) if CAN_MEASURE else 0
        with busy_loops(2 * (os.cpu_count() or 1)):
            responses = [owner.upload(photo, token=token) for _ in range(5)]
        spent = seconds(worker) - started if CAN_MEASURE else 0
        accepted = [response.status for response in responses].count(302)
        assert accepted > 0
        assert site.python("print(Photo.objects.count())").strip() == str(accepted)
        refused = [response for response in responses if response.status != 302]
        assert all(
            "The site is busy." in response.text and response.headers["Retry-After"]
            for response in refused
        )
        # The account pays for processor time, and at most a second more for a refusal.
        charged = float(site.python(CHARGED))
        assert not CAN_MEASURE or 0 < charged <= spent + len(refused)


@pytest.mark.parametrize(
    ("size", "page", "shown"),
    [
        (HUGE, "/photos/upload/", "<h1>Too large</h1>"),
        (HUGE, "/accounts/login/", "<h1>Too large</h1>"),
        (16 * 1024**2, "/photos/upload/", "This file is too large."),
    ],
)
def test_large_body_is_refused_and_not_stored(
    size: int, page: str, shown: str, site: Site
) -> None:
    visitor = site.visitor(OWNER if page == "/photos/upload/" else "")
    token = visitor.token(page)
    (worker,) = site.workers() if CAN_MEASURE else (0,)
    resting = megabytes(worker, "VmRSS") if worker else 0
    if worker:
        reset_peak(worker)
    before = stored_files(site)
    response = visitor.request(
        "POST", page, body_of(size, token), FORM | {"Content-Length": str(size)}
    )
    assert response.status == HTTPStatus.CONTENT_TOO_LARGE
    assert shown in response.text
    assert ('value="Kept title"' in response.text) == (size != HUGE)
    assert stored_files(site) == before
    if worker:
        assert megabytes(worker, "VmHWM") - resting < 20


def test_anonymous_upload_is_answered_before_its_body_arrives(site: Site) -> None:
    head = "".join(
        f"{name}: {value}\r\n" for name, value in {"Host": "localhost", **FORM}.items()
    )
    connection = socket.create_connection(
        ("127.0.0.1", site.port), timeout=HANG_SECONDS
    )
    with site.tls.wrap_socket(connection, server_hostname="localhost") as stream:
        stream.sendall(
            f"POST /photos/upload/ HTTP/1.1\r\n{head}\r\n".encode() + CHUNK[:1000]
        )
        assert stream.recv(4096).startswith(b"HTTP/1.1 302 ")
