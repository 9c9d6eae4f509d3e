"""Back up PostgreSQL and the photos with restic, or restore a backup.

secrets/restic_repository names the repository, and secrets/restic_password has its
password. Without containers, restic's own variables may name others. With --compose,
the commands work on the containers of compose.yaml, and a Python without packages can
run this file. A backup has no keys; its tags are their fingerprints.
"""

import argparse
import hmac
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

PROJECT = Path.cwd()
SECRETS = PROJECT / "secrets"
# Fixed names: restic knows by them which backups are of one site.
OWN = ("--host=site", "--tag=site")
GROUP = "--group-by=host"
RETENTION = ("--keep-daily=14", "--keep-weekly=8", "--max-unused=0")
# Parts of the repository. Each night reads another one: all of them in four weeks.
PARTS = 28
# restic's exit codes, and what to do.
NO_REPOSITORY = 10
REASONS = {
    NO_REPOSITORY: (
        "there is no repository: check secrets/restic_repository, or RESTIC_REPOSITORY"
    ),
    11: "another program has locked the repository: try again when it has ended",
    12: (
        "the repository has another password:"
        " check secrets/restic_password, or RESTIC_PASSWORD"
    ),
}
PROGRAMS = {"pg_dump", "pg_restore", "psql", "restic", "rm", "sh", "tar"}
REMOTE = re.compile(r"[a-z][a-z0-9]+:")
# A file in the folder of the photos, which the site can write wherever it runs.
DUMP = "database.dump"
KEEP_DUMP = ("sh", "-c", f"umask 077 && cat > {DUMP}")
CONTAINER_USER = 10001
# Tables whose rows no backup has: sessions would let a thief in, and emails and
# counters are of no use later.
EMPTIED_TABLES = "secure_django_lastrun|secure_django_mail|django_cache|django_session"
EMPTIED_TABLES += "|secure_django_session|usersessions_usersession"
# Where a program runs with --compose.
IN_DATABASE = ("exec", "-T", "--env=PGUSER=site", "database")
IN_SITE = ("run", "--rm", "-T", "--no-deps", "--workdir=/media", "site")
IN_RESTIC = ("run", "--rm", "-T", "--no-deps")

# A dump can contain any SQL, and a superuser's SQL can run programs.
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
    "INSERT INTO secure_django_lastrun (name, at)\n"
    "VALUES ('backup', :'at')\n"
    "ON CONFLICT (name) DO UPDATE SET at = excluded.at"
)
SQLITE = (
    'this needs PostgreSQL; with SQLite, use `sqlite3 "{}" ".backup COPY"`'
    " or .restore, and copy the photos in {}"
)
say = partial(print, file=sys.stderr, flush=True)  # each step can take minutes
ERRORS = (OSError, ValueError, subprocess.CalledProcessError)


class Command(NamedTuple):
    place: tuple[str, ...]  # where it runs with --compose
    words: tuple[str, ...]


