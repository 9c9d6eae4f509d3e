"""Backups of PostgreSQL and the photos, and what restores them, or refuses to."""

import io
import os
import re
import shutil
import sys
import tarfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from cryptography.fernet import Fernet

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    Answers,
    Project,
    production,
    run,
)
from tests.support.postgresql import Database

pytestmark = [
    pytest.mark.tier("whole"),
    pytest.mark.skipif(
        not shutil.which("pg_dump"), reason="PostgreSQL is not installed"
    ),
]

EXTREMES = [ALL_ON, ALL_OFF]
BACKUPS = (sys.executable, "-m", "scripts.backups")
MANAGE = (sys.executable, "manage.py")
CREATE = """
from django.contrib.sessions.backends.db import SessionStore
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
from django.contrib.sessions.models import Session
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
    """A project with a database and a folder of photos."""

    def __init__(self, folder: Path, **environment: str) -> None:
        """Take a folder, whose database has its tables."""
        self.folder = folder
        self.environment = production(folder) | environment
        self.backups = Path(environment["MEDIA_ROOT"]).parent / "backups"

    def manage(self, *words: str) -> str:
        """Run a command of manage.py."""
        return run(self.folder, *MANAGE, *words, **self.environment)

    def shell(self, code: str) -> list[str]:
        """Run code, and return the lines that it prints."""
        return self.manage("shell", "--verbosity", "0", "--command", code).splitlines()

    def back_up(self) -> Path:
        """Make a backup, and return its folder."""
        return Path(
            run(
                self.folder, *BACKUPS, "create", str(self.backups), **self.environment
            ).splitlines()[-1]
        )

    def restore(self, backup: Path) -> None:
        """Restore a backup."""
        run(self.folder, *BACKUPS, "restore", str(backup), **self.environment)

    def tables(self) -> set[str]:
        """Return the names of the tables of the database."""
        code = (
            "from django.db import connection; "
            "print(*connection.introspection.table_names())"
        )
        return set(self.shell(code)[0].split())

    def refuses(self, *attempts: tuple[Path, str]) -> None:
        """Check that backups are refused, each for its reason, and change nothing."""
        before = self.state()
        for backup, reason in attempts:
            shown = f"(?s)cannot be restored, and nothing was changed.*{reason}"
            with pytest.raises(AssertionError, match=shown) as failed:
                self.restore(backup)
            assert "Traceback" not in str(failed.value)
            assert not list(backup.parent.glob(".restore-*"))
        assert self.state() == before

    def state(self) -> tuple[object, ...]:
        """Return the rows, the tables and the files."""
        return (
            self.shell(SHOW),
            self.tables(),
            sorted(Path(self.environment["MEDIA_ROOT"]).rglob("*")),
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
        return Machine(
            folder,
            DATABASE_URL=migrated(ALL_ON),
            MEDIA_ROOT=str(home / "media"),
        )

    return make


def test_backups_from_before_a_rotation_and_after_it_are_restored(
    machine: Callable[[], Machine],
) -> None:
    site = machine()
    old_key, new_key = (
        site.environment["FIELD_ENCRYPTION_KEYS"],
        Fernet.generate_key().decode(),
    )
    site.shell(CREATE.format(title="Light"))
    old = site.back_up()
    content = (old / "database").read_bytes()
    assert old_key.encode() not in content + (old / "keys").read_bytes()
    assert old.stat().st_mode & 0o077 == 0

    site.environment["FIELD_ENCRYPTION_KEYS"] = f"{new_key},{old_key}"
    told = site.manage("rotate_encryption")
    assert f"{datetime.now(UTC) + timedelta(weeks=8):%Y-%m-%d}" in told, (
        "until when the old key is needed"
    )
    site.shell(CREATE.format(title="Duskk"))
    newest = site.back_up()

    other = machine()
    other.environment["FIELD_ENCRYPTION_KEYS"] = f"{new_key},{old_key}"
    for backup, rows in (
        (newest, [DUSK, LIGHT]),
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
    (fingerprint,) = (old / "keys").read_text(encoding="ascii").split()
    other.refuses((old, fingerprint))
    # The old key is lost: its values are unreadable, and nothing else.
    (old / "keys").write_text("", encoding="ascii")
    other.restore(old)
    assert (
        "admin@example.com (cannot be decrypted: its key is missing) b'Light'"
        in other.shell(SHOW)
    )


def test_every_other_table_is_saved_with_its_rows(
    machine: Callable[[], Machine],
) -> None:
    site = machine()
    listed = run(site.folder, "pg_restore", "--list", str(site.back_up() / "database"))
    saved = set(re.findall(r" TABLE DATA public (\w+) ", listed))
    emptied = {
        "core_lastrun",
        "core_mail",
        "django_cache",
        "django_session",
        "usersessions_usersession",
    }
    assert site.tables() - saved == emptied


def test_what_is_newer_than_the_backup_goes(machine: Callable[[], Machine]) -> None:
    site = machine()
    backup = site.back_up()
    # What the migration of a new app makes.
    site.shell(
        "from django.db import connection as it; "
        "it.cursor().execute('CREATE TABLE note (id integer)')"
    )
    assert "note" in site.tables()
    site.restore(backup)
    assert "note" not in site.tables()


def test_backup_that_is_cut_off_is_not_restored(
    machine: Callable[[], Machine], tmp_path: Path
) -> None:
    site = machine()
    site.shell(CREATE.format(title="Light"))
    backup = site.back_up()
    site.shell(CREATE.format(title="Duskk"))
    whole = (backup / "database").stat().st_size
    # Of the photos: nothing, up to the header of one, up to the middle of its data.
    sizes = [("database", 0), ("database", whole // 2), ("database", whole * 9 // 10)]
    attempts = [(tmp_path / "missing", "No such file")]
    for name, size in [*sizes, *(("photos.tar", it) for it in (0, 512, 3000))]:
        cut_off = shutil.copytree(backup, tmp_path / f"{name}-{size}")
        os.truncate(cut_off / name, size)
        attempts.append((cut_off, ""))
    for name in ("database", "photos.tar", "keys"):
        cut_off = shutil.copytree(backup, tmp_path / name)
        (cut_off / name).unlink()
        attempts.append((cut_off, f"No such file or directory: .*{name}"))
    site.refuses(*attempts)
    site.restore(backup)


@pytest.fixture
def small_site(
    project: Project, tmp_path: Path, migrated: Callable[[Answers], str]
) -> Machine:
    """Return an empty site with nothing chosen."""
    media = {"MEDIA_ROOT": str(tmp_path / "media")}
    return Machine(project(ALL_OFF), DATABASE_URL=migrated(ALL_OFF), **media)


def member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = ""
) -> tarfile.TarInfo:
    """Return a member of an archive."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, target, 0
    return made


