"""Backup and restoration of database and photos, with a stand-in for PostgreSQL."""

import json
import os
import re
import subprocess
import tarfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from core.management.commands.rotate_encryption import BACKUPS_KEPT
from scripts.backups import NAME, WEEKS, Site, create, main, restore

run = subprocess.run


class Server:
    """What runs instead of pg_dump, pg_restore and psql.

    A database is a row of each table, its dump is JSON.
    """

    def __init__(self) -> None:
        self.databases = {"site": {"photo": "Teal", "django_session": "stolen-session"}}
        self.is_superuser, self.killed = False, ""

    def run(self, words: Sequence[str], **options: Any) -> Any:
        program = getattr(self, words[0], None)
        if not program:  # it is another one, such as tar
            return run(words, **options)
        env = options["env"]
        assert (env["PGHOST"], env["PGPASSWORD"]) == ("db.internal", "word")
        assert "word" not in " ".join(words), (
            "every user of the machine can read it there"
        )
        values = dict(word.split("=", 1) for word in words if "=" in word)
        code = -9 if words[0] == self.killed else program(values, **options)
        return subprocess.CompletedProcess(words, code)

    def pg_dump(self, values: dict[str, str], stdout: Any, **options: Any) -> int:
        rows = self.databases[values["--dbname"]].items()
        kept = {
            table: row
            for table, row in rows
            if not re.fullmatch(values["--exclude-table-data"], table)
        }
        stdout.write(json.dumps(kept).encode())
        return 0

    def pg_restore(self, values: dict[str, str], stdin: Any, **options: Any) -> int:
        """Fail for a cut-off dump, but only if all of it is read before the load."""
        text = stdin.read()
        if values.get("--file") == "/dev/null":
            return 0 if text.endswith(b"}") else 1
        self.databases[values["--dbname"]] = (
            json.loads(text) if text.endswith(b"}") else {}
        )
        return 0

    def psql(self, values: dict[str, str], input: bytes, **options: Any) -> int:
        sql = input.decode()
        if "is_superuser" in sql and self.is_superuser:
            return 3
        if "INSERT INTO core_lastrun" in sql:
            self.databases[values["--dbname"]]["core_lastrun"] = sql
        names = {"site": "site", "new": "site_new", "old": "site_old"}
        changes = re.findall(
            r'(CREATE|DROP|ALTER) DATABASE (?:IF EXISTS )?:"(\w+)"'
            r'(?: RENAME TO :"(\w+)")?',
            sql,
        )
        for verb, name, new in changes:
            rows = self.databases.pop(names[name], {})
            if verb != "DROP":
                self.databases[names[new or name]] = rows
        return 0


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Stand in for what writes all files of this machine, which can take long."""
    disk = Mock()
    monkeypatch.setattr("os.sync", disk, raising=False)
    return disk


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, disk: Mock) -> Server:
    server = Server()
    monkeypatch.setattr("subprocess.run", server.run)
    return server


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Site:
    parts = {"NAME": "site", "HOST": "db.internal", "PASSWORD": "word", "OPTIONS": {}}
    database = {"ENGINE": "django.db.backends.postgresql", **parts}
    monkeypatch.setattr("config.settings.DATABASES", {"default": database})
    monkeypatch.setattr("config.settings.MEDIA_ROOT", tmp_path / "media")
    monkeypatch.setattr("scripts.backups.RECIPIENTS", tmp_path / "none")
    photo = tmp_path / "media" / "id" / "display.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"pixels")
    return Site(compose=False)


def back_up(site: Site, folder: Path) -> Path:
    create(site, folder)
    return max(folder.iterdir())


@pytest.mark.control("backup")
def test_backup_restores_rows_and_files_but_no_sessions(
    site: Site, server: Server, tmp_path: Path
) -> None:
    backup = back_up(site, tmp_path / "backups")
    assert backup.stat().st_mode & 0o077 == 0, "only its owner reads it"
    record = server.databases["site"]["core_lastrun"]
    assert re.search(r"VALUES \('backup', CURRENT_TIMESTAMP, [1-9]\d*\)", record), (
        "`manage.py status` reads it"
    )
    assert b"stolen-session" not in (backup / "database").read_bytes()
    (site.media / "id" / "display.jpg").unlink()
    server.databases["site"] = {"photo": "newer than the backup"}
    restore(site, backup)
    assert server.databases == {"site": {"photo": "Teal"}}
    assert (site.media / "id" / "display.jpg").read_bytes() == b"pixels"


@pytest.mark.control("backup")
def test_backup_that_cannot_be_restored_changes_nothing(
    site: Site, server: Server, tmp_path: Path
) -> None:
    backup = back_up(site, tmp_path / "backups")
    before = {"site": {**server.databases["site"], "photo": "newer than the backup"}}
    server.databases = {"site": dict(before["site"])}
    for name, size in (("database", 9), ("photos.tar", 1024)):
        whole = (backup / name).read_bytes()
        os.truncate(backup / name, size)
        with pytest.raises(SystemExit, match="nothing was changed"):
            restore(site, backup)
        (backup / name).write_bytes(whole)
    server.is_superuser = True  # as whom a dump can run programs
    with pytest.raises(SystemExit, match="nothing was changed"):
        restore(site, backup)
    server.is_superuser = False
    with tarfile.open(backup / "photos.tar", "w") as archive:
        link = tarfile.TarInfo("id/display.jpg")
        # The site would serve it.
        link.type, link.linkname = tarfile.SYMTYPE, "../other/display.jpg"
        archive.addfile(link)
    with pytest.raises(SystemExit, match="nothing was changed"):
        restore(site, backup)
    site.keys = {"another"}
    with pytest.raises(
        SystemExit, match="nothing was changed: FIELD_ENCRYPTION_KEYS lacks"
    ):
        restore(site, backup)
    assert server.databases == before
    assert (site.media / "id" / "display.jpg").read_bytes() == b"pixels"


@pytest.mark.control("backup")
def test_interrupted_backup_leaves_nothing(
    site: Site, server: Server, tmp_path: Path
) -> None:
    # Its process was killed.
    (tmp_path / "backups" / "2026-01-01T033000Z.partial").mkdir(parents=True)
    server.killed = "pg_dump"
    with pytest.raises(subprocess.CalledProcessError):
        create(site, tmp_path / "backups")
    assert not list((tmp_path / "backups").iterdir())


@pytest.mark.control("power")
@pytest.mark.skipif(os.name != "posix", reason="Windows has no such call")
def test_backup_is_on_the_disk_before_it_replaces_anything(
    site: Site, server: Server, disk: Mock, tmp_path: Path
) -> None:
    target = tmp_path / "backups"
    days = (100, 101, 102)
    names = [f"{datetime.now(UTC) - timedelta(days=age):{NAME}}" for age in days]
    for name in names:
        (target / name).mkdir(parents=True)
    steps: list[Any] = []

    def count_files() -> None:
        folders = {path.name: len(list(path.iterdir())) for path in target.iterdir()}
        steps.append(folders)

    disk.side_effect = count_files
    made = back_up(site, target)
    old = dict.fromkeys(names, 0)
    assert steps == [old | {f"{made.name}.partial": 3}, old | {made.name: 3}]
    assert not (target / names[-1]).exists()
    photo = site.media / "id" / "display.jpg"
    photo.unlink()

    def look() -> None:
        steps.append((photo.exists(), "site_new" in server.databases))

    disk.side_effect = look
    restore(site, made)
    assert steps[2:] == [(True, True)]


def test_only_old_backups_are_deleted(site: Site, tmp_path: Path) -> None:
    now, foreign = datetime.now(UTC), {".ssh", "2025", "film.partial"}
    names = [f"{now - timedelta(days=days):{NAME}}" for days in (100, 57, 40, 3, 2, 1)]
    for name in foreign | set(names):
        (tmp_path / "backups" / name).mkdir(parents=True)
    create(site, tmp_path / "backups")
    left = {path.name for path in (tmp_path / "backups").iterdir()}
    assert left >= foreign
    assert sorted(left - foreign)[:-1] == names[2:]


def test_sqlite_is_refused_with_what_to_do_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "/srv/site.sqlite3",
        "OPTIONS": {},
    }
    monkeypatch.setattr("config.settings.DATABASES", {"default": engine})
    for action in ("create", "restore"):
        monkeypatch.setattr("sys.argv", ["backups", action, str(tmp_path / "backups")])
        with pytest.raises(
            SystemExit,
            match=r'needs PostgreSQL; .*`sqlite3 "/srv/site\.sqlite3" "\.backup COPY"`',
        ):
            main()
    assert not list(tmp_path.iterdir())


def test_keys_are_kept_as_long_as_backups() -> None:
    assert BACKUPS_KEPT == WEEKS
