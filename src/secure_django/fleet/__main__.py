"""Read the evidence of projects, print a line for each, and write evidence.html.

The exit code is 1 if a project has a problem, other than what its team left out.
"""

import argparse
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from secure_django.advisories import parse_version, read_advisories
from secure_django.commands.vendored import read_hashes
from secure_django.fleet.page import Row, make_row, render
from secure_django.fleet.problems import (
    SCHEMA,
    Evidence,
    Expected,
    digests_of_release,
    find_problems,
)

FILES = ("controls.json", "controls-partial.json")
LIST = re.compile(r"secure-django-(\d+\.\d+\.\d+)\.sha256")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m secure_django.fleet", description=__doc__
    )
    add = parser.add_argument
    add("folder", type=Path, help="has a folder for each project, with controls.json")
    add("--release", default="", help="the oldest release that is fine, such as 1.0.1")
    add("--days", type=int, default=31, help="how old a run may be: 31")
    add("--advisories", type=Path, help="advisories.json of the repository")
    add(
        "--hashes",
        type=Path,
        action="append",
        default=[],
        help="secure-django-1.0.1.sha256 of a release; may be repeated",
    )
    add("--page", type=Path, default=Path("evidence.html"), help="the page to write")
    return parser.parse_args()


def read_projects(folder: Path) -> dict[str, Evidence | None]:
    """Return the evidence of each project, by its path in the folder."""
    folders = {path for path in folder.rglob("*") if path.is_dir()}
    parents = {path.parent for path in folders}
    projects = {}
    for path in sorted(folders - parents):
        projects[path.relative_to(folder).as_posix()] = read_evidence(path)
    return projects


def read_evidence(folder: Path) -> Evidence | None:
    """Return the evidence of a whole run, or else of a part."""
    for name in FILES:
        file = folder / name
        if file.is_file():
            evidence: Evidence = json.loads(file.read_text(encoding="utf-8"))
            return evidence
    return None


def read_digests(files: list[Path]) -> dict[str, set[str]]:
    """Return the hashes of releases, whose numbers are in the names of the files."""
    digests = {}
    for file in files:
        match = LIST.fullmatch(file.name)
        if match is None:
            sys.exit(f"{file.name}: name it secure-django-1.0.1.sha256, by its release")
        digests[match[1]] = digests_of_release(read_hashes(file))
    return digests


def read_expected(
    arguments: argparse.Namespace, projects: dict[str, Evidence | None]
) -> Expected:
    """Return what the arguments ask for."""
    if arguments.release:
        parse_version(arguments.release)
    text = "[]"
    if arguments.advisories:
        text = arguments.advisories.read_text(encoding="utf-8")
    return Expected(
        since=datetime.now(UTC) - timedelta(days=arguments.days),
        release=arguments.release,
        advisories=read_advisories(text),
        digests=read_digests(arguments.hashes),
        required=find_required(projects),
    )


def find_required(projects: dict[str, Evidence | None]) -> set[str]:
    """Return the requirements of level 1 that any project lists."""
    return {
        control["id"]
        for evidence in projects.values()
        if evidence and evidence.get("schema_version") == SCHEMA
        for control in evidence["controls"]
        if control["level"] == 1
    }


def compare_projects(arguments: argparse.Namespace) -> list[Row]:
    """Return a row for each project, those with the worst problems first."""
    projects = read_projects(arguments.folder)
    if not projects:
        sys.exit(f"{arguments.folder} has no folder of a project.")
    expected = read_expected(arguments, projects)
    rows = [
        make_row(name, evidence, find_problems(evidence, expected))
        for name, evidence in projects.items()
    ]
    return sorted(rows, key=lambda row: row.kind or 99)


def main() -> int:
    arguments = parse_arguments()
    try:
        rows = compare_projects(arguments)
    except (OSError, ValueError) as error:
        sys.exit(f"The projects cannot be compared: {error}")
    for row in rows:
        print(*filter(None, row.cells), ", ".join(row.texts), sep="  ")
    arguments.page.write_text(render(rows), encoding="utf-8")
    return int(any(row.is_failure for row in rows))


if __name__ == "__main__":
    sys.exit(main())