def test_archive_that_leads_elsewhere_is_not_restored(
    machine: Callable[[], Machine], tmp_path: Path
) -> None:
    site = machine()
    backup = site.back_up()
    hostile = (
        member("../outside.jpg"),
        member("aa/display.jpg", tarfile.SYMTYPE, str(tmp_path)),
        member("aa/display.jpg", tarfile.LNKTYPE, "../../secrets"),
        member("aa/display.jpg", tarfile.CHRTYPE),
    )
    attempts = []
    for number, it in enumerate(hostile):
        attempts.append(
            (shutil.copytree(backup, tmp_path / f"hostile-{number}"), "outside|special")
        )
        with tarfile.open(attempts[-1][0] / "photos.tar", "w") as archive:
            archive.addfile(it, io.BytesIO())
    site.refuses(*attempts)


def test_nothing_of_a_dump_runs_on_the_machine(
    small_site: Machine, tmp_path: Path
) -> None:
    site, sign = small_site, tmp_path / "sign"
    owned = site.environment["DATABASE_URL"]
    superuser = re.sub("//[^@]+@", "//site@", owned)
    tmp_path.chmod(0o777)
    with psycopg.connect(site.environment["DATABASE_URL"]) as connection:
        connection.execute(f"COMMENT ON TABLE users_user IS '{'x' * 200}'".encode())
    backup = site.back_up()
    database = backup / "database"
    whole = database.read_bytes()
    comment = f"COMMENT ON TABLE public.users_user IS '{'x' * 200}';".encode()
    assert whole.count(comment) == 1
    for sql in (
        f"COPY (SELECT 1) TO PROGRAM 'touch {sign}';",
        f"COMMIT; COPY (SELECT 1) TO PROGRAM 'touch {sign}';",
    ):
        database.write_bytes(whole.replace(comment, sql.encode().ljust(len(comment))))
        site.refuses((backup, "pg_restore"))
        assert not sign.exists()
    # A script for psql, which has a command for the shell.
    database.write_bytes(f"\\! touch {sign}\n".encode())
    site.refuses((backup, "pg_restore"))
    assert not sign.exists()
    # A superuser may run programs, so it restores not even a good dump.
    database.write_bytes(whole)
    site.environment["DATABASE_URL"] = superuser
    site.refuses((backup, "psql"))
    with psycopg.connect(superuser) as connection:
        names = {
            name for (name,) in connection.execute("SELECT datname FROM pg_database")
        }
    assert not [name for name in names if name.endswith(("_new", "_old"))]


