"""A backup of the database and the photos, and its restoration."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from scripts.backups import create, restore


def rows(database: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT title FROM photo").fetchall()


def test_backup_restores_rows_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database, photo = tmp_path / "db.sqlite3", tmp_path / "media" / "id" / "display.jpg"
    engine = {"ENGINE": "django.db.backends.sqlite3", "NAME": database}
    monkeypatch.setattr("config.settings.DATABASES", {"default": engine})
    monkeypatch.setattr("config.settings.MEDIA_ROOT", photo.parents[1])
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript("PRAGMA journal_mode=WAL; CREATE TABLE photo (title)")
        connection.execute("INSERT INTO photo VALUES ('Teal')")
        connection.commit()
        photo.parent.mkdir(parents=True)
        photo.write_bytes(b"pixels")
        create(tmp_path / "backups", compose=False)
    backup = Path(capsys.readouterr().out.strip())
    assert backup.stat().st_mode & 0o077 == 0, "only its owner reads it"
    database.unlink()
    photo.unlink()
    restore(backup, compose=False)
    assert (rows(database), photo.read_bytes()) == ([("Teal",)], b"pixels")


def test_interrupted_backup_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.backups.save_photos", lambda *_: 1 / 0)
    monkeypatch.setattr("scripts.backups.save_database", lambda *_: None)
    (tmp_path / "2026-01-01T033000Z.partial").mkdir()  # its process was killed
    with pytest.raises(ZeroDivisionError):
        create(tmp_path, compose=False)
    assert not list(tmp_path.iterdir())


def test_only_old_backups_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.backups.save_photos", lambda *_: None)
    monkeypatch.setattr("scripts.backups.save_database", lambda *_: None)
    foreign = {".ssh", "2025", "film.partial"}
    for name in foreign | {f"2026-01-{day}T033000Z" for day in range(10, 25)}:
        (tmp_path / name).mkdir()
    create(tmp_path, compose=False)
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= foreign
    assert sorted(names - foreign)[:-1] == [f"2026-01-{day}T033000Z" for day in range(12, 25)]
