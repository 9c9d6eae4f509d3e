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

from secure_django.commands.pins import (
    find_version,
    pin_in_vendor,
    pin_on_index,
    pin_release,
    url_problem,
)
from secure_django.commands.programs import NotRun, check_project, run
from secure_django.commands.record import read_record
from secure_django.commands.template_update import clone_template

METADATA = Path("pyproject.toml")
VENDOR = Path("vendor/secure-django")
HASHES = Path("vendor/secure-django.sha256")

RELEASE = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
NO_PATCH = """\
{wanted} is no later patch release of {version}. Take another release with all of the
template: `uv run poe template-update {wanted}`."""


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
    problem = url_problem(url) if url else ""
    if problem:
        sys.exit(problem)
    check_edits()
    text = METADATA.read_text(encoding="utf-8")
    version = find_version(text)
    write_and_lock(pin_on_index(text, url))
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
    text = METADATA.read_text(encoding="utf-8")
    version = find_version(text)
    bring_package(version)
    write_and_lock(pin_in_vendor(text))
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
    pinned = pin_release(text, wanted)
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
