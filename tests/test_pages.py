"""Pages of photos on PostgreSQL and Redis: what visitors share, takedowns, lost connections, query plans."""

import re
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from threading import Event
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.support.baking import ALL_OFF, ALL_ON, ROOT, WITH_GALLERY, Answers, Project, production, run
from tests.support.images import encode, landscape
from tests.support.live import OTHER_USER, OWNER, Response, Site, serve
from tests.support.postgresql import Database

pytestmark = pytest.mark.slow

PUBLISH = """
from uploads.services import review_photo
admin = User.objects.get(is_superuser=True)
for photo in Photo.objects.exclude(title__contains="hidden"):
    review_photo(photo, admin, "approved")
"""
# 30,000 photos of 100 users, and what PostgreSQL does for each page of them.
PLANS = """
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from uploads.models import Photo
owner = User.objects.get(email="owner@example.com")
with connection.cursor() as cursor:
    cursor.execute("INSERT INTO users_user "
        "(email, password, is_superuser, is_staff, is_active, decision_emails, date_joined) "
        "SELECT n || '@example.com', '', false, false, true, true, now() FROM generate_series(1, 100) n")
    cursor.execute("INSERT INTO uploads_photo "
        "(id, owner_id, purpose, is_moderated, title, original_name, status, reason, "
        "width, height, size, has_files, must_delete_files, created_at) "
        "SELECT gen_random_uuid(), (SELECT min(id) FROM users_user) + n %% 100, "
        "CASE n / 100 %% 10 WHEN 9 THEN 'bookings.workshop.cover' ELSE 'gallery' END, true, 'A', '', "
        "(ARRAY['approved', 'pending', 'rejected', 'deleted'])[1 + n %% 4], '', 1, 1, 1, true, false, "
        "now() - n * interval '1 second' FROM generate_series(1, 30000) n", [])
    cursor.execute("ANALYZE")
client = Client(headers={"host": "localhost"})
client.force_login(owner)
middle = Photo.objects.only("created_at").order_by("created_at")[15000]
from gallery.paging import make_cursor
for path in ("/", "/photos/mine/"):
    for query in ("", "?older=" + make_cursor(middle), "?newer=" + make_cursor(middle)):
        with CaptureQueriesContext(connection) as queries:
            response = client.get(path + query, secure=True)
        assert response.status_code == 200
        (sql,) = [it["sql"] for it in queries if 'FROM "uploads_photo"' in it["sql"]]
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + sql.replace("%", "%%"), [])
            for (line,) in cursor.fetchall():
                print("plan", path + query[:6], line)
"""
# Prints the process of PostgreSQL that answers in two requests, and in one after a transaction that failed.
CONNECTIONS = """
from contextlib import suppress
from django.db import DatabaseError, close_old_connections, connection

def execute(sql):
    close_old_connections()
    with connection.cursor() as cursor:
        cursor.execute(sql)
        print(*cursor.fetchone())
    close_old_connections()

execute("SELECT pg_backend_pid()")
execute("SELECT pg_backend_pid()")
with suppress(DatabaseError):
    execute("BEGIN; SELECT 1 / 0")
execute("SELECT pg_backend_pid()")
connection.close()
assert not connection.is_usable()
"""


@pytest.fixture
def site(project: Project, postgresql: Database, redis: str) -> Iterator[Site]:
    """Return a site with two published photos and a hidden one."""
    with serve(project(WITH_GALLERY), DATABASE_URL=postgresql(), CACHE_URL=redis) as served:
        owner = served.visitor(OWNER)
        for title in ("A first photo", "A second photo", "A hidden photo"):
            assert owner.upload(encode(landscape(1, (64, 48))), title=title).status == 302
        served.python(PUBLISH)
        yield served


def photo_ids(response: Response) -> list[str]:
    """Return the ids of the photos that a page shows."""
    return re.findall(r'<a href="/photos/([0-9a-f-]{36})/"', response.text)


