"""Back up and restore the database and the photos.

    python -m scripts.backups create FOLDER      # writes FOLDER/TIME and keeps the 14 newest
    python -m scripts.backups restore FOLDER/TIME

With --compose, it works on the containers of compose.yaml and needs no packages. A backup holds no keys.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import tarfile
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

KEPT = 14
COMPOSE = ["docker", "compose"]
EXEC = [*COMPOSE, "exec", "-T"]
RESTORE = ["--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["create", "restore"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compose", action="store_true", help="work on the containers of compose.yaml")
    options = parser.parse_args()
    if options.action == "create":
        create(options.folder, options.compose)
    else:
        restore(options.folder, options.compose)


def create(target: Path, compose: bool) -> None:
    folder = target / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}"
    partial = folder.with_suffix(".partial")
    partial.mkdir(mode=0o700, parents=True)
    # First the rows, then the files: a photo that arrives in between has files without a row, never the reverse.
    save_database(partial / "database", compose)
    save_photos(partial / "photos.tar", compose)
    partial.rename(folder)
    for old in sorted(path for path in target.iterdir() if not path.suffix)[:-KEPT]:
        shutil.rmtree(old)
    print(folder)


def restore(folder: Path, compose: bool) -> None:
    """Replace the database, and add the photos: they come first, as new files, which the sweeper spares."""
    if compose:
        run([*COMPOSE, "stop", "proxy", "site", "worker"])
    restore_photos(folder / "photos.tar", compose)
    restore_database(folder / "database", compose)
    if compose:
        run([*COMPOSE, "up", "--detach", "--wait"])


def save_database(file: Path, compose: bool) -> None:
    if compose:
        write(file, [*EXEC, "database", "pg_dump", "--username=site", "--format=custom", "site"])
    elif sqlite := sqlite_file():
        with closing(sqlite3.connect(sqlite)) as database:
            database.execute("VACUUM INTO ?", (str(file),))
    else:
        write(file, *postgresql("pg_dump", "--format=custom"))


def restore_database(file: Path, compose: bool) -> None:
    if compose:
        read(file, [*EXEC, "database", "pg_restore", "--username=site", *RESTORE, "--dbname=site"])
    elif sqlite := sqlite_file():
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(sqlite)) as target:
            source.backup(target)
    else:
        read(file, *postgresql("pg_restore", *RESTORE, "--dbname"))


def save_photos(file: Path, compose: bool) -> None:
    if compose:
        # tar's code 1 means that a photo came or went meanwhile.
        write(file, [*EXEC, "site", "sh", "-c", "tar -cf - -C /media . || [ $? = 1 ]"])
        return
    root = project_settings().MEDIA_ROOT
    with tarfile.open(file, "x") as archive:
        for path in root.rglob("*"):
            with suppress(FileNotFoundError):  # deleted in the meantime
                archive.add(path, path.relative_to(root), recursive=False)


def restore_photos(file: Path, compose: bool) -> None:
    if compose:
        read(file, [*COMPOSE, "run", "--rm", "-T", "--no-deps", "site", "tar", "-xmf", "-", "-C", "/media"])
        return
    with tarfile.open(file) as archive:
        for member in archive:
            member.mtime = time.time()
            archive.extract(member, project_settings().MEDIA_ROOT, filter="data")


def project_settings() -> Any:
    from config import settings  # it needs the project's packages

    return settings


def sqlite_file() -> str:
    database = project_settings().DATABASES["default"]
    return str(database["NAME"]) if database["ENGINE"].endswith("sqlite3") else ""


def postgresql(program: str, *options: str) -> tuple[list[str], dict[str, str]]:
    """Return a command for the project's database, and the environment that holds the password."""
    from django.db.backends.postgresql.client import DatabaseClient

    database = project_settings().DATABASES["default"]
    (_, *arguments), environment = DatabaseClient.settings_to_cmd_args_env(database, options)
    return [program, *arguments], environment or {}


def write(file: Path, command: list[str], environment: dict[str, str] | None = None) -> None:
    with file.open("xb") as output:
        run(command, environment, stdout=output)


def read(file: Path, command: list[str], environment: dict[str, str] | None = None) -> None:
    with file.open("rb") as source:
        run(command, environment, stdin=source)


def run(command: list[str], environment: dict[str, str] | None = None, **streams: Any) -> None:
    # No shell; the programs and their arguments come from this file and the project's settings.
    subprocess.run(command, env=os.environ | (environment or {}), check=True, **streams)  # noqa: S603


if __name__ == "__main__":
    main()
