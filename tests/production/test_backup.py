"""Backups of PostgreSQL and the photos by restic: what restores them, or refuses to."""

import json
import os
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from cryptography.fernet import Fernet

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    Answers,
    Project,
    clean_environment,
    production,
    run,
)
from tests.support.live import issue_certificate
from tests.support.postgresql import Database
from tests.support.readme import section
from tests.support.services import free_port, wait_until

pytestmark = [
    pytest.mark.tier("whole"),
    pytest.mark.skipif(
        not shutil.which("pg_dump"), reason="PostgreSQL is not installed"
    ),
    pytest.mark.skipif(not shutil.which("restic"), reason="restic is not installed"),
]

EXTREMES = [ALL_ON, ALL_OFF]
BACKUPS = (sys.executable, "-m", "secure_django.commands.backups")
DUMP = "database.dump"
MANY = 10_000
STEPS = (
    "Saving the database",
    "Saving the photos",
    "Reading a part of the repository",
    "Deleting old backups",
    "Reading the backup",
    "Loading the rows into a new database",
    "Adding the photos",
    "Replacing the database",
)
OPERATIONS = Path("docs") / "operations.md"
SERVER_PROGRAMS = ("htpasswd", "restic-rest-server")
MANAGE = (sys.executable, "manage.py")
CREATE = """
from secure_django.sessions import SessionStore
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
user = User.objects.first() or User.objects.create_superuser(
    "admin@example.com", "correct horse battery staple"
)
photo = Photo(
    owner=user, title="{title}", original_name="{title}.jpg", width=1, height=1,
    display_size=5000, thumbnail_size=1
)
photo.save()
default_storage.save(photo.path("display"), ContentFile(b"{title}" * 1000))
cache.set("rate", "secret-counter")
session = SessionStore()
session["key"] = "secret-session"
session.save()
"""
# The encrypted names are read with the kept key.
SHOW = """
from secure_django.models import Session
from django.core.cache import cache
from django.core.files.storage import default_storage
for photo in Photo.objects.order_by("title"):
    start = default_storage.open(photo.path("display")).read(5)
    print(photo.owner.email, photo.original_name, start)
print(Session.objects.count(), cache.get("rate"))
"""
LIGHT, DUSK = (
    "admin@example.com Light.jpg b'Light'",
    "admin@example.com Duskk.jpg b'Duskk'",
)


class Machine:
    """A project with a database, a folder of photos and a repository."""

    def __init__(self, folder: Path, home: Path, **environment: str) -> None:
        """Take a project, and a folder for the photos and the repository."""
        self.folder = folder
        self.media = home / "media"
        self.repository = home / "backups"
        self.environment = production(folder) | environment
        self.environment |= {
            "MEDIA_ROOT": str(self.media),
            "RESTIC_REPOSITORY": str(self.repository),
            "RESTIC_PASSWORD": "word",
        }

    def manage(self, *words: str) -> str:
        """Run a command of manage.py."""
        return run(self.folder, *MANAGE, *words, **self.environment)

    def shell(self, code: str) -> list[str]:
        """Run code, and return the lines that it prints."""
        return self.manage("shell", "--verbosity", "0", "--command", code).splitlines()

    def restic(self, *words: str) -> str:
        """Run restic."""
        return run(self.folder, "restic", "--no-cache", *words, **self.environment)

    def back_up(self) -> str:
        """Make a backup, and return its id."""
        run(self.folder, *BACKUPS, "create", **self.environment)
        assert not (self.media / DUMP).exists()
        return str(self.snapshots()[-1]["short_id"])

    def snapshots(self) -> list[dict[str, Any]]:
        """Return what restic knows of each backup."""
        found: list[dict[str, Any]] = json.loads(self.restic("snapshots", "--json"))
        return found

    def restore(self, *backup: str) -> None:
        """Restore a backup."""
        run(self.folder, *BACKUPS, "restore", *backup, **self.environment)
        assert not (self.media / DUMP).exists()

    def tables(self) -> set[str]:
        """Return the names of the tables of the database."""
        code = (
            "from django.db import connection; "
            "print(*connection.introspection.table_names())"
        )
        return set(self.shell(code)[0].split())

    def refuses(self, *attempts: tuple[str, str]) -> None:
        """Check that backups are refused, each for its reason, and change nothing."""
        before = self.state()
        for backup, reason in attempts:
            self.refuses_now(backup, reason)
        assert self.state() == before

    def refuses_now(self, backup: str, reason: str) -> None:
        """Check that a backup is refused for its reason."""
        shown = f"(?s){reason}.*cannot be restored, and nothing was changed"
        with pytest.raises(AssertionError, match=shown) as failed:
            self.restore(backup)
        assert "Traceback" not in str(failed.value)
        assert "Expecting value" not in str(failed.value)

    def state(self) -> tuple[object, ...]:
        """Return the rows, the tables, the databases and the files."""
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            query = "SELECT datname FROM pg_database WHERE datname LIKE %s"
            name = f"{connection.info.dbname}%"
            databases = connection.execute(query, [name]).fetchall()
        return (
            self.shell(SHOW),
            self.tables(),
            databases,
            sorted(self.media.rglob("*")),
        )


