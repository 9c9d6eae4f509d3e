"""Workers that die, run in parallel, use memory: a script for test_processes.py.

Run it with the name of a task: kill-between-statements, kill-during-calls,
run-four-workers or measure-memory.
"""

# Django is set up before the imports, and what was measured is printed.
# ruff: noqa: E402, T201

import os
import signal
import sys
import traceback
import zlib
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection, connections
from django.utils import timezone
from PIL import Image

from secure_django.photos.cloudinary import client, environment
from secure_django.photos.cloudinary.models import Asset
from secure_django.photos.cloudinary.outbox import CLAIM, process_due_photos
from secure_django.photos.images import validate_and_reencode
from secure_django.photos.models import Photo, Status
from secure_django.photos.services import delete_photo, review_photo
from secure_django.testing.photos import create_photo
from tests.photos.cloudinary.stub import Cloud, Fault, Handler, moderation
from users.models import User

OWNER = "owner@example.com"
REVIEWER = "reviewer@example.com"
KILLED = 9

cloud = Cloud()


def set_up() -> None:
    cloud.start()
    settings.CLOUDINARY = environment.url(cloud.cloudinary_url)
    client.configure()
    call_command("migrate", verbosity=0)
    User.objects.create_user(OWNER)
    User.objects.create_user(REVIEWER)


def make_photo() -> Photo:
    buffer = BytesIO()
    Image.new("RGB", (64, 48), "teal").save(buffer, "JPEG")
    image = validate_and_reencode(buffer.getvalue())
    return create_photo(User.objects.get(email=OWNER), image=image)


