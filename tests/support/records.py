"""Checked-in records of what each release promises to keep.

That is a digest of each migration, also of the package, and of settings.lock, and the
names that environments, scripts and links of projects use.

Run it to record what changed on purpose: uv run python -m tests.support.records
"""

import hashlib
import json
import re
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.support.baking import RAW, ROOT, copy_template

RECORDS = Path("tests") / "records"
MIGRATIONS = RECORDS / "migrations.json"
NAMES = RECORDS / "names.json"
LOCKS = RECORDS / "settings_locks.json"
# The folders of migrations: the raw folder's, and the package's.
PACKAGE = "src"
# Until there is a release, the migrations stay as they were when the layout was new.
LAYOUT = "the first layout"
# Comments at the top of a file, up to the id of its license.
LICENSE = re.compile(rb"\A(?:#.*\n)*?# SPDX-License-Identifier: .*\n\n?")
# Where the kept names of each kind stand.
NAMES_IN = [
    ("prompt", "cookiecutter.json", r'^  "([a-z]\w+)":'),
    ("variable", f"{RAW}/.env.example", r"^(?:# )?([A-Z][A-Z_]+)="),
    ("command", f"{PACKAGE}/*/commands/tasks.py", r'^    "([a-z][a-z-]*)": \{'),
    ("check", f"{PACKAGE}/*/docs/checks.md", r"^(?:\| |- \*\*)([EWI]\d{3})\b"),
    ("route", f"{PACKAGE}/**/access.py", r"^(/\S*) "),
    ("route", f"{RAW}/**/tests/table.py", r"^(/\S*) "),
    ("setting", f"{PACKAGE}/**/defaults.py", r"^([A-Z][A-Z_]+) = "),
    ("label", f"{PACKAGE}/**/apps.py", r'^    label = "(\w+)"'),
    ("url name", f"{PACKAGE}/**/urls.py", r'\bname="([a-z]\w+)"'),
    ("public", "tests/public_names.txt", r"^([\w.]+: [\w.]+)"),
]
# The kept names that are those of files.
FILES_IN = [
    ("template", f"{PACKAGE}/**/*", r"/templates/(.+\.(?:html|txt))$"),
    ("static file", f"{PACKAGE}/**/*", r"/static/(.+)$"),
    ("management", f"{PACKAGE}/**/*.py", r"/management/commands/([a-z]\w*)\.py$"),
]
BLOCK = re.compile(r"\{% block (\w+)")

type Digests = dict[str, str]


def digest(file: Path) -> str:
    """Return the SHA-256 of a file, without a fork's license and the kind of line ends.

    Django reads neither.
    """
    content = LICENSE.sub(b"", file.read_bytes().replace(b"\r\n", b"\n"))
    return hashlib.sha256(content).hexdigest()


def digests(template: Path) -> Digests:
    """Return the digest of each migration of the raw folder and of the package."""
    return {
        file.relative_to(folder).as_posix(): digest(file)
        for folder in (template / RAW, template / PACKAGE)
        for file in sorted(folder.glob("**/migrations/*.py"))
    }


def kept_names(template: Path) -> list[str]:
    """Return the names that a release keeps, each with its kind."""
    in_texts = {
        f"{kind} {found}"
        for kind, pattern, name in NAMES_IN
        for path in template.glob(pattern)
        for found in re.findall(name, path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    return sorted(in_texts.union(names_of_files(template)))


def names_of_files(template: Path) -> Iterator[str]:
    """Yield the names of files that a release keeps, and the blocks of templates."""
    for kind, pattern, name in FILES_IN:
        for path in filter(Path.is_file, template.glob(pattern)):
            found = re.search(name, path.relative_to(template).as_posix())
            if found:
                yield f"{kind} {found[1]}"
            if found and kind == "template":
                blocks = BLOCK.findall(path.read_text(encoding="utf-8"))
                yield from (f"block {found[1]}: {block}" for block in blocks)


def recorded_names(template: Path) -> dict[str, list[str]]:
    """Return the names of each release."""
    text = (template / NAMES).read_text(encoding="utf-8")
    names_of_releases: dict[str, list[str]] = json.loads(text)
    return names_of_releases


def removed_names(template: Path) -> list[str]:
    """Return each name that a release of this major number had and this state not."""
    present = set(kept_names(template))
    major = present_version(template).partition(".")[0]
    return [
        f"{name} of {release}"
        for release, names in recorded_names(template).items()
        for name in names
        if release.partition(".")[0] == major and name not in present
    ]


def present_version(template: Path) -> str:
    """Return the version of the package."""
    text = (template / "pyproject.toml").read_text(encoding="utf-8")
    version: str = tomllib.loads(text)["project"]["version"]
    return version


def recorded_digests(template: Path) -> dict[str, Digests]:
    """Return the digests of the migrations of each release."""
    text = (template / MIGRATIONS).read_text(encoding="utf-8")
    digests_of_releases: dict[str, Digests] = json.loads(text)
    return digests_of_releases


def released(template: Path) -> list[str]:
    """Return the versions that CHANGELOG.md dates."""
    changelog = (template / "CHANGELOG.md").read_text(encoding="utf-8")
    return re.findall(r"^## (\d+\.\d+\.\d+), \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)


def edited_migrations(template: Path) -> list[str]:
    """Return each migration that differs from a release, and unrecorded releases."""
    recorded = recorded_digests(template)
    present = digests(template)
    unrecorded = [release for release in released(template) if release not in recorded]
    problems = [f"{release} is not recorded" for release in unrecorded]
    if not released(template):
        new = present.keys() - recorded[LAYOUT].keys()
        problems += [f"{path} is not recorded" for path in sorted(new)]
    for release, migrations in recorded.items():
        for path, expected in migrations.items():
            if present.get(path) != expected:
                problems.append(f"{path} of {release}")
    return problems


def recorded_locks(template: Path) -> Digests:
    """Return the digest of settings.lock in each release."""
    text = (template / LOCKS).read_text(encoding="utf-8")
    locks: Digests = json.loads(text)
    return locks


def lock_problem(template: Path) -> str:
    """Return the release whose settings.lock a patch release changes, or nothing."""
    version = present_version(template)
    series = version.rpartition(".")[0]
    present = digest(template / RAW / "settings.lock")
    for release, lock in recorded_locks(template).items():
        is_patch = release != version and release.rpartition(".")[0] == series
        if is_patch and lock != present:
            return release
    return ""


def record(template: Path) -> None:
    """Record the migrations, the names and the lock of a new dated release."""
    recorded = recorded_digests(template)
    names = recorded_names(template)
    locks = recorded_locks(template)
    releases = released(template)
    if not releases:
        recorded[LAYOUT] = digests(template) | recorded[LAYOUT]
    if releases and releases[0] not in recorded:
        recorded[releases[0]] = digests(template)
        names[releases[0]] = kept_names(template)
        locks[releases[0]] = digest(template / RAW / "settings.lock")
    for path, content in ((MIGRATIONS, recorded), (NAMES, names), (LOCKS, locks)):
        text = json.dumps(content, indent=2)
        (template / path).write_text(text + "\n", encoding="utf-8", newline="\n")


def main() -> None:
    """Record the state of this checkout, without its caches."""
    with tempfile.TemporaryDirectory() as folder:
        template = copy_template(Path(folder))
        record(template)
        for path in (MIGRATIONS, NAMES, LOCKS):
            (ROOT / path).write_bytes((template / path).read_bytes())


if __name__ == "__main__":
    main()
