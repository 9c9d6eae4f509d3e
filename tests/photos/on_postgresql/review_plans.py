"""No page of the review reads or sorts the whole table of photos."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from secure_django.encryption import encrypt
from secure_django.photos.models import Photo
from secure_django.testing import Login
from users.models import User

QUEUE = "/admin/secure_django_photos/photo/"
PHOTOS = 50_000
# One in 200 waits, and one in 20 was rejected.
FILL = """
INSERT INTO secure_django_photos_photo
  (id, owner_id, purpose, is_moderated, title, original_name, status, reason,
   width, height, display_size, thumbnail_size, has_files, must_delete_files,
   created_at)
SELECT gen_random_uuid(), %(owner)s + number %% 1000, 'test', true,
  'Title ' || number, %(name)s,
  CASE WHEN number %% 200 = 0 THEN 'pending' WHEN number %% 20 = 0 THEN 'rejected'
    ELSE 'approved' END,
  '', 64, 48, 1000, 100, true, false, now() - number * interval '1 second'
FROM generate_series(1, %(photos)s) AS number
"""


@pytest.fixture
def waiting(db: None) -> Photo:
    """Add photos of a thousand users, and return one that waits."""
    users = User.objects.bulk_create(
        User(email=f"user{number}@example.com") for number in range(1000)
    )
    with connection.cursor() as cursor:
        values: Any = {
            "owner": users[0].pk,
            "name": encrypt("holiday.jpg"),
            "photos": PHOTOS,
        }
        cursor.execute(FILL, values)
        cursor.execute("ANALYZE")
        # As for an SSD: for a slow disk, PostgreSQL would read this small table whole.
        cursor.execute("SET LOCAL random_page_cost = 1.1")
    return Photo.objects.waiting()[100]


def nodes(plan: dict) -> list[dict]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


def rows_read(sql: str) -> int:
    """Return the most photos that a node of the plan has read, sorted or counted."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        (plan,) = json.loads(json.dumps(cursor.fetchone()[0]))
    return max(
        int(
            node["Actual Loops"]
            * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        )
        for node in nodes(plan["Plan"])
    )


def test_no_page_reads_the_whole_table(
    login: Login, reviewer: User, waiting: Photo
) -> None:
    client = login(reviewer)
    searches = ["user7@example.com", "Title 77", "Title 7", "missing", str(waiting.pk)]
    pages = [QUEUE, f"{QUEUE}{waiting.pk}/change/"]
    pages += [
        f"{QUEUE}?show={status}&p={page}"
        for status in ("all", "approved", "rejected")
        for page in (1, 10)
    ]
    pages += [f"{QUEUE}?show=all&q={search}" for search in searches] + [
        f"{QUEUE}?q={search}" for search in searches
    ]
    for page in pages:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(page).status_code == 200
        selects = [
            query["sql"]
            for query in queries
            if "secure_django_photos_photo" in query["sql"] and "SELECT" in query["sql"]
        ]
        assert selects
        for sql in selects:
            assert rows_read(sql) < PHOTOS / 10, (page, sql)