@pytest.fixture(scope="session")
def migrated(pristine: Project, postgresql: Database) -> Callable[[Answers], str]:
    """Return a function that returns the URL of a new database with its tables.

    Its owner is no superuser, as in production. The migrations run once.
    """

    @cache
    def migrate(number: int) -> str:
        answers = EXTREMES[number]
        url = postgresql()
        database = url.rpartition("/")[2]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {database} LOGIN CREATEDB".encode())
            owner = f"ALTER DATABASE {database} OWNER TO {database}"
            connection.execute(owner.encode())
        owned = url.replace("//site@", f"//{database}@")
        folder = pristine(answers)
        run(folder, *MANAGE, "migrate", **production(folder) | {"DATABASE_URL": owned})
        return owned

    def copy(answers: Answers) -> str:
        source = migrate(EXTREMES.index(answers))
        server, _, database = source.rpartition("/")
        new = f"site_{uuid4().hex}"
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {new} TEMPLATE {database}".encode())
        return f"{server}/{new}"

    return copy


@pytest.fixture
def machine(
    project: Project, tmp_path: Path, migrated: Callable[[Answers], str]
) -> Callable[[], Machine]:
    """Return a function that makes a machine with an empty site."""
    folder, numbers = project(ALL_ON), iter(range(9))

    def make() -> Machine:
        home = tmp_path / f"machine-{next(numbers)}"
        home.mkdir()
        return Machine(folder, home, DATABASE_URL=migrated(ALL_ON))

    return make


@pytest.fixture
def small_site(
    project: Project, tmp_path: Path, migrated: Callable[[Answers], str]
) -> Machine:
    """Return an empty site with nothing chosen."""
    return Machine(project(ALL_OFF), tmp_path, DATABASE_URL=migrated(ALL_OFF))


