"""Workers that die at every step, four at once, and one that is weighed; runs inside a generated project."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ARG005, B023, E402, I001, T201

import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from threading import Thread

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection, connections
from django.utils import timezone
from PIL import Image

from uploads import outbox
from uploads.images import sanitize
from uploads.models import Photo, Status
from uploads.moderation.cloudinary import client, environment
from uploads.moderation.cloudinary.models import Asset
from uploads.moderation.cloudinary.tests.stub import CLOUD, KEY, SECRET, Cloud, Handler
from users.models import User

cloud = Cloud()
Thread(target=cloud.serve_forever, args=(0.01,), daemon=True).start()
settings.CLOUDINARY = environment.url(f"cloudinary://{KEY}:{SECRET}@{CLOUD}?upload_prefix={cloud.url}")
client.transport = client.configure()
call_command("migrate", verbosity=0)
owner = User.objects.create_user("owner@example.com")
reviewer = User.objects.create_user("reviewer@example.com")

KILLED = 9


def make_photo() -> Photo:
    buffer = BytesIO()
    Image.new("RGB", (64, 48), "teal").save(buffer, "JPEG")
    return Photo.objects.accept(owner, "Teal", "a.jpg", sanitize(buffer, "a.jpg", buffer.tell()))


def fork(task: Callable[[], object]) -> int:
    """Run a task in a process of its own, with connections of its own; return its id."""
    connections.close_all()
    if pid := os.fork():
        return pid
    try:
        task()
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def ended(pid: int) -> int:
    status = os.waitpid(pid, 0)[1]
    return KILLED if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def work_until(statement: int) -> Callable[[], None]:
    """Return a pass that dies just before this statement to the database: so between any two steps it takes."""
    count = 0

    def watch(execute: Callable, sql: str, *rest: object) -> object:
        nonlocal count
        count += 1
        if count > statement:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, *rest)

    def task() -> None:
        with connection.execute_wrapper(watch):
            outbox.work()

    return task


def one_pass() -> None:
    Photo.objects.exclude(due_at=None).update(due_at=timezone.now() - timedelta(days=1))
    Photo.objects.update(claimed_until=None)
    outbox.work()


def start_over() -> None:
    Photo.objects.all().delete()
    cloud.assets.clear()
    cloud.uploads.clear()
    cloud.calls.clear()


def settle() -> None:
    if Photo.objects.exclude(claimed_until=None).exists():
        assert outbox.claim() == []  # a dead worker's claim holds for a while
    for _ in range(4):
        for asset in cloud.assets.values():
            asset["moderation"] = [{"kind": kind, "status": "approved"} for kind in ("aws_rek", "perception_point")]
        one_pass()
    assert not Photo.objects.exclude(due_at=None, claimed_until=None).exists()


def before_sending() -> Status:
    make_photo()
    return Status.APPROVED


def before_asking() -> Status:
    make_photo()
    one_pass()
    return Status.APPROVED


def after_a_decision() -> Status:
    photo = make_photo()
    one_pass()
    photo.record({"manual": "approved"}, by=reviewer)
    return Status.APPROVED


def after_deleting() -> Status:
    photo = make_photo()
    one_pass()
    photo.discard()
    return Status.DELETED


def check(expected: Status) -> None:
    (photo,) = Photo.objects.all()
    assert photo.status == expected, photo.status
    assert len(cloud.uploads) == 1, cloud.uploads
    assert set(cloud.assets) == (set() if expected == Status.DELETED else {str(photo.pk)})


def die_between_statements() -> None:
    for prepare in (before_sending, before_asking, after_a_decision, after_deleting):
        for statement in range(200):
            start_over()
            expected = prepare()
            Photo.objects.update(due_at=timezone.now() - timedelta(days=1))
            outcome = ended(fork(work_until(statement)))
            if prepare in (before_sending, before_asking):
                assert not Photo.objects.published().exists()
            settle()
            check(expected)
            if outcome == 0:
                print(f"{prepare.__name__}: killed at each of {statement} steps")
                break
            assert outcome == KILLED


def die_in_a_call() -> None:
    """Die while Cloudinary has the request: before it does anything with it, and after."""
    for prepare in (before_sending, before_asking, after_a_decision, after_deleting):
        for late in (False, True):
            start_over()
            expected = prepare()
            Photo.objects.update(due_at=timezone.now() - timedelta(days=1))
            victim = 0

            def kill(handler: Handler, *, late: bool = late) -> None:
                if late:
                    handler.reply = lambda *args, **headers: None
                    if handler.path.endswith("/image/upload"):
                        handler.upload(handler.fields())
                    elif handler.path.endswith("/image/destroy"):
                        handler.destroy(handler.fields())
                os.kill(victim, signal.SIGKILL)

            cloud.faults = [kill]
            victim = fork(outbox.work)
            assert ended(victim) == KILLED
            settle()
            check(expected)
    print("killed inside each call")


def be_four() -> None:
    start_over()
    photos = {str(make_photo().pk) for _ in range(60)}

    def work() -> None:
        while outbox.work():
            pass

    def together() -> None:
        assert [ended(pid) for pid in [fork(work) for _ in range(4)]] == [0] * 4

    together()
    assert Counter(sent["public_id"] for sent in cloud.uploads) == Counter(photos)
    cloud.decide("approved", "approved")
    cloud.calls.clear()
    Photo.objects.update(due_at=timezone.now())
    together()
    assert Photo.objects.published().count() == len(photos)
    assert len(cloud.calls) <= len(photos) / 5, cloud.calls
    Photo.objects.update(due_at=None)
    for photo in Photo.objects.all():
        photo.discard()
    cloud.calls.clear()
    together()
    assert not cloud.assets
    assert not Asset.objects.exists()
    assert len(cloud.calls) == len(photos)
    print("four workers did nothing twice")


def memory(field: str) -> float:
    """Return a field of the process' memory, in MiB."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field)]
    return int(line.split()[1]) / 1024


def weigh() -> None:
    start_over()
    make_photo()
    outbox.work()
    photo = make_photo()
    with default_storage.open(photo.path("display"), "wb") as file:
        file.write(os.urandom(10 * 1024**2))
    resting = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    outbox.work()
    cost = memory("VmHWM") - resting
    assert Photo.objects.filter(due_at__gt=timezone.now(), asset__version__gt=0).count() == 2
    print(f"a photo of 10 MiB costs {cost:.1f} MiB above {resting:.1f}")
    assert cost <= 40, cost


if __name__ == "__main__":
    tasks = {"steps": die_between_statements, "calls": die_in_a_call, "four": be_four}
    if sys.argv[1] == "memory":
        # The stub keeps what it is sent, so the worker is weighed in a process of its own.
        assert ended(fork(weigh)) == 0
    else:
        tasks[sys.argv[1]]()
