"""Build the distributions of a release, and check them: python3 release.py v1.0.0 dist.

The source is a clean export of a commit, HEAD without --commit, which need not have its
tag yet. It is built twice, and both builds must be equal, byte for byte. So whoever has
the tag builds the same files again, and compares them with those on an index:

    python3 release.py v1.0.0 dist --commit v1.0.0 && sha256sum dist/*

Beside them is the list of hashes that a project of this release has for its vendor/.
So whoever compares projects asks the release, and not the projects themselves.

The program needs uv and Git, no network, and only the standard library. No code of the
package runs.
"""

import argparse
import email
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

SOURCE = "src/"
README = "src/README.md"  # for an index, and so in no wheel
# What a source distribution has beside the source: the build writes the first two.
BUILT = {"PKG-INFO", "pyproject.toml"}
COPIED = {"LICENSE"}
ORIGINAL = "pyproject.toml.orig"
# The files about the wheel in it.
ABOUT = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
# Caches, leftovers and data of tests, secrets, and sources of translations, whose
# compiled form is what Django reads.
UNWANTED = re.compile(
    r"(^|/)(__pycache__|\.[^/]*|fixtures|testdata|media|reports|secrets)(/|$)"
    r"|\.(egg-info|key|log|orig|pem|po|py[co]|rej|sqlite3\S*|swp)$"
)

# An index has neither the file nor the heading.
RELATIVE_LINK = re.compile(r"\]\((?!https://)|(?:src|href)=\"(?!https://)")

# The contents, by the paths. A builder may have Python 3.11, without `type`.
Files = dict[str, bytes]


def main() -> None:
    """Build what the arguments say; end with each problem of the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tag", help="the release's tag, such as v1.0.0")
    parser.add_argument("output", type=Path, help="a new folder for the files")
    parser.add_argument("--commit", default="HEAD", help="HEAD if it is left out")
    options = parser.parse_args()
    if options.output.exists():
        sys.exit(f"{options.output} exists already: name a new folder.")
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "first"
        second = Path(folder) / "second"
        build(options.commit, first)
        build(options.commit, second, mtime=0)
        tracked = read_files(first / "source")
        built = read_files(first / "dist")
        problems = compare_builds(built, read_files(second / "dist"))
        problems += find_problems(options.tag, tracked, first / "dist")
    if problems:
        sys.exit("\n".join(["Nothing was built:", *problems]))
    options.output.mkdir(parents=True)
    version = options.tag.removeprefix("v")
    hashes = list_hashes(vendored(version, tracked))
    built[f"secure-django-{version}.sha256"] = hashes.encode()
    for name, content in built.items():
        (options.output / name).write_bytes(content)
        print(options.output / name)


def build(commit: str, folder: Path, mtime: float | None = None) -> None:
    """Export a commit to `source` of a new folder, and build it into `dist` there.

    With a time of change, in seconds, all exported files have it.
    """
    source = folder / "source"
    source.mkdir(parents=True)
    archive = folder / "source.tar"
    run("git", "archive", f"--output={archive}", commit)
    with tarfile.open(archive) as exported:
        exported.extractall(source, filter="data")
    if mtime is not None:
        for path in source.rglob("*"):
            os.utime(path, (mtime, mtime))
    # uv has the backend itself. Offline, it cannot take another one from an index.
    command = ("uv", "build", "--quiet", "--offline", "--no-config", "--no-sources")
    run(*command, "--out-dir", str(folder / "dist"), str(source))
    (folder / "dist" / ".gitignore").unlink(missing_ok=True)


def run(*command: str) -> None:
    """Run a command, or end with what it printed."""
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"{command[0]} failed: {process.stderr.strip()}")


# What a project has in vendor/


def vendored(version: str, tracked: Files) -> Files:
    """Return the files of the package as the template copies them into projects."""
    own = f'version = "{version}"'.encode()
    metadata = tracked["pyproject.toml"].replace(own, own[:-1] + b'+vendored"', 1)
    license_text = tracked["LICENSE"]
    files = package_of(tracked)
    return files | {"LICENSE": license_text, "pyproject.toml": metadata}


def list_hashes(files: Files) -> str:
    """Return the hash of each file, as sha256sum does."""
    hashes = {path: hashlib.sha256(files[path]).hexdigest() for path in sorted(files)}
    return "".join(f"{sha256}  {path}\n" for path, sha256 in hashes.items())


# What is compared


def read_files(folder: Path) -> Files:
    """Return the files of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read_wheel(path: Path) -> Files:
    """Return the files of a wheel."""
    with ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        return {name: archive.read(name) for name in names}


def read_sdist(path: Path) -> Files:
    """Return the files of a source distribution, without the folder around them."""
    files: Files = {}
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content:
                files[member.name.partition("/")[2]] = content.read()
    return files


def package_of(tracked: Files) -> Files:
    """Return the package's files of an export: without hidden ones, for the work."""
    return {
        path: content
        for path, content in tracked.items()
        if path.startswith(SOURCE) and "/." not in path
    }


# What is checked


def compare_builds(first: Files, second: Files) -> list[str]:
    """Return a line for each file that two builds made in different ways."""
    names = sorted(first.keys() | second.keys())
    return [
        f"{name}: a second build made another file, so no one could check it"
        for name in names
        if first.get(name) != second.get(name)
    ]


