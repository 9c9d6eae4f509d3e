"""Take the package from an index, from vendor/ again, or a fix of it.

    python -m secure_django.commands.source index [URL]    of a private index
    python -m secure_django.commands.source vendor
    python -m secure_django.commands.source update 1.0.1

All change pyproject.toml, uv.lock and vendor/, and commit nothing. With the first two,
the version stays. The last takes a patch release of the package, and nothing else of
the template: a patch release changes no setting.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from secure_django.commands.programs import NotRun, check_project, run
from secure_django.commands.template_update import clone_template, read_record

METADATA = Path("pyproject.toml")
VENDOR = Path("vendor/secure-django")
HASHES = Path("vendor/secure-django.sha256")

PIN = re.compile(
    r'(?P<package>"secure-django(?:\[[\w,-]+\])?==)(?P<version>[\d.]+)(?P<local>\+vendored)?"'
)
SOURCES = "[tool.uv.sources]\n"
# Above it, a comment may stand.
SOURCE = re.compile(r"^(?:#.*\n)?secure-django = \{.*\}\n", re.MULTILINE)
EMPTY_SOURCES = re.compile(r"^\[tool\.uv\.sources\]\n\n*(?=\[|\Z)", re.MULTILINE)
VENDORED_SOURCE = """\
# The package's source, until you name a version on an index: docs/updating.md.
secure-django = { path = "vendor/secure-django", editable = true }
"""
INDEX_SOURCE = """\
secure-django = { index = "secure-django" }
"""
# No other package comes from it.
INDEX = """\
[[tool.uv.index]]
name = "secure-django"
url = "{url}"
explicit = true

"""
INDEX_TABLE = re.compile(
    r'^\[\[tool\.uv\.index\]\]\nname = "secure-django"\n(?:.+\n)*\n?', re.MULTILINE
)
RELEASE = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
NO_PATCH = """\
{wanted} is no later patch release of {version}. Take another release with all of the
template: `uv run poe template-update {wanted}`."""
CREDENTIALS = """\
pyproject.toml is no place for a password. Leave it out of the URL, and set
UV_INDEX_SECURE_DJANGO_USERNAME and UV_INDEX_SECURE_DJANGO_PASSWORD."""


def main() -> None:
    """Run the command of the arguments in the project of the current folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sources = parser.add_subparsers(dest="source", required=True)
    index = sources.add_parser("index")
    index.add_argument("url", nargs="?", default="", metavar="URL")
    sources.add_parser("vendor")
    update = sources.add_parser("update")
    update.add_argument("release", metavar="RELEASE")
    options = parser.parse_args()
    check_project()
    try:
        if options.source == "index":
            take_from_index(options.url)
        elif options.source == "update":
            take_release(options.release)
        else:
            take_from_vendor()
    except NotRun as reason:
        sys.exit(f"The command failed, and nothing was changed: {reason}")


def take_from_index(url: str) -> None:
    """Pin the version on the public index or on a private one, and remove vendor/."""
    address = urlsplit(url)
    if address.username or address.password:
        sys.exit(CREDENTIALS)
    check_edits()
    text = drop_source(METADATA.read_text(encoding="utf-8"))
    if url:
        text = add_source(text, INDEX_SOURCE, INDEX.format(url=url))
    version = find_version(text)
    write_and_lock(PIN.sub(rf'\g<package>{version}"', text))
    shutil.rmtree(VENDOR, ignore_errors=True)
    HASHES.unlink(missing_ok=True)
    if VENDOR.parent.is_dir() and not any(VENDOR.parent.iterdir()):
        VENDOR.parent.rmdir()
    where = url or "the public index"
    print(f"secure-django {version} comes from {where}. Run the tests, and commit.")


