"""How PostgreSQL finds photos among 50,000: by an index, and without the disk.

A statement reads about as many rows as are needed.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.baking import ALL_ON, Project, production, run
from tests.support.growth import FILL
from tests.support.postgresql import Database

pytestmark = pytest.mark.tier("whole")

PHOTOS, USERS = 50_000, 25_000
TABLES = {
    "secure_django_cloudinary_asset",
    "secure_django_photos_photo",
    "secure_django_photos_verdict",
    "users_user",
}
# That a statement may read for a page or a batch. 2,500 photos wait for a service.
MOST_ROWS = 3000

# Python that runs in the project. Add whatever else must not read the whole table.
WORK = {
    "the gallery": 'HTTPSClient().get("/")',
    "the gallery's later pages": (
        'HTTPSClient().get("/?older=" + cursor); HTTPSClient().get("/?newer=" + cursor)'
    ),
    "my photos, a later page": 'client.get("/photos/mine/?older=" + cursor)',
    "the first page of the admin": 'staff.get("/admin/")',
    "the queue": "staff.get(queue)",
    "all photos in the admin": 'staff.get(queue + "?show=all")',
    "published photos in the admin": 'staff.get(queue + "?show=approved")',
    "a photo in the queue": 'staff.get(f"{queue}{photo.pk}/change/")',
    "a search by title": 'staff.get(queue + "?show=all&q=Photo+4711")',
    "a search by a title that all have": ('staff.get(queue + "?show=all&q=Photo")'),
    "a search of the queue by a title that all have": ('staff.get(queue + "?q=Photo")'),
    "a search of few photos by a title that all have": (
        'staff.get(queue + "?show=rejected&q=Photo")'
    ),
    "a search of few photos by a title that others have": (
        'staff.get(queue + "?show=rejected&q=Other")'
    ),
    "a search by email": 'staff.get(f"{queue}?show=all&q={owner.email}")',
    "my photos": 'client.get("/photos/mine/")',
    "a photo's page": "HTTPSClient().get(photo.get_absolute_url())",
    "the quota": "limits.check_quota(owner)",
    "the claim of due photos": (
        "assert len(Asset.objects.claim(20, timedelta(minutes=5))) == 20"
    ),
    "the removal of files": (
        "services.delete_photo(removed); jobs.delete_removed_files()"
    ),
    "the deletion of rows": "jobs.delete_rows()",
    "the deletion of orphaned files": (
        'jobs.delete_orphaned_files("7f"); assert files.listdir("photos/7f")[1]'
    ),
    "the end of a retention": (
        "jobs.remove_expired_files(); "
        "assert not Photo.objects.filter(auto_rejected_at=long_ago)"
    ),
    "the status": "status.check_files()",
    "the deletion of a user": "owner.delete()",
}
# Explains each statement again, as it was, and takes back what that changed.
SETUP = """
import json
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage as files
from django.core.management import call_command
from django.db import transaction
from django.test.utils import CaptureQueriesContext
from secure_django.testing import HTTPSClient
from secure_django.photos import jobs, limits, services, status
from secure_django.photos.cloudinary.models import Asset

call_command("migrate", verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)
users = {users}
queue = "/admin/secure_django_photos/photo/"
"""
EXPLAIN = """
approved = Photo.objects.filter(status="approved")
approved.filter(pk__lt="40" + "0" * 30).update(title="Other")
with connection.cursor() as cursor:
    cursor.execute(
        "INSERT INTO secure_django_cloudinary_asset "
        "(photo_id, sent, version, attempts) "
        "SELECT id, true, 1, 1 FROM secure_django_photos_photo WHERE has_files"
    )
    cursor.execute("VACUUM (ANALYZE)")
photo, removed, *due = Photo.objects.filter(status="approved")[:30]
owner = photo.owner
client = HTTPSClient()
client.force_login(owner)
staff = HTTPSClient()
staff.force_login(User.objects.create_superuser("admin@example.com"))
middle = Photo.objects.filter(status="approved")[20_000]
cursor = f"{int(middle.created_at.timestamp() * 1_000_000)}-{middle.pk.hex}"
files.save(
    "photos/7f/7f000000-0000-4000-8000-000000000000-display.jpg", ContentFile(b"")
)
Asset.objects.filter(pk__in=[it.pk for it in due]).update(due_at=timezone.now())
long_ago = timezone.now() - timedelta(days=60)
rejected = Photo.objects.filter(status="rejected")[:9]
Photo.objects.filter(pk__in=rejected).update(has_files=True, auto_rejected_at=long_ago)

def explain(sql):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + sql)
        plan = cursor.fetchone()[0][0]["Plan"]
        transaction.set_rollback(True)
    return sql, plan

plans = {}
for name, code in work.items():
    with CaptureQueriesContext(connection) as captured:
        exec(code)
        statements = [it["sql"] for it in captured]
    kinds = ("SELECT", "UPDATE", "DELETE")
    tables = ('"secure_django_photos_', '_asset"')
    known = [it for it in statements if any(table in it for table in tables)]
    plans[name] = [explain(it) for it in known if it.startswith(kinds)]
print(json.dumps(plans))
"""


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all nodes of a plan."""
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def problems(node: dict[str, Any]) -> Iterator[str]:
    """Yield what makes a node of a plan slow when the tables grow."""
    read = node["Actual Loops"] * (
        node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    )
    limited = read <= MOST_ROWS  # the admin's count, which stops at 1,000 photos
    if (
        node["Node Type"] == "Seq Scan"
        and node["Relation Name"] in TABLES
        and not limited
    ):
        yield f"reads all of {node['Relation Name']}"
    if node.get("Sort Space Type") == "Disk":
        yield "sorts on disk"
    if read > MOST_ROWS:
        yield f"{node['Node Type']} of {read} rows"


def test_photos_are_found_by_an_index(project: Project, postgresql: Database) -> None:
    folder = project(ALL_ON)
    environment = production(folder) | {
        "ALLOWED_HOSTS": "testserver",
        "DATABASE_URL": postgresql(),
    }
    code = (
        f"{SETUP.format(users=USERS)}{FILL}fill({PHOTOS})\nwork = {WORK!r}\n{EXPLAIN}"
    )
    printed = run(
        folder,
        sys.executable,
        "manage.py",
        "shell",
        "-v0",
        "--command",
        code,
        **environment,
    )
    plans: dict[str, list[tuple[str, dict[str, Any]]]] = json.loads(
        printed.splitlines()[-1]
    )
    assert all(plans[name] for name in WORK), "some work reads no photos"
    found = [
        (name, problem, sql)
        for name, statements in plans.items()
        for sql, plan in statements
        for node in nodes(plan)
        for problem in problems(node)
    ]
    assert found == []
