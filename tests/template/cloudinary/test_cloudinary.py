"""Photos on their way through Cloudinary.

The SDK and the processes are real, and a stub checks signatures.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.photos.cloudinary import stub
from tests.support.baking import (
    WITH_GALLERY,
    Project,
    clean_environment,
)
from tests.support.images import encode, landscape
from tests.support.live import HANG_SECONDS, OWNER, Site, serve
from tests.support.services import wait_until
from tests.support.uploads import megabytes

ANSWERS = WITH_GALLERY | {"cloudinary_moderation": True}
# The SDK would prefer these to the project's settings.
STRAY = {
    "CLOUDINARY_CLOUD_NAME": "other",
    "CLOUDINARY_API_KEY": "other",
    "CLOUDINARY_API_SECRET": "other",
    "CLOUDINARY_UPLOAD_PREFIX": "http://127.0.0.1:9",
}

pytestmark = [
    pytest.mark.tier("whole"),
    pytest.mark.skipif(
        sys.platform == "win32", reason="the processes here need fork and signals"
    ),
]


@pytest.fixture
def cloud() -> Iterator[stub.Cloud]:
    with stub.Cloud() as server:
        yield server


def notify(
    site: Site,
    body: bytes,
    headers: dict[str, str] | None = None,
    **signing: Any,  # noqa: ANN401 - those of signed_headers
) -> int:
    """Post a signed notification and return the status of the response."""
    sent = stub.signed_headers(body, **signing) | (headers or {})
    return site.visitor().request("POST", stub.WEBHOOK, body, sent).status


@contextmanager
def running_worker(site: Site, folder: Path) -> Iterator[None]:
    """Run a worker process.

    At the end, check that it stops when told and that it processed one photo at a time.
    """
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "worker"],
        cwd=folder,
        env=clean_environment() | site.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield
    finally:
        worker.send_signal(signal.SIGTERM)
        checks, brace, log = worker.communicate(timeout=HANG_SECONDS)[1].partition("{")
    assert worker.returncode == 0
    # Django's report: the site uses SQLite.
    assert re.findall(r"\((\w+\.\w+)\)", checks) == ["secure_django.I001"]
    events = {json.loads(line)["event"] for line in (brace + log).splitlines()}
    assert {event for event in events if event.startswith("photos processed")} == {
        "photos processed: 1"
    }


def test_photo_from_the_upload_to_the_gallery(
    pristine: Project, cloud: stub.Cloud, tmp_path: Path
) -> None:
    folder = shutil.copytree(pristine(ANSWERS), tmp_path / "my-secure-site")
    with serve(folder, CLOUDINARY_URL=cloud.cloudinary_url, **STRAY) as site:
        # No worker runs yet, and Cloudinary is down. Neither affects the upload.
        cloud.faults = [lambda handler: handler.reply(503, "")]
        response = site.visitor(OWNER).upload(
            encode(landscape(1, (640, 480))), title="Harbor"
        )
        assert response.location == "/photos/mine/"
        assert cloud.calls == []
        site.manage("worker", "--once")
        assert "Harbor" not in site.visitor().get("/").text

        with running_worker(site, folder):
            site.python(
                "from secure_django.photos.cloudinary.models import Asset; "
                "from django.utils.timezone import now\n"
                "Asset.objects.update(due_at=now())"
            )
            wait_until(lambda: cloud.assets, "nothing was uploaded")
            (photo,) = cloud.assets
            cloud.decide("approved", "approved")
            # The worker would ask tomorrow. A notification makes it ask at once.
            site.python(
                "from datetime import timedelta; "
                "from django.utils.timezone import now; "
                "from secure_django.photos.cloudinary.models import Asset\n"
                "Asset.objects.update(due_at=now() + timedelta(days=1))"
            )
            body = json.dumps(stub.approval(photo)).encode()
            attack(site)
            assert notify(site, body) == 200
            wait_until(
                lambda: "Harbor" in site.visitor().get("/").text, "not published"
            )
            assert (
                "https://res.cloudinary.com/cloud/image/authenticated/s--"
                in site.visitor().get("/").text
            )
        assert len(cloud.uploads) == 1


def attack(site: Site) -> None:
    """Send oversized notifications, and one of unknown length. All are refused."""
    (worker,) = site.workers()
    before = megabytes(worker, "VmRSS")
    for _ in range(3):
        # Refused by its length alone, of which nothing more arrives; and by the limit
        # of all pages, which reads on.
        assert notify(site, b"x" * 1024, {"Content-Length": str(1024**2)}) == 413
        assert notify(site, b"x" * 50 * 1024**2) == 413
    assert megabytes(worker, "VmRSS") - before < 8
    chunked = {"Transfer-Encoding": "chunked"}
    assert site.visitor().request(
        "POST", stub.WEBHOOK, iter([b"{}"]), chunked
    ).status in {400, 401}
    assert "Traceback" not in site.log.read_text(encoding="utf-8")