def find_problems(tag: str, tracked: Files, dist: Path) -> list[str]:
    """Return a line for each way in which the built files are not the release."""
    project = tomllib.loads(tracked["pyproject.toml"].decode())["project"]
    stem = f"{project['name'].replace('-', '_')}-{tag.removeprefix('v')}"
    wheel = dist / f"{stem}-py3-none-any.whl"
    sdist = dist / f"{stem}.tar.gz"
    found = {path.name for path in dist.iterdir()}
    if found != {wheel.name, sdist.name}:
        names = ", ".join(sorted(found))
        return [f"{tag} is to have {wheel.name} and {sdist.name}, not {names}"]
    problems = check_wheel(f"{stem}.dist-info/", tracked, read_wheel(wheel))
    return problems + check_sdist(tracked, read_sdist(sdist))


def check_wheel(about: str, tracked: Files, files: Files) -> list[str]:
    """Return the problems of a wheel, whose folder about itself is named."""
    source = {
        path.removeprefix(SOURCE): content
        for path, content in package_of(tracked).items()
        if path != README
    }
    own = {path: files[path] for path in files if not path.startswith(about)}
    described = {path.removeprefix(about): files[path] for path in files.keys() - own}
    problems = [f"wheel: {line}" for line in compare_files(source, own)]
    if described.keys() != ABOUT:
        names = ", ".join(sorted(described))
        return [*problems, f"wheel: {about} has {names}"]
    if "secure_django/py.typed" not in own:
        problems.append("wheel: py.typed is missing, so no project would see the types")
    if described["licenses/LICENSE"] != tracked["LICENSE"]:
        problems.append("wheel: the license is another than LICENSE")
    if b"\nRoot-Is-Purelib: true\n" not in described["WHEEL"]:
        problems.append("wheel: it is not for every system")
    problems += check_metadata(tracked, described["METADATA"])
    problems += check_entry_points(tracked, described["entry_points.txt"])
    return problems


def check_sdist(tracked: Files, files: Files) -> list[str]:
    """Return the problems of a source distribution."""
    source = package_of(tracked) | {name: tracked[name] for name in COPIED}
    source[ORIGINAL] = tracked["pyproject.toml"]
    missing = BUILT - files.keys()
    if missing:
        return [f"sdist: {', '.join(sorted(missing))} is missing"]
    own = {path: files[path] for path in files.keys() - BUILT}
    problems = [f"sdist: {line}" for line in compare_files(source, own)]
    problems += check_metadata(tracked, files["PKG-INFO"])
    return problems


def compare_files(expected: Files, found: Files) -> Iterator[str]:
    """Yield a line for each file that is not as the commit has it, or unwanted."""
    for path in sorted(expected.keys() | found.keys()):
        if path not in found:
            yield f"{path} is missing"
        elif path not in expected:
            yield f"{path} is not in the commit"
        elif expected[path] != found[path]:
            yield f"{path} differs from the commit"
        elif UNWANTED.search(path) and path != ORIGINAL:
            yield f"{path} is no file for users: take it out of {SOURCE}"


def check_metadata(tracked: Files, content: bytes) -> Iterator[str]:
    """Yield a line for each field that differs from pyproject.toml."""
    project = tomllib.loads(tracked["pyproject.toml"].decode())["project"]
    message = email.message_from_bytes(content)
    expected = {
        "Name": [project["name"]],
        "Version": [project["version"]],
        "License-Expression": [project["license"]],
        "License-File": project["license-files"],
        "Provides-Extra": sorted(project["optional-dependencies"]),
        "Description-Content-Type": ["text/markdown"],
        "Classifier": project["classifiers"],
        "Project-URL": [f"{name}, {url}" for name, url in project["urls"].items()],
    }
    for field, values in expected.items():
        found = message.get_all(field, [])
        if found != values:
            yield f"metadata: {field} is {found}, not {values}"
    if "+" in message["Version"]:
        yield "metadata: no public index takes a version with a local part"
    if spell(message["Requires-Python"]) != spell(project["requires-python"]):
        yield f"metadata: Requires-Python is {message['Requires-Python']}"
    yield from check_description(tracked, message)


def check_description(tracked: Files, message: Message) -> Iterator[str]:
    """Yield a line if the description is not the README, or not for an index."""
    description = message.get_payload(decode=True)
    readme = tracked[README]
    if not isinstance(description, bytes) or description.strip() != readme.strip():
        yield f"metadata: the description is another than {README}"
    if RELATIVE_LINK.search(readme.decode()):
        yield f"metadata: {README} has a link without https://, which no index follows"


def spell(specifier: str | None) -> str:
    """Return a range of versions without spaces."""
    return (specifier or "").replace(" ", "")


def check_entry_points(tracked: Files, content: bytes) -> Iterator[str]:
    """Yield a line if the entry points differ from pyproject.toml."""
    project = tomllib.loads(tracked["pyproject.toml"].decode())["project"]
    parser = ConfigParser(delimiters=("=",))
    parser.read_string(content.decode())
    found = {group: dict(parser[group]) for group in parser.sections()}
    if found != project["entry-points"]:
        yield f"wheel: the entry points are {found}"


if __name__ == "__main__":
    main()