def test_backups_from_before_a_rotation_and_after_it_are_restored(
    machine: Callable[[], Machine],
) -> None:
    site = machine()
    old_key = site.environment["FIELD_ENCRYPTION_KEYS"]
    new_key = Fernet.generate_key().decode()
    site.shell(CREATE.format(title="Light"))
    old = site.back_up()
    assert b"Light" not in read_all(site.repository), "restic encrypts"

    site.environment["FIELD_ENCRYPTION_KEYS"] = f"{new_key},{old_key}"
    told = site.manage("rotate_encryption")
    assert "Keep the old keys for 8 weeks" in told
    site.shell(CREATE.format(title="Duskk"))
    newest = site.back_up()
    assert old_key not in str(site.snapshots())

    other = machine()
    other.repository = site.repository
    other.environment["RESTIC_REPOSITORY"] = str(site.repository)
    other.environment["FIELD_ENCRYPTION_KEYS"] = f"{new_key},{old_key}"
    for backup, rows in (
        (old, [LIGHT]),
        (newest, [DUSK, LIGHT]),
    ):
        other.restore(backup)
        other.manage("migrate", "--check")
        assert other.shell(SHOW) == [*rows, "0 None"], "no sessions and no cache"
    other.restore(other.back_up())  # also what a restore has made
    assert other.shell(SHOW) == [DUSK, LIGHT, "0 None"]
    assert not [name for name in other.tables() if "old" in name]

    other.environment["FIELD_ENCRYPTION_KEYS"] = new_key
    other.refuses((old, ""))
    other.environment["FIELD_ENCRYPTION_KEYS"] = f"{new_key},{old_key}"
    other.environment["RESTIC_PASSWORD"] = "another"  # noqa: S105
    other.refuses((old, "wrong password"))
    with pytest.raises(AssertionError, match=r"\nThe command failed: .* password: "):
        other.back_up()


