"""A product of one's own, built as the emitted docs/your-first-app.md says, and attacks on it."""

import json
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import ClassVar

import pytest

from tests.own_app.product import POE, add_cover, added_lines, build_product, form_data, make_app, texts
from tests.support.accounts import Mailbox
from tests.support.baking import ALL_OFF, ALL_ON, ROOT, Answers, Project, clean_environment, name, production, run
from tests.support.images import encode, landscape
from tests.support.live import (
    CREATE_USERS,
    OTHER_USER,
    OWNER,
    PASSWORD,
    PREPARE,
    STEADY,
    Response,
    Site,
    Visitor,
    gunicorn,
    issue_certificate,
    wait_until_ready,
)
from tests.support.postgresql import Database
from tests.support.proxying import nginx
from tests.support.releases import change
from tests.support.services import Buckets, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals are needed"),
]

PYTEST = (sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider")
JPEG = encode(landscape(1, (640, 480)))
UPLOADS_PER_HOUR, BOOKINGS, PHOTOS = 6, 60, 40

# Photos of workshops that are deleted, and one that stays, each with a file of another kind beside it.
FILL_STORAGE = f"""
from datetime import timedelta
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils import timezone
from uploads.images import VARIANTS, ReencodedImage
from uploads.models import Photo
from uploads.services import NewPhoto, storing_photos
from workshops.models import Workshop
owner = User.objects.create_user("owner@example.com")
purpose = Workshop._meta.get_field("cover").purpose
for number in range({PHOTOS} + 1):
    new = NewPhoto(SimpleUploadedFile("a.jpg", b""), purpose, ReencodedImage(dict.fromkeys(VARIANTS, b"x"), 1, 1))
    with storing_photos(owner, "Weaving", {{"cover": new}}) as photos:
        Workshop.objects.create(owner=owner, title=str(number), cover=photos["cover"])
    folder = str(photos["cover"].pk)[:2]
    default_storage.save(f"handouts/{{folder}}/{{photos['cover'].pk}}-display.jpg", ContentFile(b"%PDF"))
    default_storage.save(f"photos/{{folder}}/notes.txt", ContentFile(b"a text"))
Photo.objects.update(created_at=timezone.now() - timedelta(hours=2))
Workshop.objects.exclude(title="0").delete()
"""
# What the worker does within a day, so slowly that a signal hits it in the middle.
SWEEP = """
import time
from datetime import timedelta
from django.core.files.storage import default_storage
from django.utils import timezone
from uploads import jobs
delete = default_storage.delete
def delete_slowly(name):
    delete(name)
    print(name, flush=True)
    time.sleep(0.02)
default_storage.delete = delete_slowly
for number in range(256):
    jobs.delete_unused_photos(f"{number:02x}")
    jobs.delete_orphaned_files(f"{number:02x}")
    jobs.delete_removed_files()
jobs.delete_rows()
"""
STORED = """
import json
from django.core.files.storage import default_storage
from uploads.models import Photo
found = []
for top in ("photos", "handouts"):
    for folder in default_storage.listdir(top)[0]:
        found += [f"{top}/{folder}/{name}" for name in default_storage.listdir(f"{top}/{folder}")[1]]
print(json.dumps([sorted(found), Photo.objects.count()]))
"""
TYPES = """
from django.core.files.storage import default_storage
for name in ("photos", "handouts"):
    for folder in default_storage.listdir(name)[0]:
        for file in default_storage.listdir(f"{name}/{folder}")[1]:
            print(name, default_storage.open(f"{name}/{folder}/{file}").obj.content_type)
"""
BOOK = f"""
from django.utils import timezone
from workshops.models import Booking, Workshop
workshop = Workshop.objects.create(owner=User.objects.create_user("owner@example.com"), title="Weaving")
for number in range({BOOKINGS}):
    participant = User.objects.create_user(f"participant{{number}}@example.com")
    Booking.objects.create(workshop=workshop, participant=participant, due_at=timezone.now())
"""
WORK = """
from datetime import timedelta
from django.core.management import call_command
from core import mail
from core.management.commands import worker
from workshops import jobs
worker.PAUSE, jobs.CLAIM, mail.CLAIM = 0.1, timedelta(seconds=3), timedelta(seconds=3)
call_command("worker")
"""
LEFT = "from workshops.models import Booking; print(Booking.objects.exclude(due_at=None).count())"
COUNT = """
import json
from django.conf import settings
from pathlib import Path
from uploads.models import Photo
from workshops.models import Workshop
files = len([path for path in Path(settings.MEDIA_ROOT, "photos").rglob("*.jpg")])
covers = Workshop.objects.exclude(cover=None).count()
print(json.dumps([Workshop.objects.count(), covers, Photo.objects.count(), files]))
"""


@pytest.fixture(scope="module")
def product(pristine: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a function that builds the product on a combination of answers; the tests share it."""
    built: dict[str, Path] = {}

    def build(answers: Answers) -> Path:
        if name(answers) not in built:
            folder = shutil.copytree(pristine(answers), tmp_path_factory.mktemp("product") / "my-secure-site")
            make_app(folder)
            add_cover(folder)
            build_product(folder)
            built[name(answers)] = folder
        return built[name(answers)]

    return build


def copy(source: Path, tmp_path: Path) -> Path:
    """Return a copy of a product, for a test that changes it."""
    return shutil.copytree(source, tmp_path / "my-secure-site")


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_cover_takes_at_most_ten_lines_and_none_outside_of_the_app(answers: Answers, project: Project) -> None:
    folder = project(answers)
    make_app(folder)
    before = texts(folder)
    add_cover(folder)
    lines = added_lines(before, texts(folder))
    assert set(lines) == {f"workshops/{it}" for it in ("models.py", "forms.py", "templates/workshops/detail.html")}
    assert sum(lines.values()) <= 10
    run(folder, *PYTEST, "workshops", "core/tests/test_access.py", "core/tests/test_admin.py")


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_product_passes_every_check_and_resists_attacks(answers: Answers, product: Project, tmp_path: Path) -> None:
    folder = copy(product(answers), tmp_path)
    checked = run(folder, *POE, "check")
    assert "Failed" not in checked, checked
    shutil.copy(ROOT / "tests" / "own_app" / "attacks.py", folder / "workshops" / "tests" / "test_attacks.py")
    run(
        folder,
        *PYTEST,
        "workshops",
        "core/tests/test_access.py",
        "core/tests/test_templates.py",
        "uploads/tests/test_fields.py",
    )


@pytest.mark.parametrize(
    ("edit", "rows"),
    [
        (("Paper.objects.filter(owner=request.user)", "Paper.objects.all()"), {"/workshops/papers/<paper>/"}),
        (("Workshop.objects.filter(open_to).distinct()", "Workshop.objects.all()"), {"/workshops/<pk>/room/"}),
    ],
)
def test_owner_check_that_is_dropped_turns_rows_red(
    edit: tuple[str, str], rows: set[str], product: Project, tmp_path: Path
) -> None:
    folder = copy(product(ALL_OFF), tmp_path)
    change(folder, [("workshops/views.py", *edit)])
    with pytest.raises(AssertionError) as failure:
        run(folder, *PYTEST, "core/tests/test_access.py")
    for person in ("other", "staff", "reviewer"):
        assert f"says[{person}]" in str(failure.value)
    assert all(f"{{'{row}': '200'}} != " in str(failure.value) for row in rows)


def shell(folder: Path, code: str, environment: dict[str, str]) -> str:
    """Run code in the project's shell."""
    return run(folder, sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", code, **environment)


def migrated(folder: Path, **changes: str) -> dict[str, str]:
    """Return the environment of a project whose database has its tables."""
    environment = production(folder) | changes
    run(folder, sys.executable, "manage.py", "migrate", "--verbosity", "0", **environment)
    return environment


@contextmanager
def processes(
    folder: Path, code: str, environment: dict[str, str], number: int, log: Path
) -> Iterator[list[Popen[bytes]]]:
    """Run code in several shells at once, and kill those that are left at the end."""
    command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", code]
    with log.open("wb") as output:
        started = [
            Popen(command, cwd=folder, env=clean_environment() | environment, stdout=output, stderr=output)
            for _ in range(number)
        ]
        try:
            yield started
        finally:
            for process in started:
                process.kill()
                process.wait()


@pytest.mark.parametrize("storage", ["folder", "buckets"])
def test_sweep_that_is_killed_is_finished_by_another_and_leaves_other_files_alone(
    storage: str, product: Project, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = copy(product(ALL_OFF), tmp_path)
    bucket: dict[str, str] = {}
    if storage == "buckets":
        create: Buckets = request.getfixturevalue("buckets")
        bucket["STORAGE_URL"] = create()
    environment = migrated(folder, MEDIA_ROOT=str(tmp_path / "media"), UPLOADS_PER_HOUR="1000", **bucket)
    shell(folder, FILL_STORAGE, environment)
    before, number = json.loads(shell(folder, STORED, environment))
    assert number == PHOTOS + 1
    photos = {path for path in before if path.startswith("photos/") and path.endswith(".jpg")}
    assert len(photos) == 2 * number
    if bucket:
        types = Counter(shell(folder, TYPES, environment).splitlines())
        # Not the texts beside them.
        assert types.pop("photos image/jpeg") == len(photos)
        assert {it.split()[1] for it in types} == {"application/octet-stream"}
    log = tmp_path / "sweep.log"
    with processes(folder, SWEEP, environment, 1, log) as (sweep,):
        wait_until(lambda: log.read_bytes().count(b"\n") > PHOTOS, "nothing was deleted")
        sweep.kill()
        sweep.wait()
    assert log.read_bytes().count(b"\n") < 2 * PHOTOS
    shell(folder, SWEEP, environment)
    after, number = json.loads(shell(folder, STORED, environment))
    assert number == 1
    assert len(photos & set(after)) == 2
    assert set(before) - photos == set(after) - photos


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("killed", [0, 1], ids=["all work", "one dies"])
def test_each_participant_is_reminded_once_by_two_workers(
    database: str,
    killed: int,
    product: Project,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    folder = copy(product(ALL_OFF), tmp_path)
    url = {"DATABASE_URL": request.getfixturevalue(database)()} if database == "postgresql" else {}
    with Mailbox() as mailbox:
        threading.Thread(target=mailbox.serve_forever, daemon=True).start()
        environment = migrated(folder, EMAIL_URL=f"smtp://127.0.0.1:{mailbox.server_address[1]}", **url)
        shell(folder, BOOK, environment)

        def told() -> Counter[str]:
            return Counter(str(message["To"]) for message in list(mailbox.messages))

        with processes(folder, WORK, environment, 2, tmp_path / "workers.log") as workers:
            wait_until(lambda: len(told()) > BOOKINGS // 4, "nobody is reminded")
            for worker in workers[:killed]:
                worker.kill()
            wait_until(lambda: len(told()) == BOOKINGS, "not everybody is reminded")
            wait_until(lambda: shell(folder, LEFT, environment).strip() == "0", "bookings are left")
        mailbox.shutdown()
    # The killed worker may have stored one reminder, and sent another one, without noting it.
    assert told().total() <= BOOKINGS + 2 * killed
    assert len(told()) == BOOKINGS


class Customer(Visitor):
    """A client that names the origin as browsers do when nginx listens on 443."""

    own_headers: ClassVar[dict[str, str]] = {"Referer": "https://localhost/"}


@dataclass(frozen=True)
class Shop:
    """The product on two processes, behind the emitted nginx."""

    site: Site
    visitor: Callable[[str], Visitor]

    def counts(self) -> list[int]:
        """Return the number of workshops, of those with a cover, of photos, and of their files."""
        found: list[int] = json.loads(self.site.python(COUNT))
        return found


def send(visitor: Visitor, path: str, token: str, files: dict[str, tuple[str, bytes]], title: str = "A") -> Response:
    """Send a form with files."""
    body, headers = form_data({"csrfmiddlewaretoken": token, "title": title}, files)
    return visitor.request("POST", path, body, headers)


@pytest.fixture
def shop(product: Project, tmp_path: Path, postgresql: Database) -> Iterator[Shop]:
    """Run the product."""
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed")
    folder = copy(product(ALL_OFF), tmp_path)
    certificate, tls = issue_certificate(tmp_path)
    environment = production(folder) | {
        "ALLOWED_HOSTS": "localhost",
        "DATABASE_URL": postgresql(),
        "MEDIA_ROOT": str(tmp_path / "media"),
        "TRUSTED_PROXY_COUNT": "1",
        "UPLOADS_PER_HOUR": str(UPLOADS_PER_HOUR),
        "UPLOAD_DECODE_SECONDS": "100000",
        "WEB_CONCURRENCY": "2",
    }
    shell(folder, PREPARE + CREATE_USERS, environment)
    log = tmp_path / "server.log"
    # The server knows no port, as in production, where nginx listens on 443.
    environment["CSRF_TRUSTED_ORIGINS"] = "https://localhost"
    with (
        gunicorn(folder, environment, log, *STEADY) as (server, port),
        nginx(folder / "deploy", tmp_path, certificate, f"127.0.0.1:{port}") as (_, https),
    ):
        site = Site(folder, f"https://localhost:{https}", environment, tls, server, log)
        wait_until_ready(site)

        def visitor(email: str) -> Visitor:
            found = Customer(site)
            answer = found.post("/accounts/login/", {"login": email, "password": PASSWORD})
            assert answer.status == 302, answer.text
            return found

        yield Shop(site, visitor)


def test_bodies_over_the_limits_are_refused_by_a_page_or_at_the_field(shop: Shop) -> None:
    visitor, add = shop.visitor(OWNER), "/workshops/create/"
    token = visitor.token(add)
    # Over the limit of a photo: read, discarded, and named at its field, which keeps the others' texts.
    answer = send(visitor, add, token, {"plan": ("a.jpg", JPEG + bytes(11 * 1024**2)), "cover": ("a.jpg", JPEG)})
    assert answer.status == 413
    assert "This file is too large. The limit is 10 MB." in answer.text
    assert answer.text.count('aria-invalid="true"') == 1
    assert 'value="A"' in answer.text
    # Over the limit of all files of a form.
    answer = send(visitor, add, token, {"cover": ("a.jpg", JPEG), "handout": ("a.pdf", bytes(17 * 1024**2))})
    assert answer.status == 413
    assert "<h1>Too large</h1>" in answer.text
    # Of unknown length.
    body, headers = form_data({"csrfmiddlewaretoken": token, "title": "A"}, {"cover": ("a.jpg", bytes(17 * 1024**2))})
    chunks = (body[start : start + 2**16] for start in range(0, len(body), 2**16))
    answer = visitor.request("POST", add, chunks, headers)
    assert answer.status == 413
    assert "<h1>Too large</h1>" in answer.text
    assert shop.counts() == [0, 0, 0, 0]
    # A photo of nearly the limit arrives with another file, at this app's URL as at any other.
    answer = send(
        visitor, add, token, {"cover": ("a.jpg", JPEG + bytes(9 * 1024**2)), "handout": ("a.pdf", bytes(5 * 1024**2))}
    )
    assert answer.status == 302, answer.text
    assert shop.counts() == [1, 1, 1, 2]


def test_form_that_is_posted_twice_at_once_stores_no_photo_twice(shop: Shop) -> None:
    visitor = shop.visitor(OWNER)
    token = visitor.token("/workshops/create/")
    files = {"cover": ("a.jpg", JPEG), "plan": ("a.jpg", JPEG)}

    def post(_: int) -> int:
        return send(visitor, "/workshops/create/", token, files).status

    with ThreadPoolExecutor(2) as pool:
        answers = Counter(pool.map(post, range(2)))
    assert set(answers) <= {302, 429}
    stored = answers[302]
    assert stored
    # Each object that was stored has its own photos, and a refused form has left nothing.
    assert shop.counts() == [stored, stored, 2 * stored, 4 * stored]


def test_parallel_replacements_leave_one_photo(shop: Shop) -> None:
    visitor = shop.visitor(OWNER)
    token = visitor.token("/workshops/create/")
    url = send(visitor, "/workshops/create/", token, {"cover": ("a.jpg", JPEG)}).location

    def replace(_: int) -> int:
        return send(visitor, f"{url}edit/", token, {"cover": ("a.jpg", JPEG)}).status

    with ThreadPoolExecutor(4) as pool:
        answers = Counter(pool.map(replace, range(4)))
    assert set(answers) <= {302, 429}
    assert answers[302]
    visible = "from uploads.models import Photo; print(Photo.objects.not_deleted().filter(has_files=True).count())"
    left = f"{visible}\nfrom workshops.models import Workshop; print(Workshop.objects.exclude(cover=None).count())"
    deadline = time.monotonic() + 5
    while (found := shop.site.python(left).split()) != ["1", "1"]:
        assert time.monotonic() < deadline, found


def test_parallel_uploads_do_not_exceed_the_quota(shop: Shop) -> None:
    visitors = [shop.visitor(OWNER) for _ in range(4)]
    other = shop.visitor(OTHER_USER)
    tokens = [visitor.token("/workshops/profile/") for visitor in visitors]
    token = visitors[0].token("/workshops/create/")
    for _ in range(UPLOADS_PER_HOUR - 3):
        assert send(visitors[0], "/workshops/create/", token, {"cover": ("a.jpg", JPEG)}).status == 302

    def post(number: int) -> int:
        it = number % len(visitors)
        return send(
            visitors[it], "/workshops/create/", tokens[it], {"cover": ("a.jpg", JPEG), "plan": ("a.jpg", JPEG)}
        ).status

    with ThreadPoolExecutor(20) as pool:
        answers = Counter(pool.map(post, range(20)))
    assert set(answers) <= {302, 429, 503}
    # Two more photos fit, four do not.
    assert answers[302] <= 1
    workshops, covers, photos, files = shop.counts()
    assert workshops == covers == UPLOADS_PER_HOUR - 3 + answers[302]
    assert photos == UPLOADS_PER_HOUR - 3 + 2 * answers[302] <= UPLOADS_PER_HOUR
    assert files == 2 * photos
    answer = send(other, "/workshops/create/", other.token("/workshops/create/"), {"cover": ("a.jpg", JPEG)})
    assert answer.status == 302
