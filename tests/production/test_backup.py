"""A backup of PostgreSQL and the photos, restored on an empty machine."""

import os
import shutil
import sys
from pathlib import Path

import psycopg
import pytest

from tests.support.baking import ALL_OFF, Project, production, run
from tests.support.postgresql import Database

pytestmark = pytest.mark.slow

BACKUPS = (sys.executable, "-m", "scripts.backups")
CREATE = """
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
user = User.objects.create_superuser("admin@example.com", "correct horse battery staple")
photo = Photo(owner=user, title="First light", original_name="IMG_1.jpg", width=1, height=1, size=1)
photo.save()
default_storage.save(photo.path("display"), ContentFile(b"pixels"))
"""
# The encrypted name is read with the kept key.
SHOW = """
from django.core.files.storage import default_storage
photo = Photo.objects.get()
print(photo.owner.email, photo.title, photo.original_name, default_storage.open(photo.path("display")).read())
"""


@pytest.mark.skipif(not shutil.which("pg_dump"), reason="PostgreSQL is not installed")
def test_backup_is_restored_on_an_empty_machine(project: Project, tmp_path: Path, postgresql: Database) -> None:
    folder = project(ALL_OFF)
    environment = production(folder) | {"DATABASE_URL": postgresql(), "MEDIA_ROOT": str(tmp_path / "media")}
    shell = (sys.executable, "manage.py", "shell", "--verbosity", "0", "--command")
    run(folder, sys.executable, "manage.py", "migrate", **environment)
    run(folder, *shell, CREATE, **environment)
    backup = run(folder, *BACKUPS, "create", str(tmp_path / "backups"), **environment).splitlines()[-1]
    assert environment["FIELD_ENCRYPTION_KEYS"].encode() not in (Path(backup) / "database").read_bytes()

    # Another machine has the keys alone.
    empty = environment | {"DATABASE_URL": postgresql(), "MEDIA_ROOT": str(tmp_path / "other")}
    run(folder, *BACKUPS, "restore", backup, **empty)
    run(folder, sys.executable, "manage.py", "migrate", **empty)
    shown = run(folder, *shell, SHOW, **empty).strip()
    assert shown == "admin@example.com First light IMG_1.jpg b'pixels'"


@pytest.mark.skipif(not shutil.which("pg_dump"), reason="PostgreSQL is not installed")
def test_restore_replaces_what_is_newer(project: Project, tmp_path: Path, postgresql: Database) -> None:
    folder = project(ALL_OFF)
    environment = production(folder) | {"DATABASE_URL": postgresql(), "MEDIA_ROOT": str(tmp_path / "media")}
    run(folder, sys.executable, "manage.py", "migrate", **environment)
    backup = Path(run(folder, *BACKUPS, "create", str(tmp_path / "backups"), **environment).splitlines()[-1])

    # What the migration of a new app makes.
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE note (owner bigint REFERENCES users_user)")
    dump = (backup / "database").read_bytes()
    for end in (len(dump) // 2, -len(b"COMMIT;\n")):
        (backup / "database").write_bytes(dump[:end])
        with pytest.raises(AssertionError, match="psql"):
            run(folder, *BACKUPS, "restore", str(backup), **environment)
        assert tables(environment) >= {"note", "users_user"}, "a restore that fails changes nothing"

    (backup / "database").write_bytes(dump)
    for _ in range(2):  # also what a restore has made
        run(folder, *BACKUPS, "restore", str(backup), **environment)
        assert "note" not in tables(environment)
        run(folder, sys.executable, "manage.py", "migrate", "--check", **environment)
        backup = Path(run(folder, *BACKUPS, "create", str(tmp_path / "again"), **environment).splitlines()[-1])


def test_incomplete_backup_is_not_restored(project: Project, tmp_path: Path) -> None:
    folder, photo = project(ALL_OFF), tmp_path / "media" / "aa" / "photo.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"pixels" * 1000)
    environment = production(folder) | {"MEDIA_ROOT": str(tmp_path / "media")}
    run(folder, sys.executable, "manage.py", "migrate", **environment)
    backup = Path(run(folder, *BACKUPS, "create", str(tmp_path / "backups"), **environment).splitlines()[-1])
    # Where the header of the photo begins, and in the middle of its data.
    for name, size in (("photos.tar", 512), ("photos.tar", 3000), ("photos.tar", 0), ("database", 0)):
        cut_off = shutil.copytree(backup, tmp_path / f"{name}-{size}")
        os.truncate(cut_off / name, size)
        with pytest.raises(AssertionError, match="holds no complete backup"):
            run(folder, *BACKUPS, "restore", str(cut_off), **environment)
        assert photo.read_bytes() == b"pixels" * 1000
        run(folder, sys.executable, "manage.py", "migrate", "--check", **environment)
    run(folder, *BACKUPS, "restore", str(backup), **environment)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows runs no shell script")
def test_wrong_folder_stops_no_container(project: Project, tmp_path: Path) -> None:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f"#!/bin/sh\necho $* >> {tmp_path}/commands\n", encoding="utf-8")
    docker.chmod(0o755)
    folder = project(ALL_OFF)
    path = f"{docker.parent}{os.pathsep}{os.environ['PATH']}"
    with pytest.raises(AssertionError) as failed:
        run(folder, *BACKUPS, "restore", "--compose", str(tmp_path / "missing"), PATH=path)
    assert "missing holds no complete backup: name the folder of one" in str(failed.value)
    assert "Traceback" not in str(failed.value)
    assert not (tmp_path / "commands").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes of folders")
def test_folder_that_cannot_be_read_fails_the_backup(project: Project, tmp_path: Path) -> None:
    folder, photos = project(ALL_OFF), tmp_path / "media" / "aa"
    photos.mkdir(parents=True)
    environment = production(folder) | {"MEDIA_ROOT": str(tmp_path / "media")}
    run(folder, sys.executable, "manage.py", "migrate", **environment)
    # Without its capabilities, root obeys the mode as well.
    as_owner = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []
    photos.chmod(0)
    try:
        with pytest.raises(AssertionError, match="Permission denied"):
            run(folder, *as_owner, *BACKUPS, "create", str(tmp_path / "backups"), **environment)
    finally:
        photos.chmod(0o700)
    assert not list((tmp_path / "backups").iterdir())


def tables(environment: dict[str, str]) -> set[str]:
    """Return the names of the tables of a database."""
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        return {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def test_only_the_newest_backups_are_kept(project: Project, tmp_path: Path) -> None:
    folder = project(ALL_OFF)
    environment = production(folder) | {"MEDIA_ROOT": str(tmp_path / "media")}
    for day in range(10, 30):
        (tmp_path / "backups" / f"2026-01-{day}T030000Z").mkdir(parents=True)
    newest = run(folder, *BACKUPS, "create", str(tmp_path / "backups"), **environment).splitlines()[-1]
    kept = sorted(path.name for path in (tmp_path / "backups").iterdir())
    assert len(kept) == 14
    assert kept[-1] == Path(newest).name
    assert kept[0] == "2026-01-17T030000Z"