def main() -> None:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--compose", action="store_true")
    parser = argparse.ArgumentParser(description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("create", parents=[common])
    restoring = actions.add_parser("restore", parents=[common])
    restoring.add_argument("snapshot", nargs="?", default="latest")
    options = parser.parse_args()
    if not Path("manage.py").is_file():
        sys.exit("There is no manage.py in this folder: go to that of the project.")
    try:
        site = Site(options.compose)
        with lock(site.folder):
            site.delete_dump()  # of a backup that was killed
            if options.action == "create":
                create_backup(site)
            else:
                restore_backup(site, options.snapshot)
    except ERRORS as error:
        sys.exit(f"The command failed: {explain(error)}.")


def explain(error: Exception) -> str:
    """Return what to read or to do, in one line without a final stop."""
    if not isinstance(error, subprocess.CalledProcessError):
        return str(error)
    names = [word for word in error.cmd if word in PROGRAMS]
    program = names[0] if names else error.cmd[0]
    if program == "restic" and error.returncode in REASONS:
        return REASONS[error.returncode]
    return f"{program} ended with exit code {error.returncode}, as it says above"


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Let only one backup or restore work at a time: the dump has a single place."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise OSError("another backup or restore is under way") from error
    finally:
        os.close(descriptor)


class Site:
    """A database, a folder of photos and a repository, here or in containers."""

    def __init__(self, compose: bool) -> None:
        self.compose = compose
        self.name = "site"
        # The working directory of programs. Without --compose, it has the photos.
        self.folder = PROJECT
        self.environment = dict(os.environ)
        if compose:
            keys = read_secret("field_encryption_keys").split(",")
            self.repository = read_secret("restic_repository")
            self.make_folder()
        else:
            keys = self.read_settings()
            self.repository = self.find_repository()
        self.tags = {make_tag(key) for key in keys}

    def make_folder(self) -> None:
        """Make the folder that compose.yaml mounts, for the user in the container."""
        folder = PROJECT / "backups"
        folder.mkdir(mode=0o700, exist_ok=True)
        shutil.chown(folder, CONTAINER_USER, CONTAINER_USER)

    def read_settings(self) -> list[str]:
        """Find the database and the photos, and return the keys."""
        # Here, since --compose runs without the project's packages.
        from django.conf import settings

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        self.folder = settings.MEDIA_ROOT
        database = settings.DATABASES["default"]
        if database["ENGINE"].endswith("sqlite3"):
            raise ValueError(SQLITE.format(database["NAME"], self.folder))
        self.name = database["NAME"]
        variables = dict(database["OPTIONS"])
        for name in ("HOST", "PORT", "USER", "PASSWORD"):
            variables[name] = database.get(name)
        for name, value in variables.items():
            if value:
                self.environment[f"PG{name.upper()}"] = str(value)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return list(settings.FIELD_ENCRYPTION_KEYS)

    def find_repository(self) -> str:
        """Return the repository, and let restic read it and its password."""
        file = self.environment.pop(
            "RESTIC_REPOSITORY_FILE", SECRETS / "restic_repository"
        )
        location = self.environment.get("RESTIC_REPOSITORY")
        if not location:
            location = Path(file).read_text(encoding="utf-8").strip()
        if not REMOTE.match(location):
            location = str(Path(location).absolute())
        self.environment["RESTIC_REPOSITORY"] = location
        if "RESTIC_PASSWORD" not in self.environment:
            password = str(SECRETS / "restic_password")
            self.environment.setdefault("RESTIC_PASSWORD_FILE", password)
        return location

    def find_words(self, command: Command) -> tuple[str, ...]:
        """Return the words to run. Passwords are in the environment alone."""
        if self.compose:
            return ("docker", "compose", *command.place, *command.words)
        return command.words

    def run(self, command: Command, **streams: Any) -> None:
        subprocess.run(  # noqa: S603 - no shell
            self.find_words(command),
            env=self.environment,
            cwd=self.folder,
            check=True,
            **streams,
        )

    @contextmanager
    def read_output(self, command: Command) -> Iterator[IO[bytes]]:
        """Yield the output of a command, and raise an error if it fails."""
        words = self.find_words(command)
        unreadable = None
        with subprocess.Popen(  # noqa: S603 - no shell
            words, env=self.environment, cwd=self.folder, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout  # noqa: S101 - for mypy
            try:
                yield process.stdout
            except json.JSONDecodeError as error:
                # A program that fails writes nothing, or half of its output.
                unreadable = error
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, words)
        if unreadable:
            raise unreadable

    def pipe(self, source: Command, target: Command) -> None:
        """Run two commands, of which the second reads the output of the first."""
        with self.read_output(source) as stream:
            self.run(target, stdin=stream)

    def psql(self, sql: str, database: str = "postgres", at: str = "") -> None:
        words = (
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--output=/dev/null",
            "--set=ON_ERROR_STOP=1",
            f"--set=site={self.name}",
            f"--set=new={self.name}_new",
            f"--set=old={self.name}_old",
            f"--set=at={at}",
            f"--dbname={database}",
        )
        self.run(Command(IN_DATABASE, words), input=sql.encode())

    def delete_dump(self) -> None:
        self.run(Command(IN_SITE, ("rm", "-f", DUMP)))


def make_tag(key: str) -> str:
    """Return the fingerprint of an encryption key as a tag."""
    digest = hmac.digest(key.strip().encode(), b"backup", "sha256")
    return f"key-{digest.hex()[:16]}"


def read_secret(name: str) -> str:
    return (SECRETS / name).read_text(encoding="utf-8").strip()


def restic(*words: str) -> Command:
    """Return a command of restic."""
    options = ("--no-cache", "--retry-lock=10m")
    return Command(IN_RESTIC, ("restic", *options, *words))


def create_backup(site: Site) -> None:
    prepare_repository(site)
    dump = (
        "pg_dump",
        "--format=custom",
        "--compress=0",  # restic compresses what is new
        f"--exclude-table-data={EMPTIED_TABLES}",
        f"--dbname={site.name}",
    )
    tags = tuple(f"--tag={tag}" for tag in sorted(site.tags))
    try:
        # First the rows, then the files: a photo that arrives in between has files
        # without a row, never the reverse.
        say("Saving the database")
        site.pipe(Command(IN_DATABASE, dump), Command(IN_SITE, KEEP_DUMP))
        say("Saving the photos")
        site.run(restic("backup", "--no-scan", *OWN, *tags, GROUP, "."))
    finally:
        site.delete_dump()
    if not REMOTE.match(site.repository):  # there, only the other machine deletes
        say("Reading a part of the repository")
        part = datetime.now(UTC).toordinal() % PARTS + 1
        site.run(restic("check", f"--read-data-subset={part}/{PARTS}"))
        say("Deleting old backups")
        site.run(restic("forget", "--quiet", *OWN, GROUP, *RETENTION, "--prune"))
    record(site, datetime.now(UTC))
    print("The backup is made")


def record(site: Site, moment: datetime) -> None:
    """Store when the newest backup was made: `manage.py status` shows it."""
    site.psql(RECORD, site.name, at=moment.isoformat())


def prepare_repository(site: Site) -> None:
    """Remove the locks of killed programs, or make a repository if there is none."""
    try:
        site.run(restic("unlock", "--quiet"))
    except subprocess.CalledProcessError as error:
        if error.returncode != NO_REPOSITORY:
            raise
        say("Making the repository")
        site.run(restic("init"))


def restore_backup(site: Site, name: str) -> None:
    """Restore a backup, and replace the database last.

    Before that, the whole backup is read, its rows are loaded into a new database, and
    its photos are added. Of the backup, only the photos are written as plain text.
    """
    load = (
        "pg_restore",
        "--format=custom",
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        "--no-acl",
        f"--dbname={site.name}_new",
    )
    with ExitStack() as stack:
        try:
            snapshot = find_snapshot(site, name)
            newest = find_newest(site)
            say("Reading the backup")
            check_files(site, snapshot)
            say("Loading the rows into a new database")
            site.psql(CHECK + CLEAR + CREATE)
            stack.callback(site.psql, CLEAR)
            dump = restic("dump", snapshot, f"/{DUMP}")
            site.pipe(dump, Command(IN_DATABASE, load))
        except ERRORS as error:
            reason = explain(error)
            sys.exit(f"{name} cannot be restored, and nothing was changed: {reason}.")
        try:
            say("Adding the photos")
            # As new files (-m), which the worker does not delete.
            add = ("tar", "-xmf", "-", "--no-same-owner", f"--exclude={DUMP}")
            files = restic("dump", "--archive=tar", snapshot, "/")
            site.pipe(files, Command(IN_SITE, add))
            if os.name == "posix":
                os.sync()  # otherwise a power failure could remove files of the rows
            say("Replacing the database")
            site.psql(SWAP)
        except ERRORS as error:
            reason = explain(error)
            sys.exit(
                f"{name} is not restored: {reason}. The database is as before;"
                " photos of the backup may have been added."
            )
    # The restored table is empty, as if no backup had ever been made.
    record(site, newest)
    if site.compose:
        # Migrates, and starts the site again.
        start = ("up", "--detach", "--wait", "--force-recreate")
        site.run(Command(start, words=()))
    print(f"{snapshot} is restored")


def find_snapshot(site: Site, name: str) -> str:
    """Return the id of a snapshot, and check that the site has its keys."""
    snapshot = read_snapshot(site, name)
    keys = {tag for tag in snapshot["tags"] if tag.startswith("key-")}
    missing = sorted(keys - site.tags)
    if missing:
        raise ValueError(
            f"FIELD_ENCRYPTION_KEYS lacks those with the fingerprints {missing}"
        )
    return str(snapshot["short_id"])


def find_newest(site: Site) -> datetime:
    """Return when the newest backup of the site was made."""
    return datetime.fromisoformat(read_snapshot(site, "latest")["time"])


def read_snapshot(site: Site, name: str) -> dict[str, Any]:
    """Return what restic knows of a snapshot."""
    filters = OWN if name == "latest" else ()
    with site.read_output(restic("snapshots", "--json", *filters, name)) as output:
        snapshots: list[dict[str, Any]] = json.load(output)
    if not snapshots:
        raise ValueError("there is no such backup")
    return snapshots[-1]


def check_files(site: Site, snapshot: str) -> None:
    """Read all of a backup, and refuse a link: the site would serve its target."""
    with site.read_output(restic("ls", "--json", snapshot)) as lines:
        for line in lines:
            node = json.loads(line)
            if node.get("type", "dir") not in {"dir", "file"}:
                raise ValueError(f"{node['path']} is a {node['type']}")
    # restic compares the digest of everything that it reads.
    site.run(restic("dump", "--archive=tar", "--target=/dev/null", snapshot, "/"))


if __name__ == "__main__":
    main()