def fork(task: Callable[[], object]) -> int:
    """Run a task in a child process; return the process ID.

    The child has its own database connections.
    """
    connections.close_all()
    if pid := os.fork():
        return pid
    try:
        task()
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def wait(pid: int) -> int:
    """Return the exit code of a child process, or KILLED."""
    status = os.waitpid(pid, 0)[1]
    return KILLED if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def die_before(statement: int) -> Callable[[], None]:
    """Return a pass of the worker that is killed just before a database statement.

    `statement` is the number of the statement in the pass.
    """
    count = 0

    def watch(execute: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count > statement:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(*arguments)

    def task() -> None:
        with connection.execute_wrapper(watch):
            process_due_photos()

    return task


def make_due() -> None:
    yesterday = timezone.now() - timedelta(days=1)
    Asset.objects.exclude(due_at=None).update(due_at=yesterday)


def one_pass() -> None:
    make_due()
    Asset.objects.update(claimed_until=None)
    process_due_photos()


def start_over() -> None:
    Photo.objects.all().delete()
    cloud.assets.clear()
    cloud.uploads.clear()
    cloud.calls.clear()


def finish() -> None:
    """Approve every kind, and run the worker until nothing is left to do."""
    if Asset.objects.exclude(claimed_until=None).exists():
        # The dead worker's claim has not expired.
        assert Asset.objects.claim(1, CLAIM) == []
    for _ in range(4):
        for asset in cloud.assets.values():
            asset["moderation"] = moderation("approved", "approved")
        one_pass()
    assert not Asset.objects.exclude(due_at=None, claimed_until=None).exists()


def new_photo() -> Status:
    make_photo()
    return Status.APPROVED


def uploaded_photo() -> Status:
    make_photo()
    one_pass()
    return Status.APPROVED


def approved_photo() -> Status:
    photo = make_photo()
    one_pass()
    review_photo(photo, User.objects.get(email=REVIEWER), "approved")
    return Status.APPROVED


def deleted_photo() -> Status:
    photo = make_photo()
    one_pass()
    delete_photo(photo)
    return Status.DELETED


# Each creates a photo and returns its final status.
SCENARIOS = (new_photo, uploaded_photo, approved_photo, deleted_photo)


def check(expected: Status) -> None:
    (photo,) = Photo.objects.all()
    assert photo.status == expected, photo.status
    assert len(cloud.uploads) == 1, cloud.uploads
    kept_assets = set() if expected == Status.DELETED else {str(photo.pk)}
    assert set(cloud.assets) == kept_assets


def kill_between_statements() -> None:
    for scenario in SCENARIOS:
        for statement in range(200):
            start_over()
            expected = scenario()
            make_due()
            exit_code = wait(fork(die_before(statement)))
            if scenario in {new_photo, uploaded_photo}:
                assert not Photo.objects.approved().exists()
            finish()
            check(expected)
            if exit_code == 0:
                print(f"{scenario.__name__}: killed at each of {statement} statements")
                break
            assert exit_code == KILLED


def kill_during_calls() -> None:
    """Kill the worker during a request, before and after Cloudinary acts on it."""
    for scenario in SCENARIOS:
        for has_effect in (False, True):
            start_over()
            expected = scenario()
            make_due()
            workers: list[int] = []
            cloud.faults = [kill(workers, has_effect=has_effect)]
            workers.append(fork(process_due_photos))
            assert wait(workers[0]) == KILLED
            finish()
            check(expected)
    print("killed during each call")


def kill(workers: list[int], *, has_effect: bool) -> Fault:
    """Return a fault that kills the worker instead of responding."""

    def fault(handler: Handler) -> None:
        if has_effect:
            with patch.object(handler, "reply"):
                if handler.path.endswith("/image/upload"):
                    handler.upload(handler.fields())
                elif handler.path.endswith("/image/destroy"):
                    handler.destroy(handler.fields())
        os.kill(workers[0], signal.SIGKILL)

    return fault


def run_four_workers() -> None:
    """Run four workers at once on the same photos; no call may be made twice."""
    start_over()
    photos = {str(make_photo().pk) for _ in range(60)}

    def work() -> None:
        while process_due_photos():
            pass

    def work_in_parallel() -> None:
        pids = [fork(work) for _ in range(4)]
        assert [wait(pid) for pid in pids] == [0] * 4

    work_in_parallel()
    uploaded_keys = [sent["public_id"] for sent in cloud.uploads]
    assert Counter(uploaded_keys) == Counter(photos)
    cloud.decide("approved", "approved")
    cloud.calls.clear()
    Asset.objects.update(due_at=timezone.now())
    work_in_parallel()
    assert Photo.objects.approved().count() == len(photos)
    assert len(cloud.calls) <= len(photos) / 5, cloud.calls
    Asset.objects.update(due_at=None)
    for photo in Photo.objects.all():
        delete_photo(photo)
    cloud.calls.clear()
    work_in_parallel()
    assert not cloud.assets
    assert not Asset.objects.exists()
    assert len(cloud.calls) == len(photos)
    print("four workers made no call twice")


def memory(field: str) -> float:
    """Return a memory field of this process, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(field)]
    return int(line.split()[1]) / 1024


def cost_of_a_pass() -> float:
    """Return how much the peak memory of a pass exceeds the memory before, in MiB."""
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    process_due_photos()
    return memory("VmHWM") - before


def measure_memory() -> None:
    # The stub keeps what it receives, so the worker runs in another process.
    assert wait(fork(measure_upload)) == 0
    gzip = zlib.compressobj(wbits=31)
    chunks = [gzip.compress(b" " * 1024**2) for _ in range(1000)]
    bomb = b"".join(chunks) + gzip.flush()
    for status in (200, 500):
        start_over()
        make_photo()
        cloud.faults = [
            partial(Handler.reply, status=status, answer=bomb, Content_Encoding="gzip")
        ]
        assert wait(fork(measure_answer)) == 0
        assert cloud.faults == []


def measure_answer() -> None:
    cost = cost_of_a_pass()
    print(f"an answer of 1000 MiB, compressed to 1 MiB, costs {cost:.1f} MiB")
    assert cost <= 20, cost


def measure_upload() -> None:
    start_over()
    make_photo()
    process_due_photos()
    photo = make_photo()
    with default_storage.open(photo.path("display"), "wb") as file:
        file.write(os.urandom(10 * 1024**2))
    Photo.objects.filter(pk=photo.pk).update(display_size=10 * 1024**2)
    cost = cost_of_a_pass()
    assert Asset.objects.exclude(due_at=None).filter(version__gt=0).count() == 2
    print(f"a photo of 10 MiB costs {cost:.1f} MiB")
    assert cost <= 40, cost


TASKS = {
    "kill-between-statements": kill_between_statements,
    "kill-during-calls": kill_during_calls,
    "run-four-workers": run_four_workers,
    "measure-memory": measure_memory,
}

if __name__ == "__main__":
    set_up()
    TASKS[sys.argv[1]]()