@pytest.mark.skipif(not shutil.which("age"), reason="age is not installed")
def test_encrypted_backup_is_read_with_the_private_key_alone(
    machine: Callable[[], Machine], tmp_path: Path
) -> None:
    site = machine()
    site.shell(CREATE.format(title="Light"))
    secrets = site.folder / "secrets"
    secrets.mkdir()
    for name in ("right", "wrong"):
        run(tmp_path, "age-keygen", "-o", str(tmp_path / name))
    run(
        tmp_path,
        "age-keygen",
        "-y",
        "-o",
        str(secrets / "backup_recipients"),
        str(tmp_path / "right"),
    )
    backup = site.back_up()
    assert sorted(path.name for path in backup.iterdir()) == [
        "database.age",
        "keys",
        "photos.tar.age",
    ]
    assert not [path for path in backup.iterdir() if b"Light" in path.read_bytes()]
    site.refuses((backup, "age"))
    shutil.copy(tmp_path / "wrong", secrets / "backup_identity")
    site.refuses((backup, "age"))
    shutil.copy(tmp_path / "right", secrets / "backup_identity")
    attempts = []
    for name in ("database.age", "photos.tar.age"):
        attempts.append((shutil.copytree(backup, tmp_path / f"cut-off-{name}"), "age"))
        os.truncate(attempts[-1][0] / name, (backup / name).stat().st_size - 1)
    site.refuses(*attempts)
    site.shell(CREATE.format(title="Duskk"))
    site.restore(backup)
    assert site.shell(SHOW) == [LIGHT, "0 None"]
    # No backup is better than one that only seems to be encrypted.
    (secrets / "backup_recipients").write_text("age1wrong", encoding="ascii")
    with pytest.raises(AssertionError, match="age"):
        site.back_up()
    assert len(list(site.backups.iterdir())) == 1


def test_sqlite_is_refused(project: Project, tmp_path: Path) -> None:
    folder = project(ALL_OFF)
    for action in ("create", "restore"):
        with pytest.raises(
            AssertionError, match=r"\nThe command failed: this needs PostgreSQL; .*\n$"
        ):
            run(
                folder,
                *BACKUPS,
                action,
                str(tmp_path / "backups"),
                **production(folder),
            )
    assert not (tmp_path / "backups").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows runs no shell script")
def test_wrong_folder_calls_no_container(project: Project, tmp_path: Path) -> None:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f"#!/bin/sh\necho $* >> {tmp_path}/commands\n", encoding="utf-8")
    docker.chmod(0o755)
    folder = project(ALL_OFF)
    (folder / "secrets").mkdir()
    (folder / "secrets" / "field_encryption_keys").write_text("key", encoding="ascii")
    path = f"{docker.parent}{os.pathsep}{os.environ['PATH']}"
    with pytest.raises(
        AssertionError, match="missing cannot be restored, and nothing was changed"
    ) as failed:
        run(
            folder,
            *BACKUPS,
            "restore",
            "--compose",
            str(tmp_path / "missing"),
            PATH=path,
        )
    assert "Traceback" not in str(failed.value)
    assert not (tmp_path / "commands").exists()


@pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no such modes of folders"
)
def test_folder_that_cannot_be_read_fails_the_backup(
    small_site: Machine, tmp_path: Path
) -> None:
    photos = tmp_path / "media" / "aa"
    photos.mkdir(parents=True)
    # Without its capabilities, root obeys the mode as well.
    as_owner = (
        ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
        if os.geteuid() == 0
        else []
    )
    photos.chmod(0)
    try:
        with pytest.raises(AssertionError, match="Permission denied"):
            run(
                small_site.folder,
                *as_owner,
                *BACKUPS,
                "create",
                str(small_site.backups),
                **small_site.environment,
            )
    finally:
        photos.chmod(0o700)
    assert not list(small_site.backups.iterdir())


def test_backups_are_kept_by_their_age(small_site: Machine) -> None:
    now = datetime.now(UTC)
    for hours in [*range(1, 20 * 24, 6), *range(20 * 24, 100 * 24, 24)]:
        (small_site.backups / f"{now - timedelta(hours=hours):%Y-%m-%dT%H%M%SZ}").mkdir(
            parents=True
        )
    small_site.back_up()
    ages = [
        now - datetime.strptime(path.name, "%Y-%m-%dT%H%M%SZ").replace(tzinfo=UTC)
        for path in small_site.backups.iterdir()
    ]
    days = [age for age in ages if age < timedelta(days=14)]
    assert 14 <= len(days) <= 17, (
        "14 days begin on 15 dates, and the newest three may be of one"
    )
    assert 6 <= len(ages) - len(days) <= 8
    assert timedelta(weeks=7) < max(ages) < timedelta(weeks=8)
    # However many are made in a day, those of the days before stay.
    for _ in range(3):
        time.sleep(1.1)  # the name has the second
        small_site.back_up()
    assert len(list(small_site.backups.iterdir())) <= len(ages) + 2
    assert max(small_site.backups.iterdir()).name > f"{now:%Y-%m-%d}"


def test_three_backups_stay_however_old(small_site: Machine) -> None:
    for year in range(2010, 2020):
        (small_site.backups / f"{year}-01-01T033000Z").mkdir(parents=True)
    newest = small_site.back_up().name
    assert {path.name for path in small_site.backups.iterdir()} == {
        "2018-01-01T033000Z",
        "2019-01-01T033000Z",
        newest,
    }


def test_backup_without_space_for_it_is_not_begun(small_site: Machine) -> None:
    newest = small_site.back_up()
    os.truncate(newest / "photos.tar", 2**43)  # takes no space itself
    with pytest.raises(AssertionError, match="no space for a backup"):
        small_site.back_up()
    assert list(small_site.backups.iterdir()) == [newest]
