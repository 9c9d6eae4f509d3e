"""Back up PostgreSQL and the photos to FOLDER/TIME, or restore FOLDER/TIME.

A new backup deletes old ones. With --compose, it works on the containers of
compose.yaml and needs no packages. Instead of keys, a backup holds their fingerprints.
If secrets/backup_recipients has public keys, age encrypts to them;
secrets/backup_identity decrypts.
"""

import argparse
import hmac
import os
import shutil
import subprocess
import sys
import tarfile
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

NAME, NAMES = (
    "%Y-%m-%dT%H%M%SZ",
    "20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z",
)
# Kept: the newest of each of the last days and of each of the last weeks, and always
# the newest three.
DAYS, WEEKS, ALWAYS = timedelta(days=14), timedelta(weeks=8), 3
SECRETS = Path(__file__).parents[1] / "secrets"
RECIPIENTS, IDENTITY = SECRETS / "backup_recipients", SECRETS / "backup_identity"
# Tables without their rows: sessions would let a thief in, and emails and counters are
# of no use later.
EMPTIED = "core_lastrun|core_mail|django_cache|django_session"
# % if cookiecutter.auth_app
EMPTIED += "|usersessions_usersession"
# % endif
IN_SITE, IN_DATABASE = (
    ("run", "--rm", "-T", "--no-deps", "site"),
    ("exec", "-T", "--env=PGUSER=site", "database"),
)
# A dump can contain any SQL, and that of a superuser can run programs.
CHECK = (
    "DO $$ BEGIN IF current_setting('is_superuser')::bool"
    " THEN RAISE 'Not as a superuser'; END IF; END $$;"
)
CLEAR = 'DROP DATABASE IF EXISTS :"new"; DROP DATABASE IF EXISTS :"old";'
CREATE = 'CREATE DATABASE :"new" TEMPLATE template0;'
SWAP = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = :'site' AND usename = current_user;\n"
    'BEGIN; ALTER DATABASE :"site" RENAME TO :"old";'
    ' ALTER DATABASE :"new" RENAME TO :"site"; COMMIT;'
)
RECORD = (
    "INSERT INTO core_lastrun (name, at, room)"
    " VALUES ('backup', CURRENT_TIMESTAMP, {})\n"
    "ON CONFLICT (name) DO UPDATE SET at = excluded.at, room = excluded.room"
)
SQLITE = (
    'this needs PostgreSQL; with SQLite, use `sqlite3 "{}" ".backup COPY"`'
    " or .restore, and copy the photos in {}"
)
say = partial(print, file=sys.stderr, flush=True)  # each step can take minutes
ERRORS = (OSError, ValueError, subprocess.CalledProcessError, tarfile.TarError)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["create", "restore"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compose", action="store_true")
    options = parser.parse_args()
    try:
        (create if options.action == "create" else restore)(
            Site(options.compose), options.folder
        )
    except ERRORS as error:
        sys.exit(f"The command failed: {error}")


class Site:
    def __init__(self, compose: bool) -> None:
        self.compose, self.name, self.media, variables = (
            compose,
            "site",
            Path("/media"),
            {},
        )
        if compose:
            keys = (
                (SECRETS / "field_encryption_keys")
                .read_text(encoding="ascii")
                .split(",")
            )
        else:
            from config import settings  # it needs the project's packages

            keys, self.media, it = (
                settings.FIELD_ENCRYPTION_KEYS,
                settings.MEDIA_ROOT,
                settings.DATABASES["default"],
            )
            if it["ENGINE"].endswith("sqlite3"):
                raise ValueError(SQLITE.format(it["NAME"], self.media))
            self.name = it["NAME"]
            variables = it["OPTIONS"] | {
                name: it.get(name) for name in ("HOST", "PORT", "USER", "PASSWORD")
            }
            self.media.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.environment = os.environ | {
            f"PG{name.upper()}": str(value)
            for name, value in variables.items()
            if value
        }
        self.keys = {
            hmac.digest(key.strip().encode(), b"backup", "sha256").hex()[:16]
            for key in keys
        }

    def run(
        self,
        place: tuple[str, ...],
        *command: str | Path,
        worst: int = 0,
        **streams: Any,
    ) -> None:
        """Run a program: with compose, in a place there.

        Only its environment has passwords.
        """
        words = ("docker", "compose", *place, *command) if self.compose else command
        done = subprocess.run(words, env=self.environment, check=False, **streams)  # noqa: S603 - no shell
        if done.returncode not in {0, worst}:  # less than 0 if a signal has ended it
            done.check_returncode()

    def psql(self, sql: str, database: str = "postgres") -> None:
        names = [
            f"--set={it}={self.name}{end}"
            for it, end in (("site", ""), ("new", "_new"), ("old", "_old"))
        ]
        options = (
            "--no-psqlrc",
            "--quiet",
            "--output=/dev/null",
            "--set=ON_ERROR_STOP=1",
            f"--dbname={database}",
        )
        self.run(IN_DATABASE, "psql", *options, *names, input=sql.encode())


def create(site: Site, target: Path) -> None:
    folder = target / f"{datetime.now(UTC):{NAME}}"
    unfinished = folder.with_suffix(".partial")
    unfinished.mkdir(mode=0o700, parents=True)
    rows, photos = unfinished / "database", unfinished / "photos.tar"
    try:
        newest = max(target.glob(NAMES), default=unfinished)
        needed = sum(path.stat().st_size for path in newest.iterdir()) * (
            2.2 if RECIPIENTS.exists() else 1.1
        )
        if shutil.disk_usage(target).free < needed:
            raise OSError(f"{target} has no space for a backup like {newest.name}")
        (unfinished / "keys").write_text("\n".join(site.keys), encoding="ascii")
        # First the rows, then the files: a photo that arrives in between has files
        # without a row, never the reverse.
        say("Saving the database")
        dump = (
            "pg_dump",
            "--format=custom",
            f"--exclude-table-data={EMPTIED}",
            f"--dbname={site.name}",
        )
        with rows.open("xb") as file:
            site.run(IN_DATABASE, *dump, stdout=file)
        say("Saving the photos")
        # tar's code 1 means that a photo came or went meanwhile.
        with photos.open("xb") as file:
            site.run(
                IN_SITE, "tar", "-cf", "-", "-C", site.media, ".", worst=1, stdout=file
            )
        check_photos(photos)
        for path in (rows, photos) if RECIPIENTS.exists() else ():
            subprocess.run(  # noqa: S603
                ["age", "-R", RECIPIENTS, "-o", f"{path}.age", path],  # noqa: S607
                check=True,
            )
            path.unlink()
        write_to_disk()  # before it has its name, and again before older ones go
        unfinished.rename(folder)
        write_to_disk()
    finally:
        for path in target.glob(f"{NAMES}.partial"):
            shutil.rmtree(path)
    for path in outdated(target):
        shutil.rmtree(path)
    # `manage.py status` reads it, on any machine.
    room = shutil.disk_usage(target).free // sum(
        path.stat().st_size for path in folder.iterdir()
    )
    site.psql(RECORD.format(room), site.name)
    print(folder)