def read_all(folder: Path) -> bytes:
    """Return the content of all files."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return b"".join(path.read_bytes() for path in files)


def test_every_other_table_is_saved_with_its_rows(
    machine: Callable[[], Machine], tmp_path: Path
) -> None:
    site = machine()
    dump = tmp_path / "dump"
    site.restic("dump", f"--target={dump}", site.back_up(), f"/{DUMP}")
    listed = run(site.folder, "pg_restore", "--list", str(dump))
    saved = set(re.findall(r" TABLE DATA public (\w+) ", listed))
    emptied = {
        "secure_django_lastrun",
        "secure_django_mail",
        "django_cache",
        "django_session",
        "secure_django_session",
        "usersessions_usersession",
    }
    assert site.tables() - saved == emptied


def test_what_is_newer_than_the_backup_goes(machine: Callable[[], Machine]) -> None:
    site = machine()
    site.shell(CREATE.format(title="Light"))
    backup = site.back_up()
    # What the migration of a new app makes.
    site.shell(
        "from django.db import connection as it; "
        "it.cursor().execute('CREATE TABLE note (id integer)')"
    )
    assert "note" in site.tables()
    site.back_up()
    (made,) = last_run(site)
    site.restore(backup)
    assert "note" not in site.tables()
    (shown,) = last_run(site)
    assert abs(shown - made) < timedelta(minutes=5), (
        "`manage.py status` shows the newest"
    )


def test_restored_photos_are_new_to_the_worker(machine: Callable[[], Machine]) -> None:
    site = machine()
    site.shell(CREATE.format(title="Light"))
    (file,) = [path for path in site.media.rglob("*") if path.is_file()]
    os.utime(file, (0, 0))
    backup = site.back_up()
    content = file.read_bytes()
    file.unlink()
    site.restore(backup)
    assert file.read_bytes() == content
    assert time.time() - file.stat().st_mtime < 3600, (
        "the worker deletes older files without a row"
    )


def test_damaged_repository_is_not_restored(
    machine: Callable[[], Machine], tmp_path: Path
) -> None:
    site = machine()
    site.shell(CREATE.format(title="Light"))
    backup = site.back_up()
    site.shell(CREATE.format(title="Duskk"))
    whole = tmp_path / "whole"
    shutil.copytree(site.repository, whole)
    # Of the packs, some hold data, the others the names of files.
    packs = sorted((whole / "data").rglob("*/*"))
    before = site.state()
    damages: list[tuple[Path, Callable[[Path], None]]] = []
    damages += [(pack, flip_byte) for pack in packs]
    damages += [(packs[0], cut_off), (packs[-1], os.remove)]
    for pack, damage in damages:
        shutil.rmtree(site.repository)
        shutil.copytree(whole, site.repository)
        damage(site.repository / pack.relative_to(whole))
        site.refuses_now(backup, "")
    shutil.rmtree(site.repository)
    site.refuses_now(backup, "repository does not exist")
    assert site.state() == before
    shutil.copytree(whole, site.repository)
    for pack in site.repository.glob("data/*/*"):
        flip_byte(pack)
    made = last_run(site)
    with pytest.raises(AssertionError, match="The command failed: restic ended"):
        site.back_up()
    assert last_run(site) == made, "`manage.py status` would call it made"
    shutil.rmtree(site.repository)
    shutil.copytree(whole, site.repository)
    site.restore(backup)
    assert site.shell(SHOW) == [LIGHT, "0 None"]


def last_run(site: Machine) -> list[datetime]:
    """Return when the last backup was made, if `manage.py status` knows of one."""
    lines = site.shell(
        "from secure_django.models import LastRun\n"
        "for run in LastRun.objects.filter(name='backup'): print(run.at.isoformat())"
    )
    return [datetime.fromisoformat(line) for line in lines]


def flip_byte(file: Path) -> None:
    """Change one bit in the middle of a file."""
    file.chmod(0o600)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut_off(file: Path) -> None:
    """Remove the second half of a file."""
    file.chmod(0o600)
    os.truncate(file, file.stat().st_size // 2)


def test_killed_backup_leaves_nothing_and_disturbs_no_other(
    machine: Callable[[], Machine],
) -> None:
    site = machine()
    site.shell(CREATE.format(title="Light"))
    site.back_up()
    ends = kill_at_each_step(site, "create")
    assert "Saving the photos" in ends
    (site.media / DUMP).write_bytes(b"left by a kill")
    environment = {"RESTIC_PASSWORD": "wrong"}
    with pytest.raises(AssertionError, match="wrong password"):
        run(site.folder, *BACKUPS, "create", **site.environment | environment)
    assert not (site.media / DUMP).exists()
    site.back_up()
    site.restic("check", "--read-data")
    other = machine()
    for name in ("FIELD_ENCRYPTION_KEYS", "RESTIC_REPOSITORY"):
        other.environment[name] = site.environment[name]
    for snapshot in site.snapshots():
        other.restore(snapshot["short_id"])
        assert other.shell(SHOW) == [LIGHT, "0 None"]


def test_killed_restore_leaves_the_old_site_or_the_new_one(
    machine: Callable[[], Machine],
) -> None:
    site = machine()
    site.shell(CREATE.format(title="Light"))
    backup = site.back_up()
    site.shell(CREATE.format(title="Duskk"))
    photos = sorted(path for path in site.media.rglob("*") if path.is_file())
    ends = kill_at_each_step(site, "restore", backup)
    assert "Adding the photos" in ends
    found = sorted(path for path in site.media.parent.rglob("*") if path.is_file())
    plain = [path for path in found if site.repository not in path.parents]
    assert plain == photos, "nothing else is there as plain text"
    site.restore(backup)
    assert site.shell(SHOW) == [LIGHT, "0 None"]
    assert sorted(path for path in site.media.rglob("*") if path.is_file()) == photos


def kill_at_each_step(site: Machine, *words: str) -> list[str]:
    """Kill a command and what it runs, once at each step that it prints."""
    steps: list[str] = []
    while True:
        process = subprocess.Popen(
            [*BACKUPS, *words],
            cwd=site.folder,
            env=clean_environment() | site.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stderr
        with process, process.stderr:
            for line in process.stderr:
                if line.strip() in STEPS and line.strip() not in steps:
                    steps.append(line.strip())
                    os.killpg(process.pid, signal.SIGKILL)
                    break
            else:
                return steps
        found = site.shell(SHOW)
        assert found[:-1] in ([DUSK, LIGHT], [LIGHT]), "rows of one site, not of two"


def malicious_backup(site: Machine, folder: Path, dump: bytes) -> str:
    """Make a backup with the site's password and keys, and another dump."""
    folder.mkdir()
    (folder / DUMP).write_bytes(dump)
    tags = [f"--tag={tag}" for tag in site.snapshots()[-1]["tags"]]
    command = ("restic", "backup", "--host=site", *tags, ".")
    run(folder, *command, **site.environment)
    found: str = site.snapshots()[-1]["short_id"]
    return found


