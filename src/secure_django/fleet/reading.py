"""Find the folders of projects, and read their evidence.

A file that cannot be read is the problem of its project, and of no other.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from secure_django.fleet.forms import Evidence, check_form
from secure_django.fleet.problems import Kind, Problem
from secure_django.untrusted import UnreadableError, read_json

# What follows a repository in the URL of a run of GitHub or GitLab.
REST = re.compile(r"/(?:actions/runs|-)/")
# The evidence of a whole run, or else of a part.
FILES = ("controls.json", "controls-partial.json")


class Project(NamedTuple):
    """A folder, what its evidence says, and what is wrong with the folder."""

    name: str
    evidence: Evidence | None
    problems: list[Problem]


class Folder(NamedTuple):
    """A folder on the way to evidence."""

    path: Path
    names: list[str]  # what it contains
    folders: list[Path]
    reason: str = ""  # why it cannot be read

    @property
    def files(self) -> list[str]:
        return [name for name in FILES if name in self.names]


def read_projects(root: Path) -> list[Project]:
    """Return a project for each folder with evidence, or without any folder in it."""
    root = root.resolve()
    folders = [list_folder(root)]
    for folder in folders:
        folders += map(list_folder, folder.folders)
    with_files = {folder.path for folder in folders if folder.files}
    projects = []
    for folder in folders:
        above = with_files.intersection(folder.path.parents)
        is_root = folder.path == root
        is_alone = not folder.folders and not above and not is_root
        if folder.files or folder.reason or is_alone:
            projects.append(read_project(folder, root, with_files))
    return [*add_doubles(projects)]


def list_folder(path: Path) -> Folder:
    """List a folder. What links to a folder is one without others in it."""
    if path.is_symlink():
        names = [name for name in FILES if os.path.lexists(path / name)]
        return Folder(path, names, [])
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        return Folder(path, [], [], error.strerror or str(error))
    names = [entry.name for entry in entries]
    folders = [
        entry for entry in entries if entry.name not in FILES and is_folder(entry)
    ]
    return Folder(path, names, folders)


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder, or a link that leads nowhere."""
    return os.path.isdir(path) or (path.is_symlink() and not os.path.exists(path))


def read_project(folder: Folder, root: Path, with_files: set[Path]) -> Project:
    """Return what the files of a folder say."""
    name = folder.path.relative_to(root).as_posix()
    if folder.reason:
        text = f"the folder cannot be read: {folder.reason}"
        return Project(name, None, [Problem(Kind.UNKNOWN, text)])
    if not folder.files:
        return Project(name, None, [Problem(Kind.UNKNOWN, "no evidence")])
    file = folder.files[0]
    evidence = None
    problems = []
    try:
        evidence = check_form(read_json(folder.path / file))
    except UnreadableError as error:
        text = f"{file} cannot be read: {error}"
        problems.append(Problem(Kind.UNKNOWN, text))
    if evidence and not is_of_folder(evidence, name):
        text = f"its evidence is about another project: {describe(evidence)}"
        problems.append(Problem(Kind.RED, text))
    if is_nested(folder.path, root, with_files):
        text = "one folder with evidence is in another: keep one for each project"
        problems.append(Problem(Kind.RED, text))
    return Project(name, evidence, problems)


def is_of_folder(evidence: Evidence, name: str) -> bool:
    """Return whether evidence is about the project of a folder.

    A folder has the path of its repository, or at least the project's name.
    """
    path = unquote(name).casefold()
    run = evidence["ci_run"]
    if run:
        repository = REST.split(split_path(run))[0].strip("/").casefold()
        return f"/{repository}".endswith(f"/{path}") or path.endswith(f"/{repository}")
    project: str = evidence["project"]
    return path.rpartition("/")[2] == project.casefold()


def split_path(url: str) -> str:
    """Return the path of a URL, nothing if it is no URL."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def describe(evidence: Evidence) -> str:
    return str(evidence["ci_run"] or evidence["project"])


def is_nested(path: Path, root: Path, with_files: set[Path]) -> bool:
    """Return whether a folder with evidence is in another one, or has another in it.

    Those of all projects are in the root, so a file there is its own problem.
    """
    is_in_another = with_files.intersection(path.parents) - {root}
    has_another = any(path in other.parents for other in with_files)
    return bool(is_in_another) or has_another


def add_doubles(projects: list[Project]) -> Iterator[Project]:
    """Yield the projects; those with one project and commit are problems."""
    names = defaultdict(list)
    for project in projects:
        if project.evidence and project.evidence["commit"]:
            names[key_of(project.evidence)].append(project.name)
    for project in projects:
        others: list[str] = []
        if project.evidence:
            others = names[key_of(project.evidence)]
        problems = [
            Problem(Kind.RED, f"the project and the commit of {other}")
            for other in others
            if other != project.name
        ]
        yield Project(project.name, project.evidence, project.problems + problems)


def key_of(evidence: Evidence) -> tuple[str, str]:
    return evidence["project"], evidence["commit"]
