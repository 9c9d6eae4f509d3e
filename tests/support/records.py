"""Checked-in records: the raw folder's files, and a digest of each migration.

Run it to record what changed on purpose: uv run python -m tests.support.records
"""

import hashlib
import json
import re
import tempfile
from pathlib import Path

from tests.support.baking import RAW, ROOT, copy_template, paths

RECORDS = Path("tests") / "records"
FILES, MIGRATIONS = RECORDS / "files.txt", RECORDS / "migrations.json"

type Digests = dict[str, str]


def digests(template: Path) -> Digests:
    """Return the SHA-256 of each raw migration, independent of line ends."""
    files = sorted((template / RAW).glob("**/migrations/*.py"))
    return {
        file.relative_to(template / RAW).as_posix(): hashlib.sha256(
            file.read_bytes().replace(b"\r\n", b"\n")
        ).hexdigest()
        for file in files
    }


def released(template: Path) -> list[str]:
    """Return the versions that CHANGELOG.md dates."""
    changelog = (template / "CHANGELOG.md").read_text(encoding="utf-8")
    return re.findall(r"^## (\d+\.\d+\.\d+), \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)


def edited_migrations(template: Path) -> list[str]:
    """Return each migration that differs from a release, and unrecorded releases."""
    recorded: dict[str, Digests] = json.loads(
        (template / MIGRATIONS).read_text(encoding="utf-8")
    )
    present = digests(template)
    found = [
        f"{release} is not recorded"
        for release in released(template)
        if release not in recorded
    ]
    for release, migrations in recorded.items():
        found += [
            f"{path} of {release}"
            for path, digest in migrations.items()
            if present.get(path) != digest
        ]
    return found


def unlisted_files(template: Path) -> set[str]:
    """Return the paths that are in the raw folder or in the list, but not in both."""
    return paths(template / RAW) ^ set(
        (template / FILES).read_text(encoding="utf-8").splitlines()
    )


def record(template: Path) -> None:
    """List the files, and record the migrations of a new dated release."""
    migrations: dict[str, Digests] = json.loads(
        (template / MIGRATIONS).read_text(encoding="utf-8")
    )
    if (dated := released(template)) and dated[0] not in migrations:
        migrations[dated[0]] = digests(template)
    (template / MIGRATIONS).write_text(
        json.dumps(migrations, indent=2) + "\n", encoding="utf-8", newline="\n"
    )
    listed = "\n".join(sorted(paths(template / RAW)))
    (template / FILES).write_text(listed + "\n", encoding="utf-8", newline="\n")


def main() -> None:
    """Record the state of this checkout, without its caches."""
    with tempfile.TemporaryDirectory() as folder:
        template = copy_template(Path(folder))
        record(template)
        for path in (FILES, MIGRATIONS):
            (ROOT / path).write_bytes((template / path).read_bytes())


if __name__ == "__main__":
    main()
