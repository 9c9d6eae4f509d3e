"""A backup of the database and the photos, and its restoration."""

import os
import sqlite3
import tarfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scripts.backups import NAME, Site, create, restore


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    database = tmp_path / "db.sqlite3"
    engine = {"ENGINE": "django.db.backends.sqlite3", "NAME": database, "OPTIONS": {}}
    monkeypatch.setattr("config.settings.DATABASES", {"default": engine})
    monkeypatch.setattr("config.settings.MEDIA_ROOT", tmp_path / "media")
    monkeypatch.setattr("scripts.backups.RECIPIENTS", tmp_path / "none")
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(
            "PRAGMA journal_mode=WAL; CREATE TABLE photo (title); CREATE TABLE django_session (session_key);"
            "CREATE TABLE core_lastrun (name PRIMARY KEY, at, room);"
            "INSERT INTO core_lastrun VALUES ('backup', '2026', 0);"
            "INSERT INTO photo VALUES ('Teal'); INSERT INTO django_session VALUES ('stolen-session');"
        )
    photo = tmp_path / "media" / "id" / "display.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"pixels")
    return Site(compose=False)


def back_up(site: Site, folder: Path) -> Path:
    create(site, folder)
    return max(folder.iterdir())


def rows(site: Site, table: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(site.name)) as connection:
        return connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608  # nosec B608


@pytest.mark.control("backup")
def test_backup_restores_rows_and_files_but_no_sessions(site: Site, tmp_path: Path) -> None:
    backup = back_up(site, tmp_path / "backups")
    assert backup.stat().st_mode & 0o077 == 0, "only its owner reads it"
    ((name, at, room),) = rows(site, "core_lastrun")
    age = datetime.now(UTC) - datetime.fromisoformat(f"{at}+00:00")
    assert (name, age < timedelta(minutes=1), room > 0) == ("backup", True, True), "`manage.py status` reads it"
    assert b"stolen-session" not in (backup / "database").read_bytes()
    (site.media / "id" / "display.jpg").unlink()
    Path(site.name).unlink()
    restore(site, backup)
    assert (rows(site, "photo"), rows(site, "django_session")) == ([("Teal",)], [])
    assert (site.media / "id" / "display.jpg").read_bytes() == b"pixels"


@pytest.mark.control("backup")
def test_backup_that_cannot_be_restored_changes_nothing(site: Site, tmp_path: Path) -> None:
    backup = back_up(site, tmp_path / "backups")
    for name in ("database", "photos.tar"):
        whole = (backup / name).read_bytes()
        os.truncate(backup / name, 1024)
        with pytest.raises(SystemExit, match="nothing was changed"):
            restore(site, backup)
        (backup / name).write_bytes(whole)
    with tarfile.open(backup / "photos.tar", "w") as archive:
        link = tarfile.TarInfo("id/display.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "../other/display.jpg"  # which the site would serve
        archive.addfile(link)
    with pytest.raises(SystemExit, match="nothing was changed"):
        restore(site, backup)
    site.keys = {"another"}
    with pytest.raises(SystemExit, match="nothing was changed: FIELD_ENCRYPTION_KEYS lacks"):
        restore(site, backup)
    assert rows(site, "django_session") == [("stolen-session",)]
    assert (site.media / "id" / "display.jpg").read_bytes() == b"pixels"


def test_interrupted_backup_leaves_nothing(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.backups.check_photos", lambda _: 1 / 0)
    (tmp_path / "backups" / "2026-01-01T033000Z.partial").mkdir(parents=True)  # its process was killed
    with pytest.raises(ZeroDivisionError):
        create(site, tmp_path / "backups")
    assert not list((tmp_path / "backups").iterdir())


def test_only_old_backups_are_deleted(site: Site, tmp_path: Path) -> None:
    now, foreign = datetime.now(UTC), {".ssh", "2025", "film.partial"}
    names = [f"{now - timedelta(days=days):{NAME}}" for days in (100, 57, 40, 3, 2, 1)]
    for name in foreign | set(names):
        (tmp_path / "backups" / name).mkdir(parents=True)
    create(site, tmp_path / "backups")
    left = {path.name for path in (tmp_path / "backups").iterdir()}
    assert left >= foreign
    assert sorted(left - foreign)[:-1] == names[2:]
