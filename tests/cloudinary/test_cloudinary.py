"""Photos on their way through Cloudinary.

The SDK and the processes are real, and a stub checks signatures.
"""

# ruff: noqa: ANN401 - the stub is loaded by its path, so its types are unknown here

import importlib.util
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

from tests.support.baking import (
    RAW,
    ROOT,
    SUITE_SECONDS,
    WITH_GALLERY,
    Project,
    clean_environment,
    production,
    run,
    run_within,
)
from tests.support.images import encode, landscape
from tests.support.live import HANG_SECONDS, OWNER, Site, serve
from tests.support.services import wait_until
from tests.support.uploads import CAN_MEASURE, megabytes

ANSWERS = WITH_GALLERY | {"cloudinary_moderation": True}
INSIDE = Path(__file__).parent / "inside"
FEATURE = "uploads/moderation/cloudinary"
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


@pytest.fixture(scope="module")
def stub() -> Any:
    """Return the module of the emitted tests that holds the stub of Cloudinary."""
    spec = importlib.util.spec_from_file_location(
        "stub", ROOT / RAW / FEATURE / "tests" / "stub.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def cloud(stub: Any) -> Iterator[Any]:
    with stub.Cloud() as server:
        yield server


@pytest.mark.timeout(SUITE_SECONDS + 100)
def test_every_fault_and_every_attack_is_handled(project: Project) -> None:
    folder = project(ANSWERS)
    shutil.copy(INSIDE / "faults.py", folder / FEATURE / "tests" / "test_faults.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    report = run_within(SUITE_SECONDS, folder, [*command, f"{FEATURE}/tests"], {})
    assert " passed" in report
    assert " skipped" not in report


@pytest.mark.parametrize(
    ("task", "database"),
    [
        ("kill-between-statements", "sqlite"),
        ("kill-during-calls", "sqlite"),
        ("run-four-workers", "sqlite"),
        ("run-four-workers", "postgresql"),
        ("measure-memory", "sqlite"),
    ],
)
def test_workers_lose_and_repeat_nothing(
    task: str,
    database: str,
    project: Project,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """Workers die at any step, run in parallel, upload 10 MiB in 40 MiB of memory."""
    if task == "measure-memory" and not CAN_MEASURE:
        pytest.skip("only Linux reports the peak memory of a process")
    folder = project(ANSWERS)
    shutil.copy(INSIDE / "processes.py", folder)
    environment = production(folder) | {
        "MEDIA_ROOT": str(tmp_path / "media"),
        "UPLOADS_PER_HOUR": "1000000",
    }
    if database == "postgresql":
        environment["DATABASE_URL"] = request.getfixturevalue(database)()
    print(  # noqa: T201
        run(folder, sys.executable, "-W", "ignore", "processes.py", task, **environment)
    )


def notify(
    site: Site,
    stub: Any,
    body: bytes,
    headers: dict[str, str] | None = None,
    **signing: object,
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
    assert re.findall(r"\((\w+\.\w+)\)", checks) == ["core.I001"]
    events = {json.loads(line)["event"] for line in (brace + log).splitlines()}
    assert {event for event in events if event.startswith("photos processed")} == {
        "photos processed: 1"
    }


def test_photo_from_the_upload_to_the_gallery(
    pristine: Project, stub: Any, cloud: Any, tmp_path: Path
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
                "from uploads.moderation.cloudinary.models import Asset; "
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
                "from uploads.moderation.cloudinary.models import Asset\n"
                "Asset.objects.update(due_at=now() + timedelta(days=1))"
            )
            body = json.dumps(stub.approval(photo)).encode()
            attack(site, stub)
            assert notify(site, stub, body) == 200
            wait_until(
                lambda: "Harbor" in site.visitor().get("/").text, "not published"
            )
            assert (
                "https://res.cloudinary.com/cloud/image/authenticated/s--"
                in site.visitor().get("/").text
            )
        assert len(cloud.uploads) == 1


def attack(site: Site, stub: Any) -> None:
    """Send oversized notifications, and one of unknown length. All are refused."""
    (worker,) = site.workers()
    before = megabytes(worker, "VmRSS")
    for _ in range(3):
        # Refused by its length alone, of which nothing more arrives; and by the limit
        # of all pages, which reads on.
        assert notify(site, stub, b"x" * 1024, {"Content-Length": str(1024**2)}) == 413
        assert notify(site, stub, b"x" * 50 * 1024**2) == 413
    assert megabytes(worker, "VmRSS") - before < 8
    chunked = {"Transfer-Encoding": "chunked"}
    assert site.visitor().request(
        "POST", stub.WEBHOOK, iter([b"{}"]), chunked
    ).status in {400, 401}
    assert "Traceback" not in site.log.read_text(encoding="utf-8")