def test_dump_that_is_cut_off_is_not_restored(
    machine: Callable[[], Machine], tmp_path: Path
) -> None:
    site = machine()
    site.shell(CREATE.format(title="Light"))
    backup = site.back_up()
    dump = tmp_path / "dump"
    site.restic("dump", f"--target={dump}", backup, f"/{DUMP}")
    whole = dump.read_bytes()
    attempts = []
    for size in (0, len(whole) // 2, len(whole) * 9 // 10, len(whole) - 1):
        cut = malicious_backup(site, tmp_path / f"cut-{size}", whole[:size])
        attempts.append((cut, "pg_restore"))
    site.refuses(*attempts)
    site.restore(malicious_backup(site, tmp_path / "whole", whole))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_backup_with_a_link_is_not_restored(small_site: Machine) -> None:
    site = small_site
    link = site.media / "photos" / "display.jpg"
    link.parent.mkdir(parents=True)
    makers = (partial(link.symlink_to, "/etc/passwd"), partial(os.mkfifo, link))
    for make in makers:
        make()
        backup = site.back_up()
        link.unlink()
        with pytest.raises(AssertionError, match="nothing was changed: /photos/disp"):
            site.restore(backup)
        assert not os.path.lexists(link)


def test_nothing_of_a_dump_runs_on_the_machine(
    small_site: Machine, tmp_path: Path
) -> None:
    site, sign = small_site, tmp_path / "sign"
    tmp_path.chmod(0o777)
    owned = site.environment["DATABASE_URL"]
    with psycopg.connect(owned) as connection:
        connection.execute(f"COMMENT ON TABLE users_user IS '{'x' * 200}'".encode())
    backup = site.back_up()
    dump = tmp_path / "dump"
    site.restic("dump", f"--target={dump}", backup, f"/{DUMP}")
    whole = dump.read_bytes()
    comment = f"COMMENT ON TABLE public.users_user IS '{'x' * 200}';".encode()
    assert whole.count(comment) == 1
    program = f"COPY (SELECT 1) TO PROGRAM 'touch {sign}';"
    contents = [f"\\! touch {sign}\n".encode()]  # a script for psql
    for sql in (program, f"COMMIT; {program}"):
        changed = whole.replace(comment, sql.encode().ljust(len(comment)))
        contents.append(changed)
    attempts = []
    for number, content in enumerate(contents):
        malicious = malicious_backup(site, tmp_path / f"malicious-{number}", content)
        attempts.append((malicious, "pg_restore"))
    site.refuses(*attempts)
    assert not sign.exists()
    # A superuser may run programs, so it restores not even a good dump.
    superuser = re.sub("//[^@]+@", "//site@", owned)
    site.environment["DATABASE_URL"] = superuser
    site.refuses((backup, "superuser"))


def test_sqlite_is_refused(project: Project, tmp_path: Path) -> None:
    folder = project(ALL_OFF)
    media = {"MEDIA_ROOT": str(tmp_path / "media")}
    for action in ("create", "restore"):
        with pytest.raises(
            AssertionError, match=r"\nThe command failed: this needs PostgreSQL; .*\n$"
        ):
            run(folder, *BACKUPS, action, **production(folder) | media)
    assert not (tmp_path / "media").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows runs no shell script")
def test_missing_secrets_start_no_container(project: Project, tmp_path: Path) -> None:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f"#!/bin/sh\necho $* >> {tmp_path}/commands\n", encoding="utf-8")
    docker.chmod(0o755)
    folder = project(ALL_OFF)
    path = f"{docker.parent}{os.pathsep}{os.environ['PATH']}"
    with pytest.raises(AssertionError, match=r"The command failed: .*encryption"):
        run(folder, *BACKUPS, "restore", "--compose", PATH=path)
    assert not (tmp_path / "commands").exists()


@pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no such modes of folders"
)
def test_folder_that_cannot_be_read_fails_the_backup(small_site: Machine) -> None:
    photos = small_site.media / "photos" / "aa"
    photos.mkdir(parents=True)
    # Without its capabilities, root obeys the mode as well.
    as_owner = (
        ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
        if os.geteuid() == 0
        else []
    )
    photos.chmod(0)
    command = [*as_owner, *BACKUPS, "create"]
    try:
        with pytest.raises(AssertionError, match="permission denied"):
            run(small_site.folder, *command, **small_site.environment)
    finally:
        photos.chmod(0o700)
    assert not (small_site.media / DUMP).exists()
    assert not last_run(small_site)


def test_backups_are_kept_by_their_age(small_site: Machine, tmp_path: Path) -> None:
    site = small_site
    site.back_up()
    site.restic("forget", "--keep-last=1")
    now = datetime.now(UTC)
    days = [*range(1, 22), *range(23, 64, 2), 70, 80, 99]  # each backup takes time
    made = [now - timedelta(days=age) for age in days]
    for number, moment in enumerate(made):
        # A folder that is elsewhere later is still the same site's.
        folder = tmp_path / f"media-{number % 3}"
        folder.mkdir(exist_ok=True)
        (folder / "display.jpg").touch()
        time_option = f"--time={moment:%Y-%m-%d %H:%M:%S}"
        own = ("--host=site", "--tag=site", "--tag=key-another", time_option)
        command = ("restic", "--no-cache", "backup", "--quiet", *own, ".")
        run(folder, *command, **site.environment)
    site.back_up()
    ages = [
        now - datetime.fromisoformat(snapshot["time"]) for snapshot in site.snapshots()
    ]
    assert 14 <= len([age for age in ages if age < timedelta(days=14)]) <= 16
    assert 19 <= len(ages) <= 23
    assert timedelta(weeks=6) < max(ages) < timedelta(weeks=8, days=1)


def test_deleted_photo_is_gone_from_the_disk_with_its_last_backup(
    small_site: Machine,
) -> None:
    site = small_site
    photo = site.media / "photos" / "display.jpg"
    photo.parent.mkdir(parents=True)
    (photo.parent / "oldest.jpg").touch()
    site.back_up()  # stays, as the oldest
    photo.write_bytes(secrets.token_bytes(2**20))
    # In one pack with another that stays.
    (photo.parent / "other.jpg").write_bytes(secrets.token_bytes(2**20))
    site.back_up()
    size = len(read_all(site.repository))
    photo.unlink()
    site.back_up()
    assert len(read_all(site.repository)) < size - 2**19


