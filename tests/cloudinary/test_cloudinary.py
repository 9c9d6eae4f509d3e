"""Photos on their way through Cloudinary, with the real SDK, real processes and a stub that checks signatures."""

# ruff: noqa: ANN401 - the stub is loaded by its path, so its types are unknown here

import importlib.util
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.baking import RAW, ROOT, WITH_GALLERY, Project, clean_environment, production, run
from tests.support.images import encode, landscape
from tests.support.live import OWNER, START_SECONDS, Site, serve
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
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the processes here need fork and signals"),
]


@pytest.fixture(scope="module")
def stub() -> Any:
    """Return the module of the emitted tests that holds the stub of Cloudinary."""
    spec = importlib.util.spec_from_file_location("stub", ROOT / RAW / FEATURE / "tests" / "stub.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def cloud(stub: Any) -> Iterator[Any]:
    with stub.Cloud() as server:
        yield server


def wait_until(condition: Callable[[], object]) -> float:
    """Wait until the condition is true; return the seconds that it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < START_SECONDS
        time.sleep(0.1)
    return time.monotonic() - start


def test_every_fault_and_every_attack_is_handled(project: Project) -> None:
    folder = project(ANSWERS)
    shutil.copy(INSIDE / "faults.py", folder / FEATURE / "tests" / "test_faults.py")
    report = run(folder, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{FEATURE}/tests")
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
    task: str, database: str, project: Project, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Workers can die at any step, run in parallel, and upload 10 MiB within 40 MiB of memory."""
    if task == "measure-memory" and not CAN_MEASURE:
        pytest.skip("only Linux reports the peak memory of a process")
    folder = project(ANSWERS)
    shutil.copy(INSIDE / "processes.py", folder)
    environment = production(folder) | {"MEDIA_ROOT": str(tmp_path / "media"), "UPLOADS_PER_HOUR": "1000000"}
    if database == "postgresql":
        environment["DATABASE_URL"] = request.getfixturevalue(database)()
    print(run(folder, sys.executable, "-W", "ignore", "processes.py", task, **environment))  # noqa: T201


def notify(site: Site, stub: Any, body: bytes, headers: dict[str, str] | None = None, **signing: object) -> int:
    """Post a signed notification and return the status of the response."""
    sent = stub.signed_headers(body, **signing) | (headers or {})
    return site.visitor().request("POST", stub.WEBHOOK, body, sent).status


@contextmanager
def running_worker(site: Site, folder: Path) -> Iterator[None]:
    """Run a worker process. At the end, check that it stops when told and that it processed one photo at a time."""
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
        checks, brace, log = worker.communicate(timeout=START_SECONDS)[1].partition("{")
    assert worker.returncode == 0
    assert re.findall(r"\((\w+\.\w+)\)", checks) == ["core.I001"]  # Django's report: the site uses SQLite
    events = {json.loads(line)["event"] for line in (brace + log).splitlines()}
    assert {event for event in events if event.startswith("photos processed")} == {"photos processed: 1"}


def test_photo_from_the_upload_to_the_gallery(pristine: Project, stub: Any, cloud: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(pristine(ANSWERS), tmp_path / "my-secure-site")
    with serve(folder, CLOUDINARY_URL=cloud.cloudinary_url, **STRAY) as site:
        # No worker runs yet, and Cloudinary is down. Neither affects the upload.
        cloud.faults = [lambda handler: handler.reply(503, "")]
        response = site.visitor(OWNER).upload(encode(landscape(1, (640, 480))), title="Harbor")
        assert response.location == "/photos/mine/"
        assert cloud.calls == []
        site.manage("worker", "--once")
        assert "Harbor" not in site.visitor().get("/").text

        with running_worker(site, folder):
            site.python(
                "from uploads.moderation.cloudinary.models import Asset; from django.utils.timezone import now\n"
                "Asset.objects.update(due_at=now())"
            )
            wait_until(lambda: cloud.assets)
            (photo,) = cloud.assets
            cloud.decide("approved", "approved")
            body = json.dumps(stub.approval(photo)).encode()
            attack(site, stub, body)
            assert notify(site, stub, body) == 200
            # One pass of the worker, which pauses for five seconds.
            assert wait_until(lambda: "Harbor" in site.visitor().get("/").text) < 10
            assert "https://res.cloudinary.com/cloud/image/authenticated/s--" in site.visitor().get("/").text
        assert len(cloud.uploads) == 1


def attack(site: Site, stub: Any, body: bytes) -> None:
    """Send forged, malformed and oversized notifications. The server refuses each one."""
    for age in (3600, -3600):
        assert notify(site, stub, body, age=age) == 401
    assert notify(site, stub, body, secret="guess") == 401  # noqa: S106
    assert notify(site, stub, body, {"X-Cld-Signature": "0" * 39}) == 401
    assert notify(site, stub, b"") == 400
    assert notify(site, stub, b"{") == 400
    (worker,) = site.workers()
    before = megabytes(worker, "VmRSS")
    for _ in range(3):
        # Refused by its length alone, of which nothing more arrives; and by the limit of all pages, which reads on.
        assert notify(site, stub, b"x" * 1024, {"Content-Length": str(1024**2)}) == 413
        assert notify(site, stub, b"x" * 50 * 1024**2) == 413
    assert megabytes(worker, "VmRSS") - before < 8
    chunked = {"Transfer-Encoding": "chunked"}
    assert site.visitor().request("POST", stub.WEBHOOK, iter([b"{}"]), chunked).status in {400, 401}
    assert "Traceback" not in site.log.read_text(encoding="utf-8")
