"""Read the evidence of projects, print a line for each, and write evidence.html.

The exit code is 1 if a project has a problem, other than what its team left out.
"""

import argparse
import re
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from secure_django.advisories import Record, parse_version, read_advisories
from secure_django.commands.vendored import read_hashes
from secure_django.fleet.page import Row, make_row, render
from secure_django.fleet.problems import (
    Expected,
    Problem,
    digests_of_release,
    find_problems,
)
from secure_django.fleet.reading import Project, read_projects
from secure_django.untrusted import UnreadableError, printable, read_file

LIST = re.compile(r"secure-django-(\d+\.\d+\.\d+)\.sha256")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m secure_django.fleet", description=__doc__
    )
    add = parser.add_argument
    add("folder", type=Path, help="has a folder for each project, with controls.json")
    add(
        "--release",
        default="",
        help="the oldest release that is fine, such as 1.0.1; forks have merged it",
    )
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


def read_digests(files: list[Path]) -> dict[str, set[str]]:
    """Return the hashes of releases, whose numbers are in the names of the files."""
    digests: dict[str, set[str]] = defaultdict(set)
    for file in files:
        match = LIST.fullmatch(file.name)
        if match is None:
            sys.exit(f"{file.name}: name it secure-django-1.0.1.sha256, by its release")
        # A fork may have a release of the same number.
        digests[match[1]] |= digests_of_release(read_hashes(file))
    return digests


def read_list(file: Path | None) -> list[Record]:
    """Return the advisories of a file."""
    if file is None:
        return []
    try:
        return read_advisories(read_file(file))
    except UnreadableError as error:
        raise UnreadableError(f"{file}: {error}") from error


def read_expected(arguments: argparse.Namespace, projects: list[Project]) -> Expected:
    """Return what the arguments ask for."""
    if arguments.release:
        parse_version(arguments.release)
    now = datetime.now(UTC)
    return Expected(
        now=now,
        since=now - timedelta(days=arguments.days),
        release=arguments.release,
        advisories=read_list(arguments.advisories),
        digests=read_digests(arguments.hashes),
        required=find_required(projects),
    )


def find_required(projects: list[Project]) -> set[str]:
    """Return the requirements of level 1 that half of the projects list, or more.

    What one file invents is asked of no other project.
    """
    read = [project.evidence for project in projects if project.evidence]
    counts: Counter[str] = Counter()
    for evidence in read:
        controls = evidence["controls"]
        counts.update({it["id"] for it in controls if it["level"] == 1})
    return {name for name, count in counts.items() if 2 * count >= len(read)}


def compare_projects(arguments: argparse.Namespace) -> list[Row]:
    """Return a row for each project, those with the worst problems first."""
    projects = read_projects(arguments.folder)
    if not projects:
        sys.exit(f"{arguments.folder} has no folder of a project.")
    expected = read_expected(arguments, projects)
    rows = [compare_project(project, expected) for project in projects]
    return sorted(rows, key=lambda row: (row.kind or 99, row.cells[0]))


def compare_project(project: Project, expected: Expected) -> Row:
    """Return the row of a project."""
    problems: list[Problem] = [*project.problems]
    if project.evidence:
        problems += find_problems(project.evidence, expected)
    return make_row(project.name, project.evidence, problems)


def main() -> int:
    arguments = parse_arguments()
    # A console that cannot show a character shows its code point.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        rows = compare_projects(arguments)
        arguments.page.write_text(render(rows), encoding="utf-8")
    except (OSError, OverflowError, ValueError) as error:
        sys.exit(f"The projects cannot be compared: {printable(error)}")
    for row in rows:
        print(*filter(None, row.cells), ", ".join(row.texts), sep="  ")
    return int(any(row.is_failure for row in rows))


if __name__ == "__main__":
    sys.exit(main())
