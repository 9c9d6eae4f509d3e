"""A million photos of 100,000 users against a thousand of a hundred, on PostgreSQL.

It takes about three minutes. The photos are rows made by SQL; only one of the storage's
256 folders has its files, the one that the measured sweep checks.
"""

import json
import sys
import time
from pathlib import Path

from cryptography.fernet import Fernet

from benchmarks import generated, print_table, require_packages
from tests.support.baking import WITH_GALLERY, production, run
from tests.support.growth import FILL
from tests.support.postgresql import running_postgresql

LARGE = 1_000_000
SIZES = {1_000: 100, LARGE: 100_000}  # photos and users
ROUNDS = 3

SETUP = """
from django.core.management import call_command

users = {users}
call_command("migrate", verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)
User.objects.create_superuser("admin@example.com")
"""

PAGES = """
import json, statistics, time
from datetime import UTC, datetime
from secure_django.testing import HTTPSClient

def milliseconds(client, url):
    times = []
    for _ in range(25):
        started = time.perf_counter()
        response = client.get(url)
        times.append(time.perf_counter() - started)
        assert response.status_code == 200, (url, response)
    return 1000 * statistics.median(times[5:])

anonymous, owner, staff = HTTPSClient(), HTTPSClient(), HTTPSClient()
anonymous.cookies["unknown"] = "1"  # so that no page is shared
photos = Photo.objects.filter(status="approved")
middle = photos[int(photos.count() * 0.9)]
owner.force_login(middle.owner)
staff.force_login(User.objects.get(email="admin@example.com"))
cursor = f"{int(middle.created_at.timestamp() * 1_000_000)}-{middle.pk.hex}"
queue = "/admin/secure_django_photos/photo/"
search = f"{queue}?show=all&q="
title = middle.title.replace(" ", "+")
print(json.dumps({
    "the gallery": milliseconds(anonymous, "/"),
    "the gallery, nine tenths down": milliseconds(anonymous, f"/?older={cursor}"),
    "my photos": milliseconds(owner, "/photos/mine/"),
    "a photo's page": milliseconds(anonymous, middle.get_absolute_url()),
    "the queue": milliseconds(staff, queue),
    "all photos in the admin": milliseconds(staff, queue + "?show=all"),
    "a search by title": milliseconds(staff, search + title),
    "a search by email": milliseconds(staff, search + middle.owner.email),
}))
"""

# A folder of the storage.
FILES = """
from pathlib import Path
from uuid import UUID
from django.conf import settings

ids = UUID("7f".ljust(32, "0")), UUID("7f".ljust(32, "f"))
for photo in Photo.objects.filter(pk__range=ids, has_files=True).only("pk"):
    for variant in ("display", "thumbnail"):
        path = Path(settings.MEDIA_ROOT, photo.path(variant))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
"""
IDLE = """
import json, resource, time
from secure_django.photos import jobs
started = time.perf_counter()
jobs.delete_removed_files()
jobs.remove_expired_files()
jobs.delete_rows()
jobs.delete_unused_photos("7f")
jobs.delete_orphaned_files("7f")
seconds = time.perf_counter() - started
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""

DELETE = """
import json, time
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from gallery.models import Picture
from secure_django.testing import PASSWORD, HTTPSClient

client = HTTPSClient()
user = User.objects.create_user("owner@example.com", PASSWORD)
values = {"owner": user, "purpose": "gallery.picture.photo", "title": "x"}
values |= {"width": 1, "height": 1, "display_size": 1, "thumbnail_size": 1}
photos = Photo.objects.bulk_create(Photo(**values) for _ in range(2000))
Picture.objects.bulk_create(
    Picture(id=photo.pk, owner=user, title="x", photo=photo) for photo in photos
)
Photo.objects.filter(owner=user).update(status="approved")
for photo in photos:
    for variant in ("display", "thumbnail"):
        default_storage.save(photo.path(variant), ContentFile(b"x"))
client.force_login(user)
client.post("/accounts/reauthenticate/", {"password": PASSWORD})
with CaptureQueriesContext(connection) as queries:
    started = time.perf_counter()
    response = client.post("/accounts/delete/")
    seconds = time.perf_counter() - started
queries = len(queries)
assert response.status_code == 200
assert not User.objects.filter(pk=user.pk).exists()
assert not any(
    client.get(f"/photos/{photo.pk}/").status_code == 200 for photo in photos[:20]
)
started = time.perf_counter()
call_command("worker", "--once")
worker = time.perf_counter() - started
assert not any(default_storage.exists(photo.path("display")) for photo in photos)
print(json.dumps([len(photos), 1000 * seconds, queries, worker]))
"""


def main() -> None:
    """Print how the pages grow, and what the deletions and a rotation of keys cost."""
    require_packages("postgresql")
    with (
        generated(WITH_GALLERY | {"auth_app": True}) as project,
        running_postgresql() as server,
    ):
        environments = {
            photos: production(project)
            | {
                "ALLOWED_HOSTS": "testserver",
                "DATABASE_URL": server.create_database(),
                "MEDIA_ROOT": f"{project}-{photos}",
            }
            for photos in SIZES
        }

        def shell(code: str, photos: int = LARGE) -> str:
            return run(
                project,
                sys.executable,
                "manage.py",
                "shell",
                "-v0",
                "--command",
                code,
                **environments[photos],
            )

        for photos, users in SIZES.items():
            started = time.perf_counter()
            shell(SETUP.format(users=users) + FILL + f"fill({photos})", photos)
            print(
                f"{photos:,} photos made "
                f"in {time.perf_counter() - started:.0f} seconds",
                file=sys.stderr,
            )
        # Alternately, so that whatever else the machine does slows down both.
        rounds = [
            [json.loads(shell(PAGES, photos).splitlines()[-1]) for photos in SIZES]
            for _ in range(ROUNDS)
        ]
        small, large = (
            {name: min(it[side][name] for it in rounds) for name in rounds[0][0]}
            for side in (0, 1)
        )
        print_table(
            [
                "milliseconds inside the process",
                *(f"{photos:,} photos" for photos in SIZES),
                "ratio",
            ],
            [
                [name, small[name], large[name], large[name] / small[name]]
                for name in small
            ],
        )
        print()
        shell(FILES)
        seconds, megabytes = json.loads(shell(IDLE).splitlines()[-1])
        deleted = json.loads(shell(DELETE).splitlines()[-1])
        environment = environments[LARGE]
        environment["FIELD_ENCRYPTION_KEYS"] = (
            f"{Fernet.generate_key().decode()},{environment['FIELD_ENCRYPTION_KEYS']}"
        )
        rates = [rotate(project, environment) for _ in range(2)]
    print_table(
        [f"with {LARGE:,} photos", "result", "target"],
        [
            ["a sweep with nothing to do, seconds", seconds, "at most 2"],
            ["its peak memory with Django, MB", megabytes, "at most 100"],
            [
                f"deletion of a user with {deleted[0]:,} photos, milliseconds",
                deleted[1],
                "at most 300",
            ],
            ["its queries", deleted[2], "at most 50"],
            [
                "until the worker has deleted the files, seconds",
                deleted[3],
                "at most 60",
            ],
            ["re-encryption, rows per second", round(rates[0]), "at least 5,000"],
            [
                "the same again, with nothing to do, rows per second",
                round(rates[1]),
                "-",
            ],
        ],
    )


def rotate(project: Path, environment: dict[str, str]) -> float:
    """Run rotate_encryption and return the rows per second."""
    started = time.perf_counter()
    print(
        run(project, sys.executable, "manage.py", "rotate_encryption", **environment),
        file=sys.stderr,
    )
    return LARGE / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
