"""A running site whose services are down, frozen or killed."""

import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path

import pytest

from secure_django.photos import images
from secure_django.photos.limits import LEASE_SECONDS
from tests.support.baking import WITH_GALLERY, Project
from tests.support.images import encode, landscape
from tests.support.live import HANG_SECONDS, OWNER, Response, Visitor, serve
from tests.support.postgresql import (
    Database,
    PostgreSQL,
    frozen,
    running_postgresql,
    stopped,
)
from tests.support.services import wait_until

pytestmark = [
    pytest.mark.tier("whole"),
    pytest.mark.skipif(sys.platform != "linux", reason="/proc names the processes."),
]

PHOTO = encode(landscape(1, (2000, 1500)))
ANSWER_SECONDS = 10
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


@dataclass
class Outage:
    """Requests that are sent while the database is down, by their names."""

    owner: Visitor
    other: Visitor
    token: str

    def requests(self) -> dict[str, Callable[[], Response]]:
        """Return them: pages of a user, of a visitor, and an upload."""
        return {
            "start page": lambda: self.owner.get("/"),
            "own photos": lambda: self.owner.get("/photos/mine/"),
            "account": lambda: self.owner.get("/accounts/password/change/"),
            "admin": lambda: self.owner.get("/admin/"),
            "upload": lambda: self.owner.upload(PHOTO * 4, token=self.token),
            "start page of a visitor": lambda: self.other.get("/"),
        }


def check_page(name: str, response: Response, seconds: float) -> None:
    """Fail unless it is the designed page, in time."""
    assert response.status == 503, (name, response.text)
    assert "<h1>Temporarily unavailable</h1>" in response.text, name
    assert response.text.rstrip().endswith("</html>"), name
    assert response.headers["X-Request-ID"] in response.text, name
    assert set(response.headers) >= HEADERS, name
    assert seconds < ANSWER_SECONDS, name


def timed(request: Callable[[], Response]) -> tuple[Response, float]:
    started = time.monotonic()
    response = request()
    return response, time.monotonic() - started


@pytest.mark.parametrize("fault", [stopped, frozen])
def test_each_page_is_the_designed_one_without_a_database(
    fault: Callable[[PostgreSQL], AbstractContextManager[None]], project: Project
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(running_postgresql())
        url = server.create_database()
        site = stack.enter_context(serve(project(WITH_GALLERY), DATABASE_URL=url))
        owner = site.visitor(OWNER)
        requests = Outage(owner, site.visitor(), owner.token("/photos/upload/"))
        # Each thread keeps a connection, which the fault meets.
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(lambda _: owner.get("/"), range(48)))
        with fault(server):
            for name, request in requests.requests().items():
                check_page(name, *timed(request))
            with ThreadPoolExecutor(32) as threads:
                answers = threads.map(
                    lambda _: timed(lambda: owner.get("/")), range(64)
                )
                for response, seconds in answers:
                    check_page("crowd", response, seconds)
        # Each thread asks again after a second. The user is still logged in.
        page = "/photos/mine/"
        wait_until(lambda: owner.get(page).status == 200, "the site did not recover")
        lines = site.log.read_text(encoding="utf-8").splitlines()
        named = [line for line in lines if "database unavailable" in line]
        assert len(named) == 1
        assert not any("Internal Server Error" in line for line in lines)


DECODER = """
import os, sys, time

open({started!r}, "w").close()
while os.path.exists({marker!r}) and os.getppid() == int(sys.argv[1]):
    time.sleep(0.05)
os.execv(sys.executable, [sys.executable, "-I", {decoder!r}, *sys.argv[1:]])
"""
SLOW_DECODER = """
from pathlib import Path
from secure_django.photos import images
images.DECODER = Path({path!r})
"""


def refused_by_lock(response: Response) -> bool:
    return response.status == 429 and "still being processed" in response.text


@pytest.mark.parametrize("cache", ["database", "redis"])
def test_account_can_upload_soon_after_its_process_was_killed(
    cache: str,
    project: Project,
    tmp_path: Path,
    postgresql: Database,
    request: pytest.FixtureRequest,
) -> None:
    folder = project(WITH_GALLERY)
    marker = tmp_path / "decoding"
    script = tmp_path / "decoder.py"
    started = tmp_path / "started"
    names = {
        "started": str(started),
        "marker": str(marker),
        "decoder": str(images.DECODER),
    }
    script.write_text(DECODER.format(**names), encoding="utf-8")
    with (folder / "config" / "settings.py").open("a", encoding="utf-8") as settings:
        settings.write(SLOW_DECODER.format(path=str(script)))
    variables = {"DATABASE_URL": postgresql()}
    if cache == "redis":
        variables["CACHE_URL"] = request.getfixturevalue("redis")
    with serve(folder, **variables) as site, ThreadPoolExecutor(1) as threads:
        owner = site.visitor(OWNER)
        token = owner.token("/photos/upload/")
        upload = partial(owner.upload, PHOTO, token=token)
        marker.touch()
        first = threads.submit(upload)
        wait_until(started.exists, "no upload began")
        # The lock lasts as long as the upload.
        time.sleep(LEASE_SECONDS + 2)
        assert refused_by_lock(upload())
        (worker,) = site.workers()
        os.kill(worker, signal.SIGKILL)
        killed_at = time.monotonic()
        marker.unlink()
        with pytest.raises((OSError, HTTPException)):
            first.result(HANG_SECONDS)
        refused_at = [killed_at]

        def is_stored() -> bool:
            sent_at = time.monotonic()
            try:
                response = upload()
            except (OSError, HTTPException):  # no worker listens yet
                return False
            if refused_by_lock(response):
                refused_at.append(sent_at)
            return response.status == 302

        wait_until(is_stored, "the account stayed locked")
        # A busy machine takes longer to start a worker, and to decode the photo.
        assert refused_at[-1] - killed_at < LEASE_SECONDS + 1
