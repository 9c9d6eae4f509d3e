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
import sys
import tarfile
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

KEPT = 14
NAMES = "????-??-??T??????Z"
say = partial(print, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["create", "restore"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compose", action="store_true", help="work on the containers of compose.yaml")
    options = parser.parse_args()
    action = create if options.action == "create" else restore
    try:
        action(options.folder, options.compose)
    except (OSError, sqlite3.Error, subprocess.CalledProcessError, tarfile.TarError) as error:
        sys.exit(f"The command failed: {error}")


def create(target: Path, compose: bool) -> None:
    folder = target / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}"
    unfinished = folder.with_suffix(".partial")
    unfinished.mkdir(mode=0o700, parents=True)
    try:
        # First the rows, then the files: a photo that arrives in between has files without a row, never the reverse.
        with (unfinished / "database").open("xb") as database, (unfinished / "photos.tar").open("xb") as photos:
            say("Saving the database")
            save_database(database, compose)
            say("Saving the photos")
            save_photos(photos, compose)
        unfinished.rename(folder)
    finally:
        for old in [*target.glob(f"{NAMES}.partial"), *sorted(target.glob(NAMES))[:-KEPT]]:
            shutil.rmtree(old)
    print(folder)


def restore(folder: Path, compose: bool) -> None:
    """Replace the database, and add the photos: they come first, as new files, which the sweeper spares."""
    if not is_complete(folder):  # before the site stops
        sys.exit(f"{folder} holds no complete backup: name the folder of one, as in FOLDER/TIME. Nothing was changed.")
    if compose:
        docker_compose("stop", "proxy", "site", "worker")
    with (folder / "database").open("rb") as database, (folder / "photos.tar").open("rb") as photos:
        say("Restoring the photos")
        restore_photos(photos, compose)
        say("Restoring the database")
        restore_database(database, compose)
    if compose:
        docker_compose("up", "--detach", "--wait")


def is_complete(folder: Path) -> bool:
    """Return whether neither file is cut off: tar and SQLite take that for the end, and would cut off a photo too."""
    try:
        with (folder / "photos.tar").open("rb") as photos:
            photos.seek(-1024, os.SEEK_END)  # the end of an archive is 1024 zeros
            return photos.read() == bytes(1024) and (folder / "database").stat().st_size > 0
    except OSError:
        return False


def save_database(file: IO[bytes], compose: bool) -> None:
    if not compose and (sqlite := sqlite_file()):
        with closing(sqlite3.connect(sqlite)) as database:
            database.execute("VACUUM INTO ?", (file.name,))
    else:
        postgresql(compose, "pg_dump", "--no-owner", stdout=file)
        file.write(b"COMMIT;\n")  # for restore_database


def restore_database(file: IO[bytes], compose: bool) -> None:
    if not compose and (sqlite := sqlite_file()):
        with closing(sqlite3.connect(file.name)) as source, closing(sqlite3.connect(sqlite)) as target:
            source.backup(target)
    else:
        # The last line of a whole dump ends the transaction. Otherwise nothing changes, since DISCARD fails inside one.
        options = ("--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1")
        begin = "--command=BEGIN; DROP SCHEMA public CASCADE; CREATE SCHEMA public"
        postgresql(compose, "psql", *options, begin, "--file=-", "--command=DISCARD ALL", stdin=file)


def save_photos(file: IO[bytes], compose: bool) -> None:
    if compose:
        # tar's code 1 means that a photo came or went meanwhile.
        command = "tar --checkpoint=100000 -cf - -C /media . || [ $? = 1 ]"
        docker_compose("exec", "-T", "site", "sh", "-c", command, stdout=file)
        return
    root = project_settings().MEDIA_ROOT
    walk = root.walk(on_error=stop_unless_missing)
    found = (folder / name for folder, folders, files in walk for name in folders + files)
    with tarfile.open(fileobj=file, mode="w") as archive:
        for count, path in enumerate(found, start=1):
            with suppress(FileNotFoundError):  # deleted in the meantime
                archive.add(path, path.relative_to(root), recursive=False)
            show_progress(archive, count)


def stop_unless_missing(error: OSError) -> None:
    """Raise the error of a folder that cannot be read: without it, the backup would lack photos."""
    if not isinstance(error, FileNotFoundError):
        raise error


def restore_photos(file: IO[bytes], compose: bool) -> None:
    if compose:
        command = ("tar", "--checkpoint=100000", "-xmf", "-", "-C", "/media")
        docker_compose("run", "--rm", "-T", "--no-deps", "site", *command, stdin=file)
        return
    with tarfile.open(fileobj=file) as archive:
        for count, member in enumerate(archive, start=1):
            member.mtime = time.time()
            archive.extract(member, project_settings().MEDIA_ROOT, filter="data")
            show_progress(archive, count)


def show_progress(archive: tarfile.TarFile, count: int) -> None:
    # The archive remembers all of its files, which nothing here needs: gigabytes for a million photos.
    vars(archive).update(members=[], inodes={})
    if count % 10000 == 0:
        say(f"{count} files")


def project_settings() -> Any:
    from config import settings  # it needs the project's packages

    return settings


def sqlite_file() -> str:
    database = project_settings().DATABASES["default"]
    return str(database["NAME"]) if database["ENGINE"].endswith("sqlite3") else ""


def postgresql(compose: bool, program: str, *options: str, **streams: Any) -> None:
    """Run a program with options and, after them, the name of the database. Only the environment has the password."""
    if compose:
        docker_compose("exec", "-T", "database", program, "--username=site", *options, "site", **streams)
        return
    from django.db.backends.postgresql.client import DatabaseClient

    database = project_settings().DATABASES["default"]
    (_, *arguments), environment = DatabaseClient.settings_to_cmd_args_env(database, options)
    environment = os.environ | (environment or {})
    subprocess.run([program, *arguments], env=environment, check=True, **streams)  # noqa: S603 - no shell


def docker_compose(*arguments: str, **streams: Any) -> None:
    subprocess.run(["docker", "compose", *arguments], check=True, **streams)  # noqa: S603, S607 - no shell


if __name__ == "__main__":
    main()
