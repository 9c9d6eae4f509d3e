"""docs/existing-projects.md, followed as written in two projects, and out again."""

import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.adopting import (
    LAYOUTS,
    PAGE,
    Existing,
    Part,
    make_existing,
    run_in,
)
from tests.support.baking import ROOT, commit
from tests.support.recipes import replace

# What the page adopts.
ROOMS = ["conf", "guard", "jobs", "photos", "scans", "management", "migrations", "web"]
ABOUT = ["docs/existing-projects.md", "tests/existing/*"]
ABOUT += [f"src/secure_django/{room}/*" for room in ROOMS]
pytestmark = [
    pytest.mark.tier("scheduled", *ABOUT),
    pytest.mark.skipif(sys.platform != "linux", reason="a Unix shell, and the decoder"),
]

WINDOW = """
from secure_django.web import guesses
guesses.WINDOW_SECONDS = 10**9  # no window ends within the test
from django.conf import settings
settings.ALLOWED_HOSTS = ["testserver"]
from django.contrib.auth import get_user_model
from django.test import Client
get_user_model().objects.create_user("reader", "reader@example.com", "of a test 41")
"""
GUESSES = """
client = Client()
def guess(password):
    form = dict.fromkeys(["username", "login"], "reader") | {"password": password}
    return client.post("LOG_IN", form)
first = [guess(f"wrong {number}").status_code for number in range(10)]
assert set(first) == {200}, first
late = guess("wrong")
assert late.status_code == 429, late.status_code
assert int(late.headers["Retry-After"]) > 0
assert guess("of a test 41").status_code == 429
form = {"username": "READER", "login": "READER", "password": "wrong"}
assert client.post("ELSEWHERE", form).status_code == 429
other = client.post(
    "LOG_IN", {"username": "another", "login": "another", "password": "wrong"}
)
assert other.status_code == 200, other.status_code
get_user_model().objects.all().delete()
"""
# After five, allauth asks no backend, and answers by itself.
ALLAUTH = """
client = Client()
form = {"login": "reader", "password": "wrong"}
pages = [client.post("/accounts/login/", form) for _ in range(11)]
assert {page.status_code for page in pages} == {200}
errors = ["Too many failed" in page.text for page in pages]
assert errors == [False] * 5 + [True] * 6, errors
get_user_model().objects.all().delete()
"""
PHOTOS = """
from io import BytesIO
from PIL import Image
from secure_django.photos.models import Photo
from secure_django.photos.services import review_photo
from APP_MODULE.models import Note
users = get_user_model().objects
owner = users.get(username="reader")
reviewer = users.create_superuser("reviewer", "reviewer@example.com")
note = Note.objects.create(author=owner, title="Milk")
file = BytesIO()
exif = Image.Exif()
exif[0x010F] = "The camera"
Image.new("RGB", (64, 48), "teal").save(file, "JPEG", exif=exif)
assert b"The camera" in file.getvalue()
file.seek(0)
file.name = "holiday.jpg"
client = Client()
client.force_login(owner)
answer = client.post(f"/notes/{note.pk}/cover/", {"cover": file})
assert answer.status_code == 302, answer.content.decode()
note.refresh_from_db()
url = f"/photos/{note.cover_id}/display/"
def read(visitor):
    response = visitor.get(url)
    content = b"".join(response) if response.streaming else response.content
    response.close()
    return response.status_code, content
assert read(Client())[0] == 404
status, content = read(client)
assert status == 200
assert b"JFIF" in content[:20] and b"The camera" not in content
assert review_photo(Photo.objects.get(), reviewer, "approved")
assert read(Client())[0] == 200
users.all().delete()
"""
TOKEN = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
PERSON = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
KEYS = f'TOKEN = "{TOKEN}"\n'
INSECURE = "SUM = eval(input())\n"


@pytest.fixture(params=sorted(LAYOUTS))
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Existing:
    return make_existing(request.param, tmp_path / "project")


@contextmanager
def adopted(project: Existing, heading: str) -> Iterator[None]:
    """Follow a part of the page; at the end, show that its way out leaves nothing."""
    part = Part(heading)
    before = project.snapshot()
    undoing = project.follow(part)
    yield
    project.leave(part, undoing)
    after = project.snapshot()
    assert after.keys() == before.keys()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == set()


def test_guard_names_a_page_and_is_green_after_its_correction(
    project: Existing,
) -> None:
    run = project.named("-m pytest -n0 -p no:cacheprovider --ds=DEVELOPMENT").split()
    views = project.path("APP/views.py")
    with adopted(project, "The guard"):
        report = project.fails(*run)
        assert "/notes/<pk>/ shows Note.text (other" in report
        assert "/notes/ shows" not in report
        replace(views, *CORRECTION)
        table = project.path("APP/guard_table.py")
        rows = table.read_text(encoding="utf-8")
        row = r"(/notes/<pk>/ +log-in +200 +)200( +)200"
        assert re.search(row, rows), rows
        table.write_text(re.sub(row, r"\g<1>404\g<2>404", rows), encoding="utf-8")
        project.python(*run)
        replace(views, *CORRECTION[::-1])