def take_from_vendor() -> None:
    """Bring the package of the pinned version into vendor/, and pin that."""
    if VENDOR.exists():
        sys.exit(f"{VENDOR.as_posix()} is there already.")
    text = drop_source(METADATA.read_text(encoding="utf-8"))
    version = find_version(text)
    bring_package(version)
    text = add_source(text, VENDORED_SOURCE)
    write_and_lock(PIN.sub(rf'\g<package>{version}+vendored"', text))
    print(f"secure-django {version} comes from vendor/. Run the tests, and commit.")


def bring_package(version: str) -> None:
    """Bring the package of a release into vendor/, and record it."""
    record = read_record()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        release = clone_template(folder, record["template"], version)
        update = [sys.executable, f"{folder}/update.py", release, "--package"]
        process = subprocess.run(update, check=False)  # noqa: S603 - no shell
    if process.returncode:
        sys.exit(process.returncode)


def take_release(wanted: str) -> None:
    """Take a patch release of the package, from where the project has it."""
    text = METADATA.read_text(encoding="utf-8")
    version = find_version(text)
    if not is_patch(version, wanted):
        sys.exit(NO_PATCH.format(wanted=wanted, version=version))
    wanted = wanted.removeprefix("v")
    pinned = PIN.sub(rf'\g<package>{wanted}\g<local>"', text)
    if not VENDOR.exists():
        write_and_lock(pinned)
    else:
        check_edits()
        bring_package(wanted)
        lock_with_vendor(pinned)
    print(f"secure-django is now {wanted}. Run the tests, and commit.")


def is_patch(version: str, wanted: str) -> bool:
    """Return whether a release differs from an older one by its last number alone."""
    old = RELEASE.fullmatch(version)
    new = RELEASE.fullmatch(wanted)
    if not old or not new:
        return False
    is_later = int(new[3]) > int(old[3])
    return is_later and old.groups()[:2] == new.groups()[:2]


def lock_with_vendor(metadata: str) -> None:
    """Write the metadata and uv.lock; on a failure, restore vendor/ too."""
    try:
        write_and_lock(metadata)
    except NotRun:
        # There were no changes before.
        run("git", "checkout", "--quiet", "HEAD", "--", "vendor", ".cruft.json")
        run("git", "clean", "--force", "-d", "--quiet", "--", VENDOR.as_posix())
        raise


def check_edits() -> None:
    """End if vendor/ has edits, which would be lost."""
    check = (sys.executable, "-m", "secure_django.commands.vendored")
    process = subprocess.run(check, check=False)  # noqa: S603 - no shell
    if process.returncode:
        sys.exit(process.returncode)


def find_version(metadata: str) -> str:
    """Return the pinned version of the package, without its local part."""
    versions = {pin["version"] for pin in PIN.finditer(metadata)}
    if len(versions) != 1:
        found = ", ".join(sorted(versions)) or "none"
        sys.exit(f"{METADATA} has to pin one version of secure-django, not {found}.")
    return versions.pop()


def drop_source(metadata: str) -> str:
    """Return the metadata without the source of the package."""
    text = INDEX_TABLE.sub("", SOURCE.sub("", metadata))
    return EMPTY_SOURCES.sub("", text)


def add_source(metadata: str, source: str, index: str = "") -> str:
    """Return the metadata with a source of the package, and the index that it names."""
    if SOURCES in metadata:
        text = metadata.replace(SOURCES, f"{SOURCES}{source}", 1)
    else:
        text = metadata.replace("[tool.uv]\n", f"{SOURCES}{source}\n[tool.uv]\n", 1)
    return text.replace("[tool.uv]\n", f"{index}[tool.uv]\n", 1)


def write_and_lock(metadata: str) -> None:
    """Write the metadata and uv.lock; on a failure, restore the metadata."""
    before = METADATA.read_bytes()
    METADATA.write_text(metadata, encoding="utf-8", newline="\n")
    try:
        run("uv", "lock")
    except NotRun:
        METADATA.write_bytes(before)
        raise


if __name__ == "__main__":
    main()
