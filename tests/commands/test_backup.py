"""Backup and restoration of database and photos, with stand-ins for the programs."""

import io
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self
from unittest.mock import Mock

import pytest

from secure_django.commands.backups import DUMP, PARTS, SECRETS, lock, main

type Backups = Callable[..., None]

SITE = Path(__file__).parents[1] / "site"
MADE = "2026-11-30T02:00:00+00:00"  # when restic made the backup


class Output:
    """What Popen returns: the output of a program that has ended."""

    def __init__(self, content: bytes, code: int) -> None:
        self.stdout = io.BytesIO(content)
        self.returncode = code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class Server:
    """What runs instead of PostgreSQL's programs, restic, tar, sh and rm.

    A database is a row of each table, its dump is JSON. A backup is a set of files.
    """

    def __init__(self) -> None:
        self.databases = {
            "site": {"photo": "Teal", "secure_django_session": "stolen-session"}
        }
        self.backups: list[dict[str, bytes]] | None = None
        self.keys: list[str] = []
        self.commands: list[Sequence[str]] = []
        self.is_superuser = False
        self.broken: tuple[str, ...] = ()  # the first words of what fails
        self.code = -9  # with which it ends

    def open(self, words: Sequence[str], **options: Any) -> Output:
        """Run a program that writes: one that fails has written half of it."""
        content = getattr(self, words[0])(words, **options)
        if self.is_broken(words):
            return Output(content[: len(content) // 2], self.code)
        return Output(content, 0)

    def run(self, words: Sequence[str], **options: Any) -> None:
        code = self.code if self.is_broken(words) else 0
        code = code or getattr(self, words[0])(words, **options)
        if isinstance(code, int) and code:
            raise subprocess.CalledProcessError(code, words)

    def is_broken(self, words: Sequence[str]) -> bool:
        self.commands.append(words)
        return bool(self.broken) and set(self.broken) <= set(words)

    def pg_dump(self, words: Sequence[str], env: Any, **options: Any) -> bytes:
        assert (env["PGHOST"], env["PGPASSWORD"]) == ("db.internal", "word")
        values = read_values(words)
        rows = self.databases[values["--dbname"]].items()
        kept = {
            table: row
            for table, row in rows
            if not re.fullmatch(values["--exclude-table-data"], table)
        }
        return json.dumps(kept).encode()

    def pg_restore(self, words: Sequence[str], stdin: Any, **options: Any) -> None:
        text = stdin.read()
        rows = json.loads(text) if text.endswith(b"}") else {}
        self.databases[read_values(words)["--dbname"]] = rows

    def psql(self, words: Sequence[str], **options: Any) -> int:
        sql = options["input"].decode()
        if "is_superuser" in sql and self.is_superuser:
            return 3
        if "INSERT INTO secure_django_lastrun" in sql:
            rows = self.databases[read_values(words)["--dbname"]]
            (rows["secure_django_lastrun"],) = [
                word.removeprefix("--set=at=")
                for word in words
                if word.startswith("--set=at=")
            ]
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

    def sh(self, words: Sequence[str], cwd: Path, stdin: Any, **options: Any) -> None:
        assert "umask 077" in words[2], "only the site's user reads the dump"
        (cwd / DUMP).write_bytes(stdin.read())

    def rm(self, words: Sequence[str], cwd: Path, **options: Any) -> None:
        (cwd / words[-1]).unlink(missing_ok=True)

    def tar(self, words: Sequence[str], cwd: Path, stdin: Any, **options: Any) -> None:
        with tarfile.open(fileobj=stdin, mode="r|") as archive:
            for member in archive:
                if f"--exclude={member.name}" not in words:
                    archive.extract(member, cwd, filter="data")

    def restic(self, words: Sequence[str], env: Any, cwd: Path, **options: Any) -> Any:
        assert env["RESTIC_PASSWORD_FILE"] == str(SECRETS / "restic_password")
        action = next(word for word in words[1:] if not word.startswith("-"))
        if action == "init":
            self.backups = []
        if self.backups is None:
            return 10
        if action == "backup":
            paths = [path for path in cwd.rglob("*") if path.is_file()]
            names = [path.relative_to(cwd).as_posix() for path in paths]
            contents = [path.read_bytes() for path in paths]
            self.backups.append(dict(zip(names, contents, strict=True)))
            self.keys = re.findall(r"--tag=(key-\w+)", " ".join(words))
        if action == "snapshots":
            chosen = self.backups[-1:] if words[-1] == "latest" else []
            tags = ["site", *self.keys]
            found = {"short_id": "1a2b", "tags": tags, "time": MADE}
            snapshots = [found for _ in chosen]
            return json.dumps(snapshots).encode()
        if action == "ls":
            lines = [{"struct_type": "snapshot"}]
            for name in self.backups[-1]:
                kind = "symlink" if name.endswith("link") else "file"
                lines.append({"path": name, "type": kind})
            return "\n".join(json.dumps(line) for line in lines).encode()
        if action == "dump" and words[-1] == f"/{DUMP}":
            return self.backups[-1][DUMP]
        if action == "dump" and "--target=/dev/null" not in words:
            return make_archive(self.backups[-1])
        return 0


def make_archive(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


def read_values(words: Sequence[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in words if "=" in word)


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command in the folder of a project."""
    monkeypatch.chdir(SITE)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Stand in for the sync of all files of this machine, which can take long."""
    disk = Mock()
    monkeypatch.setattr("os.sync", disk, raising=False)
    return disk


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, disk: Mock) -> Server:
    server = Server()
    monkeypatch.setattr("subprocess.run", server.run)
    monkeypatch.setattr("subprocess.Popen", server.open)
    return server


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a photo of a site in production."""
    parts = {"NAME": "site", "HOST": "db.internal", "PASSWORD": "word", "OPTIONS": {}}
    database = {"ENGINE": "django.db.backends.postgresql", **parts}
    monkeypatch.setattr("django.conf.settings.DATABASES", {"default": database})
    monkeypatch.setattr("django.conf.settings.MEDIA_ROOT", tmp_path / "media")
    monkeypatch.delenv("RESTIC_PASSWORD", raising=False)
    monkeypatch.setenv("RESTIC_REPOSITORY", str(tmp_path / "backups"))
    photo = tmp_path / "media" / "photos" / "display.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"pixels")
    return photo


@pytest.fixture
def backups(photo: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Backups:
    """Return a function that runs secure_django/commands/backups.py."""

    def run(*words: str) -> None:
        monkeypatch.setattr("sys.argv", ["backups", *words])
        main()

    return run


@pytest.mark.control("backup")
def test_backup_restores_rows_and_files_but_no_sessions(
    backups: Backups, server: Server, photo: Path
) -> None:
    backups("create")
    assert "secure_django_lastrun" in server.databases["site"], (
        "`manage.py status` reads it"
    )
    assert server.backups
    assert server.backups[0].keys() == {DUMP, "photos/display.jpg"}
    assert b"stolen-session" not in server.backups[0][DUMP]
    spoken = " ".join(word for words in server.commands for word in words)
    assert "word" not in spoken.split("=")
    photo.unlink()
    server.databases["site"] = {"photo": "newer than the backup"}
    backups("restore")
    rows = {"photo": "Teal", "secure_django_lastrun": MADE}
    assert server.databases == {"site": rows}
    assert photo.read_bytes() == b"pixels"
    assert not (photo.parents[1] / DUMP).exists()


@pytest.mark.control("backup")
@pytest.mark.parametrize(
    "broken",
    [
        ("restic", "snapshots"),  # its password is wrong
        ("restic", "ls"),
        ("restic", "--target=/dev/null"),  # a digest differs
        ("restic", f"/{DUMP}"),
        ("pg_restore",),
    ],
)
def test_backup_that_cannot_be_restored_changes_nothing(
    backups: Backups, server: Server, photo: Path, broken: tuple[str, ...]
) -> None:
    backups("create")
    before = {"site": {"photo": "newer than the backup"}}
    server.databases = {"site": dict(before["site"])}
    photo.unlink()
    server.broken = broken
    with pytest.raises(SystemExit, match="nothing was changed"):
        backups("restore")
    assert server.databases == before
    assert not photo.exists()


@pytest.mark.control("backup")
@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (1, "restic ended with exit code 1, as it says above."),
        (10, "there is no repository: check secrets/restic_repository, or "),
        (11, "another program has locked the repository: try again when it has ended."),
        (12, "the repository has another password: check secrets/restic_password, or "),
    ],
)
@pytest.mark.parametrize("action", ["create", "restore"])
def test_failure_of_restic_ends_in_one_sentence(
    action: str, code: int, sentence: str, backups: Backups, server: Server
) -> None:
    backups("create")
    server.broken = ("restic", "backup" if action == "create" else "snapshots")
    server.code = code
    with pytest.raises(SystemExit) as failed:
        backups(action)
    (line,) = str(failed.value).splitlines()
    start = {
        "create": "The command failed: ",
        "restore": "latest cannot be restored, and nothing was changed: ",
    }
    assert line.startswith(f"{start[action]}{sentence}")
    assert line.endswith(".")


@pytest.mark.control("backup")
def test_restore_that_fails_late_says_what_was_changed(
    backups: Backups, server: Server
) -> None:
    backups("create")
    before = {"photo": "newer than the backup"}
    server.databases = {"site": dict(before)}
    server.broken = ("tar",)
    words = "latest is not restored: tar ended .* The database is as before; photos"
    with pytest.raises(SystemExit, match=words):
        backups("restore")
    assert server.databases["site"] == before


@pytest.mark.control("backup")
def test_malicious_backup_changes_nothing(
    backups: Backups,
    server: Server,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backups("create")
    before = {"site": {"photo": "newer than the backup"}}
    server.databases = {"site": dict(before["site"])}
    photo.unlink()
    server.is_superuser = True  # as whom a dump can run programs
    with pytest.raises(SystemExit, match="nothing was changed"):
        backups("restore")
    server.is_superuser = False
    assert server.backups
    server.backups[-1]["photos/link"] = b""  # the site would serve its target
    with pytest.raises(SystemExit, match="nothing was changed: photos/link is a sym"):
        backups("restore")
    del server.backups[-1]["photos/link"]
    with pytest.raises(SystemExit, match="nothing was changed: there is no such"):
        backups("restore", "another")
    monkeypatch.setattr("django.conf.settings.FIELD_ENCRYPTION_KEYS", ["another"])
    lacks = "nothing was changed: FIELD_ENCRYPTION_KEYS lacks"
    with pytest.raises(SystemExit, match=lacks):
        backups("restore")
    assert server.databases == before
    assert not photo.exists()


@pytest.mark.control("backup")
def test_dump_of_a_backup_that_fails_does_not_stay(
    backups: Backups, server: Server, photo: Path
) -> None:
    dump = photo.parents[1] / DUMP
    for broken in (("pg_dump",), ("restic", "backup"), ("restic", "check")):
        server.broken = broken
        with pytest.raises(SystemExit, match="The command failed"):
            backups("create")
        assert not dump.exists()
        assert "secure_django_lastrun" not in server.databases["site"]
    assert server.backups
    assert len(server.backups) == 1, "half a dump is no backup"
    deletions = [words for words in server.commands if "forget" in words]
    assert not deletions, "older backups are needed"
    # A killed backup has left the dump, and the repository does not answer.
    dump.write_bytes(b"rows")
    server.broken = ("restic",)
    with pytest.raises(SystemExit):
        backups("create")
    assert not dump.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such lock")
@pytest.mark.control("backup")
def test_backup_waits_for_no_other_one(backups: Backups, photo: Path) -> None:
    with (
        lock(photo.parents[1]),
        pytest.raises(SystemExit, match="another backup or restore is under way"),
    ):
        backups("create")
    backups("create")


@pytest.mark.control("power")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such call")
def test_restored_photos_are_on_the_disk_before_their_rows_are_used(
    backups: Backups, server: Server, disk: Mock, photo: Path
) -> None:
    backups("create")
    photo.unlink()
    steps: list[tuple[bool, bool]] = []

    def record_step() -> None:
        steps.append((photo.exists(), "site_new" in server.databases))

    disk.side_effect = record_step
    backups("restore")
    assert steps == [(True, True)]


@pytest.mark.control("backup")
def test_backups_are_deleted_only_in_a_folder_of_this_machine(
    backups: Backups, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups("create")
    (words,) = [words for words in server.commands if "forget" in words]
    # As long as rotate_encryption says.
    assert {"--keep-daily=14", "--keep-weekly=8"} <= set(words)
    assert "--max-unused=0" in words
    assert {"--host=site", "--tag=site", "--group-by=host", "--prune"} <= set(words)
    (part,) = re.findall(r"--read-data-subset=(\d+)/(\d+)", str(server.commands))
    assert 1 <= int(part[0]) <= int(part[1]) == PARTS
    server.commands.clear()
    monkeypatch.setenv("RESTIC_REPOSITORY", "rest:https://backups.example.com/site/")
    backups("create")
    spoken = {word for words in server.commands for word in words}
    assert "backup" in spoken
    assert not spoken & {"forget", "prune", "--prune", "check"}


def test_sqlite_is_refused_with_what_to_do_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "/srv/site.sqlite3",
        "OPTIONS": {},
    }
    monkeypatch.setattr("django.conf.settings.DATABASES", {"default": engine})
    monkeypatch.setattr("django.conf.settings.MEDIA_ROOT", tmp_path / "media")
    for action in ("create", "restore"):
        monkeypatch.setattr("sys.argv", ["backups", action])
        with pytest.raises(
            SystemExit,
            match=r'needs PostgreSQL; .*`sqlite3 "/srv/site\.sqlite3" "\.backup COPY"`',
        ):
            main()
    assert not list(tmp_path.iterdir())


def test_folder_without_a_project_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["backups", "create"])
    with pytest.raises(SystemExit, match=r"There is no manage\.py in this folder"):
        main()
