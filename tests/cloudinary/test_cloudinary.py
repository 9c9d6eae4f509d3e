"""Photos on their way through Cloudinary: the real SDK, real processes, a stub that checks signatures."""

# ruff: noqa: ANN401, S106, S107 - the stub's class is loaded by path, and so are its secrets

import hashlib
import importlib.util
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.baking import ALL_OFF, RAW, ROOT, Project, clean_environment, production, run
from tests.live import OWNER, START_SECONDS, Site, serve
from tests.pictures import encode, landscape

ANSWERS = ALL_OFF | {"cloudinary_moderation": True}
INSIDE = Path(__file__).parent / "inside"
FEATURE = "uploads/moderation/cloudinary"
WEBHOOK = "/webhooks/cloudinary/"
# What the SDK would prefer to the settings, if it were let.
STRAY = {
    "CLOUDINARY_CLOUD_NAME": "thief",
    "CLOUDINARY_API_KEY": "thief",
    "CLOUDINARY_API_SECRET": "thief",
    "CLOUDINARY_UPLOAD_PREFIX": "http://127.0.0.1:9",
}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the processes here are forked and signalled")


@pytest.fixture
def cloud() -> Iterator[Any]:
    """Return the emitted tests' stub of Cloudinary, running."""
    spec = importlib.util.spec_from_file_location("stub", ROOT / RAW / FEATURE / "tests" / "stub.py")
    assert spec
    assert spec.loader
    stub = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stub)
    with stub.Cloud() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def address(cloud: Any) -> dict[str, str]:
    return {"CLOUDINARY_URL": f"cloudinary://key:secret@cloud?upload_prefix={cloud.url}"}


def test_every_fault_and_every_attack_ends_well(project: Project) -> None:
    folder = project(ANSWERS)
    shutil.copy(INSIDE / "faults.py", folder / FEATURE / "tests" / "test_faults.py")
    report = run(folder, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{FEATURE}/tests")
    assert " passed" in report
    assert " skipped" not in report


@pytest.mark.parametrize(
    ("task", "database"),
    [("steps", "sqlite"), ("calls", "sqlite"), ("four", "sqlite"), ("four", "postgresql"), ("memory", "sqlite")],
)
def test_workers(task: str, database: str, project: Project, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """They may die at every step, be four, and carry 10 MiB: nothing is lost, published too early, or done twice."""
    if task == "memory" and not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux tells a process' peak of memory")
    folder = project(ANSWERS)
    shutil.copy(INSIDE / "processes.py", folder)
    environment = production(folder) | {"MEDIA_ROOT": str(tmp_path / "media"), "UPLOADS_PER_HOUR": "1000000"}
    if database == "postgresql":
        environment["DATABASE_URL"] = request.getfixturevalue(database)()
    print(run(folder, sys.executable, "-W", "ignore", "processes.py", task, **environment))  # noqa: T201


def notify(
    site: Site, body: bytes, headers: dict[str, str] | None = None, *, secret: str = "secret", age: int = 0
) -> int:
    """Post a notification, signed as Cloudinary signs it, and return the answer's status."""
    timestamp = str(int(time.time()) - age)
    signed = {
        "X-Cld-Timestamp": timestamp,
        "X-Cld-Signature": hashlib.sha1(body + f"{timestamp}{secret}".encode()).hexdigest(),  # noqa: S324
    }
    return site.visitor().request("POST", WEBHOOK, body, signed | (headers or {})).status


def wait_for(site: Site, text: str) -> float:
    """Return after how many seconds the gallery shows the text."""
    start = time.monotonic()
    while text not in site.visitor().get("/").text:
        assert time.monotonic() - start < START_SECONDS
        time.sleep(0.1)
    return time.monotonic() - start


def test_a_photo_from_the_upload_to_the_gallery(pristine: Project, cloud: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(pristine(ANSWERS), tmp_path / "my-secure-site")
    with serve(folder, **address(cloud), **STRAY) as site:
        # Nobody is at work yet, and Cloudinary is down: uploading does not depend on either.
        owner = site.visitor(OWNER)
        cloud.faults = [lambda handler: handler.reply(503, "")]
        assert owner.upload(encode(landscape(1, (640, 480))), title="Harbour").location == "/photos/mine/"
        assert cloud.calls == []
        site.manage("moderate_photos")
        assert "Harbour" not in site.visitor().get("/").text

        worker = subprocess.Popen(
            [sys.executable, "manage.py", "moderate_photos", "--loop"],
            cwd=folder,
            env=clean_environment() | site.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            site.python(
                "from uploads.models import Photo; from django.utils.timezone import now\n"
                "Photo.objects.update(due_at=now())"
            )
            deadline = time.monotonic() + START_SECONDS
            while not cloud.assets:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            (photo,) = cloud.assets
            cloud.decide("approved", "approved")
            body = json.dumps({"notification_type": "moderation", "public_id": photo}).encode()
            attack(site, body)
            assert notify(site, body) == 200
            # One pass of the loop, which pauses for five seconds.
            assert wait_for(site, "Harbour") < 10
            assert "https://res.cloudinary.com/cloud/image/authenticated/s--" in site.visitor().get("/").text
        finally:
            worker.send_signal(signal.SIGTERM)
            lines = worker.communicate(timeout=START_SECONDS)[0].splitlines()
        assert worker.returncode == 0
        assert set(lines) == {"photos moved on: 1"}
        assert len(cloud.uploads) == 1


def attack(site: Site, body: bytes) -> None:
    """Send what no genuine sender would; nothing is believed, nothing breaks."""
    for age in (3600, -3600):
        assert notify(site, body, age=age) == 401
    assert notify(site, body, secret="guess") == 401
    assert notify(site, body, {"X-Cld-Signature": "0" * 39}) == 401
    assert notify(site, b"") == 400
    assert notify(site, b"{") == 400
    before = resident(site)
    for _ in range(3):
        announced = {"Content-Length": str(50 * 1024**2)}
        assert notify(site, b"x" * 1024, announced) == 413
    assert resident(site) - before < 8 * 1024
    chunked = {"Transfer-Encoding": "chunked"}
    assert site.visitor().request("POST", WEBHOOK, iter([b"{}"]), chunked).status in {400, 401}
    assert "Traceback" not in site.log.read_text(encoding="utf-8")


def resident(site: Site) -> int:
    """Return the memory of the server's worker in KiB."""
    (worker,) = site.workers()
    status = Path(f"/proc/{worker}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


def test_the_webhook_can_be_tried_on_ones_own_machine(project: Project, cloud: Any, tmp_path: Path) -> None:
    folder = project(ANSWERS)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environment = production(folder) | address(cloud) | {"DEBUG": "on", "ALLOWED_HOSTS": "localhost"}
    manage = (sys.executable, "manage.py")
    run(folder, *manage, "migrate", "-v0", **environment)
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [*manage, "runserver", "--noreload", port],
            cwd=folder,
            env=clean_environment() | environment,
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", int(port))).close()
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            else:
                break
        assert "answered 200" in run(folder, *manage, "notify_webhook", "--port", port, **environment)
    finally:
        server.terminate()
        server.wait()