def write_to_disk() -> None:
    """Write all files, which a power failure would empty or remove."""
    if os.name == "posix":
        os.sync()


def outdated(target: Path) -> set[Path]:
    folders, kept = sorted(target.glob(NAMES), reverse=True), dict[object, Path]()
    for folder in folders:
        made = datetime.strptime(folder.name, NAME).replace(tzinfo=UTC)
        if (age := datetime.now(UTC) - made) < WEEKS:
            kept.setdefault(
                made.date() if age < DAYS else made.isocalendar()[:2], folder
            )
    return set(folders[ALWAYS:]).difference(kept.values())


def check_photos(path: Path) -> None:
    """Raise an error if the archive is cut off or has links.

    tar takes a cut for the end, and the site would serve what a link names.
    """
    with path.open("rb") as file, tarfile.open(fileobj=file) as archive:
        for member in archive:
            if not (member.isfile() or member.isdir()):
                raise tarfile.SpecialFileError(member)
            tarfile.data_filter(member, "/media")
            vars(archive)["members"] = []  # or it remembers a million photos
        file.seek(-1024, os.SEEK_END)
        if any(file.read()):
            raise ValueError("its photos are cut off")


def restore(site: Site, folder: Path) -> None:
    """Restore a backup, and replace the database last.

    Before that, the whole backup is read, its rows are loaded into a new database, and
    its photos are added.
    """
    load = (
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        "--no-acl",
        f"--dbname={site.name}_new",
    )
    with (
        TemporaryDirectory(prefix=".restore-", dir=folder.parent) as scratch,
        ExitStack() as stack,
    ):
        plain = folder
        try:
            if missing := sorted(
                {*(folder / "keys").read_text(encoding="ascii").split()} - site.keys
            ):
                raise ValueError(
                    f"FIELD_ENCRYPTION_KEYS lacks those with the fingerprints {missing}"
                )
            # To a file: age writes a part of one that is cut off.
            for path in folder.glob("*.age"):
                plain = Path(scratch)
                subprocess.run(  # noqa: S603
                    ["age", "-d", "-i", IDENTITY, "-o", plain / path.stem, path],  # noqa: S607
                    check=True,
                )
            say("Reading the photos")
            check_photos(plain / "photos.tar")
            say("Loading the rows into a new database")
            site.psql(CHECK + CLEAR + CREATE)
            stack.callback(site.psql, CLEAR)
            for options in [("--file=/dev/null",), load]:  # first all of it is read
                with (plain / "database").open("rb") as file:
                    site.run(
                        IN_DATABASE,
                        "pg_restore",
                        "--format=custom",
                        *options,
                        stdin=file,
                    )
        except ERRORS as error:
            sys.exit(f"{folder} cannot be restored, and nothing was changed: {error}")
        say("Adding the photos")
        # As new files (-m), which the worker spares.
        with (plain / "photos.tar").open("rb") as file:
            site.run(
                IN_SITE,
                "tar",
                "-xmf",
                "-",
                "--no-same-owner",
                "-C",
                site.media,
                stdin=file,
            )
        write_to_disk()  # before the rows that name them
        say("Replacing the database")
        site.psql(SWAP)
    if site.compose:
        # Migrates, and starts the site again.
        site.run(("up", "--detach", "--wait", "--force-recreate"))
    print(f"{folder} is restored")


if __name__ == "__main__":
    main()