@pytest.mark.timeout(3600)
def test_second_backup_of_many_photos_takes_no_space(small_site: Machine) -> None:
    site = small_site
    for number in range(256):
        folder = site.media / "photos" / f"{number:02x}"
        folder.mkdir(parents=True)
        for name in range(MANY // 256 + 1):
            (folder / f"{name}.jpg").write_bytes(secrets.token_bytes(200))
    site.back_up()
    size = len(read_all(site.repository))
    site.back_up()
    assert len(read_all(site.repository)) - size < size / 100
    first, second = (snapshot["summary"] for snapshot in site.snapshots())
    assert first["files_new"] > MANY
    assert second["files_unmodified"] >= MANY
    assert second["files_new"] + second["files_changed"] <= 1
    assert second["data_added_packed"] < first["data_added_packed"] / 100
    before = {path: path.read_bytes() for path in site.media.rglob("*.jpg")}
    shutil.rmtree(site.media)
    site.restore()
    assert {path: path.read_bytes() for path in site.media.rglob("*.jpg")} == before


def elsewhere(folder: Path) -> list[str]:
    """Return the blocks of docs/operations.md about the other machine."""
    text = section(folder / OPERATIONS, "Backups")
    text = text.partition("### Backups on another machine")[2]
    return re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def other_machine(small_site: Machine, tmp_path: Path) -> Iterator[Path]:
    """Run the other machine's server as documented, and return its folder."""
    if missing := [it for it in SERVER_PROGRAMS if not shutil.which(it)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    (words,) = re.findall(
        r'^ARGS="(.+)"$', elsewhere(small_site.folder)[0], re.MULTILINE
    )
    certificate, _ = issue_certificate(tmp_path)
    words = words.replace("/etc/ssl/restic/fullchain.pem", str(certificate))
    words = words.replace("/etc/ssl/restic/privkey.pem", str(certificate))
    folder = tmp_path / "srv"
    folder.mkdir()
    password = ("-b", str(folder / ".htpasswd"), "site", "word")
    run(folder, "htpasswd", "-B", "-c", *password)
    port = free_port()
    place = ("--path", str(folder), "--listen", f"127.0.0.1:{port}")
    server = subprocess.Popen(["restic-rest-server", *words.split(), *place])
    authority = tmp_path / "authority.pem"
    small_site.environment |= {
        "RESTIC_REPOSITORY": f"rest:https://site:word@localhost:{port}/site/",
        "RESTIC_CACERT": str(authority),
    }
    try:
        wait_until(lambda: answers(port), "the server does not start")
        yield folder
    finally:
        server.terminate()
        server.wait()


def test_other_machine_only_appends_and_deletes_itself(
    small_site: Machine, other_machine: Path
) -> None:
    site = small_site
    site.back_up()
    files = [path for path in other_machine.rglob("*") if path.is_file()]
    stored = {path: path.read_bytes() for path in files if "locks" not in path.parts}
    with pytest.raises(AssertionError, match=r"403|unable to"):
        site.restic("forget", "--unsafe-allow-remove-all", "--tag=site", "--prune")
    url = site.environment["RESTIC_REPOSITORY"].removeprefix("rest:")
    authority = site.environment["RESTIC_CACERT"]
    for path in stored:
        if path.name == ".htpasswd":
            continue
        part = path.relative_to(other_machine / "site").as_posix()
        part = f"data/{path.name}" if part.startswith("data/") else part
        for method in ("DELETE", "POST"):
            assert status(method, url + part, authority) in {401, 403, 405}
    assert {path: path.read_bytes() for path in stored} == stored
    another = url.replace("/site/", "/another/")
    assert status("GET", f"{another}config", authority) in {401, 403}
    nameless = url.replace("site:word@", "")
    assert status("GET", f"{nameless}config", authority) == 401
    site.back_up()
    site.back_up()
    assert len(site.snapshots()) == 3, "the site deletes none"
    site.restore()
    # What a person runs there.
    commands = elsewhere(site.folder)[2].replace("/srv/restic", str(other_machine))
    commands = commands.replace("runuser -u restic-rest-server -- ", "")
    password = {"RESTIC_PASSWORD": site.environment["RESTIC_PASSWORD"]}
    shell = ("bash", "-euc", commands)
    assert "no errors were found" in run(other_machine, *shell, **password)
    # The newest of the day, and the oldest of all while there are few.
    assert len(site.snapshots()) == 2


def status(method: str, url: str, authority: str) -> int:
    """Return the status of the server's answer."""
    parts = urlsplit(url)
    headers = {}
    if parts.username:
        words = b64encode(f"{parts.username}:{parts.password}".encode()).decode()
        headers["Authorization"] = f"Basic {words}"
    context = ssl.create_default_context(cafile=authority)
    connection = HTTPSConnection("localhost", parts.port, context=context)
    with closing(connection):
        body = b"changed" if method == "POST" else None
        connection.request(method, parts.path, body, headers)
        return connection.getresponse().status


def answers(port: int) -> bool:
    """Return whether something listens at a port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