CORRECTION = (
    "    note = get_object_or_404(Note, pk=pk)\n",
    "    note = get_object_or_404(Note, pk=pk, author=request.user)\n",
)


def test_check_and_lock_notice_a_weaker_setting(project: Existing) -> None:
    module = project.layout.words["PRODUCTION_MODULE"]
    check = ("manage.py", "check", "--deploy", f"--settings={module}")
    own = (f"--settings={module}", "--variables=lock.env")
    lock = ("-m", "secure_django.conf.lock", *own, "--check")
    production = project.path("PRODUCTION")
    part = "The checks and the lock of settings"
    with adopted(project, part):
        # What the machine has is in no lock.
        project.python(*lock, REDIS_URL="redis://another.example")
        written = (project.folder / "settings.lock").read_text(encoding="utf-8")
        assert 'SECRET_KEY = "example"' in written
        text = production.read_text(encoding="utf-8")
        weak = f"{text}SESSION_COOKIE_HTTPONLY = False\n"
        production.write_text(weak, encoding="utf-8")
        assert "(secure_django.E505)" in project.fails(*check)
        difference = project.fails(*lock)
        assert "+SESSION_COOKIE_HTTPONLY = False" in difference
        assert "settings.lock is out of date" in difference
        # Without the lines of the page, the weaknesses of the project are named.
        production.write_text(text.partition("SESSION_COOKIE_AGE")[0], "utf-8")
        report = project.fails(*check)
        for number in ("E103", "E407", "E408", "E410", "E501", "E543", "E612"):
            assert f"secure_django.{number}" in report, number
        assert "E548" not in report
        production.write_text(text, encoding="utf-8")


def test_log_in_refuses_the_eleventh_guess(project: Existing) -> None:
    with adopted(project, "The limits of the log-in"):
        guesses = GUESSES.replace("LOG_IN", project.layout.log_in)
        guesses = guesses.replace("ELSEWHERE", project.layout.elsewhere)
        project.script(WINDOW + guesses)
        if "/accounts/login/" in guesses:
            project.script(WINDOW + ALLAUTH)


def test_photo_is_encoded_again_and_hidden_until_it_is_approved(
    project: Existing,
) -> None:
    module = project.layout.words["APP"].replace("/", ".")
    with adopted(project, "Photos for one model"):
        project.manage("check")
        project.manage("makemigrations", "--check", "--dry-run")
        project.script(WINDOW + PHOTOS.replace("APP_MODULE", module))
        project.manage("worker", "--once")


def test_job_runs_by_the_worker(project: Existing) -> None:
    module = project.layout.words["APP"].replace("/", ".")
    notes = f"from {module}.models import Note\n"
    notes += "from django.contrib.auth import get_user_model\n"
    make = notes + "user = get_user_model().objects.create_user('reader')\n"
    make += "Note.objects.create(author=user, title='')\n"
    make += "Note.objects.create(author=user, title='Milk')\n"
    with adopted(project, "Jobs"):
        project.manage("makemigrations", "--check", "--dry-run")
        project.script(make)
        project.manage("worker", "--once")
        left = "print([note.title for note in Note.objects.all()])"
        assert "['Milk']" in project.script(f"{notes}{left}")
        project.script(f"{notes}get_user_model().objects.all().delete()")


def test_scans_name_a_secret_in_a_commit_and_an_insecure_call(
    project: Existing,
) -> None:
    commit(project.folder)
    scan = ("-m", "secure_django.scans", "leaks")
    with adopted(project, "The scans"):
        if project.layout.has_leak:
            # The key that startproject writes into the settings.
            assert "mysite/settings.py:23:" in project.fails(*scan)
        else:
            project.python(*scan)
        keys = project.path("APP/keys.py")
        keys.write_text(KEYS, encoding="utf-8")
        run_in(project.folder, "git", "add", "--all")
        run_in(project.folder, "git", *PERSON, "commit", "-q", "-m", "Keys")
        report = project.fails(*scan)
        assert project.named("APP/keys.py:1:") in report
        found = re.findall(r"in commit \w+ \((\w+)\)", report)
        assert found
        rotated = project.folder / "scans" / "leaks-rotated.txt"
        rotated.parent.mkdir()
        lines = [f"{number} Ann, 2026-12-01\n" for number in found]
        rotated.write_text("".join(lines), encoding="utf-8")
        project.python(*scan)
        rotated.unlink()
        rotated.parent.rmdir()
        keys.write_text(INSECURE, encoding="utf-8")
        report = project.fails(*scan[:-1], "bandit", "sbom")
        assert project.named("APP/keys.py:1: B307:") in report
        assert "| sbom             | not run  |" in report  # without uv.lock
        keys.unlink()
        project.python(*scan[:-1], "bandit")


def test_page_names_extras_that_exist() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = re.findall(r"extra `(\w+)`", PAGE.read_text(encoding="utf-8"))
    assert named
    assert set(named) <= pyproject["project"]["optional-dependencies"].keys()
