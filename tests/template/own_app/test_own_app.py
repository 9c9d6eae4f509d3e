"""A product built as the emitted docs/your-first-app.md says, and attacks on it."""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import ClassVar

import pytest

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    ROOT,
    Answers,
    Project,
    clean_environment,
    name,
    production,
    run,
)
from tests.support.images import encode, landscape
from tests.support.live import (
    CREATE_USERS,
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
from tests.support.services import Buckets, wait_until
from tests.support.suite import ACCESS, CONTROLS, WRITING, run_tests
from tests.template.own_app.product import (
    POE,
    add_cover,
    added_lines,
    build_product,
    form_data,
    make_app,
    texts,
)

pytestmark = [
    pytest.mark.tier("whole"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals are needed"),
]

JPEG = encode(landscape(1, (640, 480)))
PHOTOS = 40

# Photos of workshops that are deleted, and one that stays, each with a file of another
# kind beside it.
FILL_STORAGE = f"""
from datetime import timedelta
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils import timezone
from secure_django.photos.images import VARIANTS, NewPhoto, ReencodedImage
from secure_django.photos.models import Photo
from secure_django.photos.services import storing_photos
from workshops.models import Workshop
owner = User.objects.create_user("owner@example.com")
purpose = Workshop._meta.get_field("cover").purpose
for number in range({PHOTOS} + 1):
    image = ReencodedImage(dict.fromkeys(VARIANTS, b"x"), 1, 1)
    new = NewPhoto(SimpleUploadedFile("a.jpg", b""), purpose, image)
    with storing_photos(owner, "Weaving", {{"cover": new}}) as photos:
        Workshop.objects.create(owner=owner, title=str(number), cover=photos["cover"])
    folder = str(photos["cover"].pk)[:2]
    handout = f"handouts/{{folder}}/{{photos['cover'].pk}}-display.jpg"
    default_storage.save(handout, ContentFile(b"%PDF"))
    default_storage.save(f"photos/{{folder}}/notes.txt", ContentFile(b"a text"))
Photo.objects.update(created_at=timezone.now() - timedelta(hours=2))
Workshop.objects.exclude(title="0").delete()
"""
# What the worker does within a day. After so many files, it waits for its end.
SWEEP = """
import os
import time
from datetime import timedelta
from django.core.files.storage import default_storage
from django.utils import timezone
from secure_django.photos import jobs
delete, deleted = default_storage.delete, []
def delete_and_wait(name):
    delete(name)
    print(name, flush=True)
    deleted.append(name)
    while len(deleted) == int(os.environ.get("WAIT_AFTER", 0)):
        time.sleep(1)
default_storage.delete = delete_and_wait
for folder in default_storage.listdir("photos")[0]:
    jobs.delete_unused_photos(folder)
    jobs.delete_orphaned_files(folder)
    jobs.delete_removed_files()
jobs.delete_rows()
"""
STORED = """
import json
from django.core.files.storage import default_storage
from secure_django.photos.models import Photo
found = []
for top in ("photos", "handouts"):
    for folder in default_storage.listdir(top)[0]:
        names = default_storage.listdir(f"{top}/{folder}")[1]
        found += [f"{top}/{folder}/{name}" for name in names]
print(json.dumps([sorted(found), Photo.objects.count()]))
"""
TYPES = """
from django.core.files.storage import default_storage
for name in ("photos", "handouts"):
    for folder in default_storage.listdir(name)[0]:
        for file in default_storage.listdir(f"{name}/{folder}")[1]:
            stored = default_storage.open(f"{name}/{folder}/{file}")
            print(name, stored.obj.content_type)
"""
COUNT = """
import json
from django.conf import settings
from pathlib import Path
from secure_django.photos.models import Photo
from workshops.models import Workshop
files = len([path for path in Path(settings.MEDIA_ROOT, "photos").rglob("*.jpg")])
covers = Workshop.objects.exclude(cover=None).count()
print(json.dumps([Workshop.objects.count(), covers, Photo.objects.count(), files]))
"""


@pytest.fixture(scope="module")
def product(pristine: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a function that builds the product on answers; the tests share it."""
    built: dict[str, Path] = {}

    def build(answers: Answers) -> Path:
        if name(answers) not in built:
            folder = shutil.copytree(
                pristine(answers), tmp_path_factory.mktemp("product") / "my-secure-site"
            )
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
def test_cover_takes_at_most_ten_lines_and_none_outside_of_the_app(
    answers: Answers, project: Project
) -> None:
    folder = project(answers)
    make_app(folder)
    before = texts(folder)
    add_cover(folder)
    lines = added_lines(before, texts(folder))
    assert set(lines) == {
        f"workshops/{it}"
        for it in ("models.py", "forms.py", "templates/workshops/detail.html")
    }
    assert sum(lines.values()) <= 10
    run_tests(folder, "workshops", ACCESS, WRITING)


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_product_passes_every_check_and_resists_attacks(
    answers: Answers, product: Project, tmp_path: Path
) -> None:
    folder = copy(product(answers), tmp_path)
    if answers is ALL_ON:
        checked = run(folder, *POE, "check")
        assert "Failed" not in checked, checked
    shutil.copy(
        ROOT / "tests" / "template" / "own_app" / "attacks.py",
        folder / "workshops" / "tests" / "test_attacks.py",
    )
    run_tests(folder, "workshops", ACCESS, CONTROLS)


def shell(folder: Path, code: str, environment: dict[str, str]) -> str:
    """Run code in the project's shell."""
    return run(
        folder,
        sys.executable,
        "manage.py",
        "shell",
        "--verbosity",
        "0",
        "--command",
        code,
        **environment,
    )


def migrated(folder: Path, **changes: str) -> dict[str, str]:
    """Return the environment of a project whose database has its tables."""
    environment = production(folder) | changes
    run(
        folder,
        sys.executable,
        "manage.py",
        "migrate",
        "--verbosity",
        "0",
        **environment,
    )
    return environment


@contextmanager
def processes(
    folder: Path, code: str, environment: dict[str, str], number: int, log: Path
) -> Iterator[list[Popen[bytes]]]:
    """Run code in several shells at once, and kill those that are left at the end."""
    command = [
        sys.executable,
        "manage.py",
        "shell",
        "--verbosity",
        "0",
        "--command",
        code,
    ]
    with log.open("wb") as output:
        started = [
            Popen(
                command,
                cwd=folder,
                env=clean_environment() | environment,
                stdout=output,
                stderr=output,
            )
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
    environment = migrated(
        folder, MEDIA_ROOT=str(tmp_path / "media"), UPLOADS_PER_HOUR="1000", **bucket
    )
    shell(folder, FILL_STORAGE, environment)
    before, number = json.loads(shell(folder, STORED, environment))
    assert number == PHOTOS + 1
    photos = {
        path for path in before if path.startswith("photos/") and path.endswith(".jpg")
    }
    assert len(photos) == 2 * number
    if bucket:
        types = Counter(shell(folder, TYPES, environment).splitlines())
        # Not the texts beside them.
        assert types.pop("photos image/jpeg") == len(photos)
        assert {it.split()[1] for it in types} == {"application/octet-stream"}
    log = tmp_path / "sweep.log"
    stopped = environment | {"WAIT_AFTER": str(PHOTOS)}
    with processes(folder, SWEEP, stopped, 1, log) as (sweep,):
        wait_until(
            lambda: log.read_bytes().count(b"\n") >= PHOTOS, "nothing was deleted"
        )
        sweep.kill()
        sweep.wait()
    shell(folder, SWEEP, environment)
    after, number = json.loads(shell(folder, STORED, environment))
    assert number == 1
    assert len(photos & set(after)) == 2
    assert set(before) - photos == set(after) - photos


class Customer(Visitor):
    """A client that names the origin as browsers do when nginx listens on 443."""

    own_headers: ClassVar[dict[str, str]] = {"Referer": "https://localhost/"}


@dataclass(frozen=True)
class Shop:
    """The product on two processes, behind the emitted nginx."""

    site: Site
    visitor: Callable[[str], Visitor]

    def counts(self) -> list[int]:
        """Return the number of workshops, of those with a cover, photos and files."""
        found: list[int] = json.loads(self.site.python(COUNT))
        return found


def send(
    visitor: Visitor,
    path: str,
    token: str,
    files: dict[str, tuple[str, bytes]],
    title: str = "A",
) -> Response:
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
        "UPLOAD_DECODE_SECONDS": "100000",
        "WEB_CONCURRENCY": "2",
    }
    shell(folder, PREPARE + CREATE_USERS, environment)
    log = tmp_path / "server.log"
    # The server knows no port, as in production, where nginx listens on 443.
    environment["CSRF_TRUSTED_ORIGINS"] = "https://localhost"
    with (
        gunicorn(folder, environment, log, *STEADY) as (server, port),
        nginx(folder / "deploy", tmp_path, certificate, f"127.0.0.1:{port}") as (
            _,
            https,
        ),
    ):
        site = Site(folder, f"https://localhost:{https}", environment, tls, server, log)
        wait_until_ready(site)

        def visitor(email: str) -> Visitor:
            found = Customer(site)
            answer = found.post(
                "/accounts/login/", {"login": email, "password": PASSWORD}
            )
            assert answer.status == 302, answer.text
            return found

        yield Shop(site, visitor)


def test_bodies_over_the_limits_are_refused_by_a_page_or_at_the_field(
    shop: Shop,
) -> None:
    visitor, add = shop.visitor(OWNER), "/workshops/create/"
    token = visitor.token(add)
    # Over the limit of a photo: read, discarded, and named at its field, which keeps
    # the others' texts.
    answer = send(
        visitor,
        add,
        token,
        {"plan": ("a.jpg", JPEG + bytes(11 * 1024**2)), "cover": ("a.jpg", JPEG)},
    )
    assert answer.status == 413
    assert "This file is too large. The limit is 10 MB." in answer.text
    assert answer.text.count('aria-invalid="true"') == 1
    assert 'value="A"' in answer.text
    # Over the limit of all files of a form.
    answer = send(
        visitor,
        add,
        token,
        {"cover": ("a.jpg", JPEG), "handout": ("a.pdf", bytes(17 * 1024**2))},
    )
    assert answer.status == 413
    assert "<h1>Too large</h1>" in answer.text
    # Of unknown length.
    body, headers = form_data(
        {"csrfmiddlewaretoken": token, "title": "A"},
        {"cover": ("a.jpg", bytes(17 * 1024**2))},
    )
    chunks = (body[start : start + 2**16] for start in range(0, len(body), 2**16))
    answer = visitor.request("POST", add, chunks, headers)
    assert answer.status == 413
    assert "<h1>Too large</h1>" in answer.text
    assert shop.counts() == [0, 0, 0, 0]
    # A photo of nearly the limit arrives with another file, as at any other URL.
    answer = send(
        visitor,
        add,
        token,
        {
            "cover": ("a.jpg", JPEG + bytes(9 * 1024**2)),
            "handout": ("a.pdf", bytes(5 * 1024**2)),
        },
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
    # Each stored object has its own photos, and a refused form has left nothing.
    assert shop.counts() == [stored, stored, 2 * stored, 4 * stored]


def test_parallel_replacements_leave_one_photo(shop: Shop) -> None:
    visitor = shop.visitor(OWNER)
    token = visitor.token("/workshops/create/")
    url = send(
        visitor, "/workshops/create/", token, {"cover": ("a.jpg", JPEG)}
    ).location

    def replace(_: int) -> int:
        return send(visitor, f"{url}edit/", token, {"cover": ("a.jpg", JPEG)}).status

    with ThreadPoolExecutor(4) as pool:
        answers = Counter(pool.map(replace, range(4)))
    assert set(answers) <= {302, 429}
    assert answers[302]
    visible = (
        "from secure_django.photos.models import Photo; "
        "print(Photo.objects.not_deleted().filter(has_files=True).count())"
    )
    left = (
        f"{visible}\nfrom workshops.models import Workshop; "
        "print(Workshop.objects.exclude(cover=None).count())"
    )
    assert shop.site.python(left).split() == ["1", "1"]
