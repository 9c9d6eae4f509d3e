"""The server ends in the time that it has, and cuts no upload."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.baking import WITH_GALLERY, Project
from tests.support.images import encode, landscape
from tests.support.live import BUSY, HANG_SECONDS, OWNER, Site, serve
from tests.support.services import wait_until

pytestmark = pytest.mark.tier("whole")

GRACE_SECONDS = 10  # Cloud Run has no more
# A decoder that waits first, as on a busy machine: in wsgi.py, for the server alone.
SLOW = """
from pathlib import Path
from secure_django.photos import images
slow = Path(__file__).with_name("slow.py")
slow.write_text(f'''
import os, sys, time
Path = {str(slow.with_suffix(".begun"))!r}
open(Path, "w").close()
time.sleep(SECONDS)
os.execv(sys.executable, [sys.executable, "-I", {str(images.DECODER)!r}, *sys.argv[1:]])
''')
images.DECODER = slow
"""


def make_slow(project: Path, seconds: int) -> Path:
    """Make each photo take longer; return the file that the decoder writes first."""
    wsgi = project / "config" / "wsgi.py"
    text = wsgi.read_text(encoding="utf-8")
    wsgi.write_text(text + SLOW.replace("SECONDS", str(seconds)), encoding="utf-8")
    return wsgi.with_name("slow.begun")


def end(site: Site, name: str) -> float:
    """End the server by a signal, and return how many seconds it took."""
    started = time.monotonic()
    site.server.send_signal(getattr(signal, name))
    assert site.server.wait(HANG_SECONDS) == 0
    return time.monotonic() - started


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(("seconds", "status"), [(3, 302), (14, BUSY)])
def test_server_answers_each_upload_before_it_ends(
    name: str, seconds: int, status: int, project: Project
) -> None:
    folder = project(WITH_GALLERY)
    has_begun = make_slow(folder, seconds).exists
    with serve(folder, GRACE_SECONDS=str(GRACE_SECONDS)) as site:
        owner = site.visitor(OWNER)
        photo = encode(landscape(1, (640, 480)))
        with ThreadPoolExecutor() as threads:
            answer = threads.submit(owner.upload, photo)
            wait_until(has_begun, "no photo is decoded")
            taken = end(site, name)
        response = answer.result()
        assert response.status == status
        assert ("Retry-After" in response.headers) == (status == BUSY)
        assert taken < GRACE_SECONDS


def test_idle_server_ends_at_once(project: Project) -> None:
    with serve(project(WITH_GALLERY), GRACE_SECONDS=str(GRACE_SECONDS)) as site:
        assert end(site, "SIGTERM") < GRACE_SECONDS / 2