def test_no_answer_carries_anything_of_another_visitor(site: Site) -> None:
    """Two visitors, one of them logged in with a message waiting, in every order, on every public page."""
    (first, _) = photo_ids(site.visitor().get("/"))
    pages = ["/", "/?a=1", f"/photos/{first}/", f"/photos/{first}/thumbnail/", "/.well-known/security.txt"]
    pages += ["/accounts/login/", "/accounts/password/reset/"]
    member = site.visitor(OTHER_USER)
    for page in pages:
        for order in sorted(set(permutations(("anonymous", "anonymous", "member", "member")))):
            # Leaves a message for the next page.
            assert member.upload(encode(landscape(1, (64, 48))), title="A hidden photo").status == 302
            told = False
            tokens: list[str] = []
            for visitor in order:
                client = member if visitor == "member" else site.visitor()
                response = client.get(page)
                text = response.body.decode(errors="replace")
                tokens += set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', text))
                assert "A hidden photo" not in text
                if visitor == "anonymous":
                    assert "Log out" not in text
                    assert 'class="message"' not in text
                    assert not [it for it in client.cookies if "sessionid" in it]
                    assert member.cookies["__Host-sessionid"].value not in str(response.headers)
                elif page in {"/", "/?a=1"}:
                    assert "Log out" in text
                    assert ("Your photo was uploaded" in text) is not told
                    told = True
                    assert not response.headers["ETag"]
            assert len(tokens) == len(set(tokens))


def test_photo_taken_down_is_gone_from_the_next_page(site: Site) -> None:
    """Six readers load the gallery all the time, without cookies and with a query, while its owner deletes photos."""
    stop, owner = Event(), site.visitor(OWNER)
    seen: list[tuple[float, list[str]]] = []

    def read(page: str) -> None:
        while not stop.is_set():
            started = time.monotonic()
            seen.append((started, photo_ids(site.visitor().get(page))))

    gone: dict[str, float] = {}
    with ThreadPoolExecutor(6) as readers:
        work = [readers.submit(read, page) for page in ("/", "/", "/", "/", "/", "/?a=1")]
        try:
            for photo in photo_ids(site.visitor().get("/")):
                time.sleep(1)
                assert owner.post(f"/photos/{photo}/delete/", {}, "/photos/mine/").status == 302
                gone[photo] = time.monotonic()
            time.sleep(1)
        finally:
            stop.set()
        for it in work:
            it.result()
    assert len(gone) == 2
    for photo, deleted in gone.items():
        assert [at for at, shown in seen if at < deleted and photo in shown]
        assert not [at for at, shown in seen if at > deleted and photo in shown]


def test_no_photo_survives_the_deletion_of_its_account(project: Project, postgresql: Database) -> None:
    folder = project(ALL_OFF)
    shutil.copy(ROOT / "tests" / "inside" / "deletion.py", folder / "uploads" / "tests" / "test_deletion.py")
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "uploads/tests/test_deletion.py"]
    run(folder, sys.executable, *arguments, TEST_DATABASE_URL=postgresql())


def test_lost_connections_are_replaced(site: Site) -> None:
    """The database ends all connections, as when it is restarted."""
    for _ in range(8):
        assert site.visitor().get("/?a=1").status == 200
    url = urlsplit(site.environment["DATABASE_URL"])
    with psycopg.connect(url._replace(path="/postgres").geturl(), autocommit=True) as connection:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        ended = connection.execute(query, [url.path[1:]]).fetchall()
    assert ended
    for _ in range(16):
        assert site.visitor().get("/?a=1").status == 200


def test_connection_is_kept_unless_a_transaction_failed(project: Project, postgresql: Database) -> None:
    folder = project(ALL_OFF)
    command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", CONNECTIONS]
    printed = run(folder, *command, **production(folder) | {"DATABASE_URL": postgresql()})
    first, second, third = printed.split()
    assert first == second != third


def test_gallery_does_not_need_redis(project: Project, postgresql: Database) -> None:
    """Redis refuses all connections."""
    with serve(project(WITH_GALLERY), DATABASE_URL=postgresql(), CACHE_URL="redis://127.0.0.1:1") as site:
        for _ in range(3):
            assert site.visitor().get("/").status == 200


@pytest.mark.parametrize("answers", [WITH_GALLERY, ALL_ON], ids=["gallery", "everything"])
def test_pages_are_read_from_an_index(answers: Answers, project: Project, postgresql: Database) -> None:
    """No page sorts, scans a table or takes longer at the end."""
    with serve(project(answers), DATABASE_URL=postgresql()) as site:
        plans = [line for line in site.python(PLANS).splitlines() if line.startswith("plan ")]
    assert len({line.split()[1] for line in plans}) == 6
    text = "\n".join(plans)
    assert text.count("using uploads_pho_purpose_174aa9_idx") == 3, text
    assert text.count("using uploads_pho_owner_i_215785_idx") == 3, text
    assert not re.search(r"Sort|Seq Scan on uploads_photo|Bitmap", text), text
