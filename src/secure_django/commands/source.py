"""Take the package from an index instead of vendor/, or from vendor/ again.

    python -m secure_django.commands.source index [URL]    of a private index
    python -m secure_django.commands.source vendor

Both change pyproject.toml, uv.lock and vendor/, and commit nothing. The version stays.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from secure_django.commands.pins import (
    find_version,
    pin_in_vendor,
    pin_on_index,
    url_problem,
)
from secure_django.commands.programs import NotRun, check_project, run
from secure_django.commands.template_update import clone_template, read_record

METADATA = Path("pyproject.toml")
VENDOR = Path("vendor/secure-django")
HASHES = Path("vendor/secure-django.sha256")


def main() -> None:
    """Run the command of the arguments in the project of the current folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sources = parser.add_subparsers(dest="source", required=True)
    index = sources.add_parser("index")
    index.add_argument("url", nargs="?", default="", metavar="URL")
    sources.add_parser("vendor")
    options = parser.parse_args()
    check_project()
    try:
        if options.source == "index":
            take_from_index(options.url)
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
    record = read_record()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        release = clone_template(folder, record["template"], version)
        update = [sys.executable, f"{folder}/update.py", release, "--package"]
        process = subprocess.run(update, check=False)  # noqa: S603 - no shell
    if process.returncode:
        sys.exit(process.returncode)
    write_and_lock(pin_in_vendor(text))
    print(f"secure-django {version} comes from vendor/. Run the tests, and commit.")


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
