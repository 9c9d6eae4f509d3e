"""Say whether vendor/secure-django is what the release has.

    python -m secure_django.commands.vendored        in the project's folder

It names each file that is missing, changed or not of the release, there and in the
installed copy. vendor/secure-django.sha256 has the hashes, in the format of sha256sum,
and .cruft.json has the hash of this list. That nobody changed all three on purpose,
`poe template-update` finds, which generates the release anew.

It also names compiled code that Git tracks, anywhere in the project: Python runs it in
place of the text that a review has seen.
"""

import hashlib
import os
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from secure_django.commands.programs import NotRun, run
from secure_django.commands.record import RECORD, read_record
from secure_django.untrusted import UnreadableError, printable, read_file

VENDOR = "vendor/secure-django"
HASHES = "vendor/secure-django.sha256"
SOURCE = "src/secure_django/"
# As sha256sum writes it, which marks binary files with an asterisk.
LINE = re.compile(r"(?P<sha256>[0-9a-f]{64}) [ *](?P<name>\S.*)")
# What Python and desktops leave in folders.
LEFTOVERS = {"__pycache__", ".DS_Store"}
# As scans/bytecode.py of a project has them.
COMPILED = re.compile(r"(^|/)__pycache__(/|\Z)|\.(pyc|pyd|pyo|pth|so)\Z", re.IGNORECASE)
ADVICE = """\
Restore the files with Git, and run `uv sync --reinstall-package secure-django`: \
what a project changes without an edit is in secure_django/docs/seams.md."""


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or nothing for a link: the package has none."""
    if path.is_symlink():
        return ""
    content = path.read_bytes()
    if b"\0" not in content:  # a clone on Windows can have other line ends
        content = content.replace(b"\r\n", b"\n")
    return hashlib.sha256(content).hexdigest()


def hash_files(folder: Path) -> dict[str, str]:
    """Return the hash of each file in a folder, by its name relative to that."""
    hashes = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        is_leftover = not LEFTOVERS.isdisjoint(name.parts)
        if not is_leftover and (path.is_file() or path.is_symlink()):
            hashes[name.as_posix()] = digest(path)
    return hashes


def read_hashes(path: Path) -> dict[str, str]:
    """Return the hashes of a list in the format of sha256sum.

    Raise UnreadableError, with the name of the file, if it has another form.
    """
    try:
        lines = read_file(path).splitlines()
    except UnreadableError as error:
        raise UnreadableError(f"{path.name} is damaged: {error}") from error
    hashes = {}
    for number, line in enumerate(lines, start=1):
        match = LINE.fullmatch(line)
        if match is None or match["name"] in hashes:
            what = printable(line, 40) or "an empty line"
            message = f"{path.name} is damaged: line {number} is {what}"
            raise UnreadableError(message)
        hashes[match["name"]] = match["sha256"]
    if not hashes:
        raise UnreadableError(f"{path.name} is damaged: it is empty")
    return hashes


def compare(
    released: dict[str, str], found: dict[str, str], where: str
) -> Iterator[str]:
    for name in sorted(released | found):
        if name not in found:
            yield f"{where}/{name} is missing"
        elif name not in released:
            yield f"{where}/{name} is not of the release"
        elif released[name] != found[name]:
            yield f"{where}/{name} was changed"


def find_installed() -> Path | None:
    """Return the folder that `import secure_django` reads."""
    spec = find_spec("secure_django")
    return Path(spec.origin).parent.resolve() if spec and spec.origin else None


def find_problems(root: Path) -> list[str]:
    """Return a line for each compiled file that Git tracks, and for each change."""
    return [*find_compiled(root), *find_changes(root)]


def find_compiled(root: Path) -> list[str]:
    """Return a line for each compiled file that Git tracks."""
    return [
        f"{printable(name)} is compiled code in Git: run `git rm --cached` on it"
        for name in compiled_names(root)
    ]


def find_changes(root: Path) -> list[str]:
    """Return a line for each difference between a project's copies and the release.

    Without vendor/, the package is from an index: uv.lock has its hash.
    """
    return compare_copies(root) if (root / VENDOR).is_dir() else []


def compiled_names(root: Path) -> list[str]:
    """Return the compiled files that Git tracks; none, if the folder is no clone."""
    try:
        listing = run("git", "-C", str(root), "ls-files", "-z", "--recurse-submodules")
    except NotRun:
        return []
    return [name for name in listing.split("\0") if COMPILED.search(name)]


def compare_copies(root: Path) -> list[str]:
    vendor = root / VENDOR
    hashes = root / HASHES
    if not os.path.lexists(hashes):
        return [f"{HASHES} is missing"]
    try:
        released = read_hashes(hashes)
        recorded = read_recorded_hash(root)
    except (UnreadableError, NotRun) as error:
        return [str(error)]
    problems = list(compare(released, hash_files(vendor), VENDOR))
    if recorded and recorded != digest(hashes):
        problems.append(f"{HASHES} is not the list that {RECORD} records")
    installed = find_installed()
    if installed and not installed.is_relative_to(vendor.resolve()):
        package = {
            name.removeprefix(SOURCE): sha256
            for name, sha256 in released.items()
            if name.startswith(SOURCE)
        }
        where = "installed secure_django"
        problems += compare(package, hash_files(installed), where)
    return problems


def read_recorded_hash(root: Path) -> str:
    """Return the hash of the list that was generated, if the project records one."""
    if not os.path.lexists(root / RECORD):
        return ""
    return str(read_record(root).get("generated", {}).get("package", ""))


def main() -> int:
    root = Path.cwd()
    compiled = find_compiled(root)
    changes = find_changes(root)
    for problem in [*compiled, *changes]:
        print(problem)
    if changes:
        print(ADVICE, file=sys.stderr)
    return int(bool(compiled or changes))


if __name__ == "__main__":
    sys.exit(main())
