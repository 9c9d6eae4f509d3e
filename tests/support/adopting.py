"""Two projects that are not of this template, and docs/existing-projects.md in them."""

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cryptography.fernet import Fernet

from tests.support.baking import ROOT, VARIABLES
from tests.support.readme import section
from tests.support.recipes import LEFT, Block, Recipe, append, hunks, replace

PAGE = ROOT / "docs" / "existing-projects.md"
EXISTING = ROOT / "tests" / "existing"
LEFT_OUT = ("DJANGO_", "PYTEST_", "GITHUB_", "CI")
APPS = """\
from django.apps import AppConfig


class NotesConfig(AppConfig):
    name = "{name}"
"""
# The lines by which a project of startproject has the app and a log-in.
OF_STARTPROJECT = {
    "mysite/settings.py": """
INSTALLED_APPS += ["notes"]
ALLOWED_HOSTS = ["testserver"]
LOGIN_URL = "/enter/"
""",
    "mysite/urls.py": """
from django.contrib.auth.views import LoginView
from django.urls import include

urlpatterns += [
    path("enter/", LoginView.as_view(template_name="notes/log_in.html")),
    path("notes/", include("notes.urls")),
]
""",
}


class Layout(NamedTuple):
    """Where a kind of project has its files: the words of the page."""

    make: Callable[[Path], object]
    log_in: str
    elsewhere: str  # another log-in of the site
    words: dict[str, str]
    labels: tuple[str, ...]  # of the apps
    has_leak: bool = False  # a secret in the first commit


def make_startproject(folder: Path) -> None:
    """Make the project as Django makes it, and add the app."""
    folder.mkdir()
    run_python(folder, "-m", "django", "startproject", "mysite", ".")
    for path, lines in OF_STARTPROJECT.items():
        append(folder / path, lines)


def make_layout(folder: Path) -> None:
    shutil.copytree(
        EXISTING / "layout", folder, ignore=shutil.ignore_patterns("__pycache__")
    )


LAYOUTS = {
    "startproject": Layout(
        make_startproject,
        "/enter/",
        "/admin/login/",
        {
            "PRODUCTION_MODULE": "mysite.production",
            "PRODUCTION": "mysite/production.py",
            "DEVELOPMENT": "mysite.settings",
            "SETTINGS": "mysite/settings.py",
            "URLS": "mysite/urls.py",
            "APP": "notes",
        },
        labels=("notes",),
        has_leak=True,
    ),
    "cookiecutter-django": Layout(
        make_layout,
        "/admin/login/",
        "/accounts/login/",
        {
            "PRODUCTION_MODULE": "config.settings.production",
            "PRODUCTION": "config/settings/production.py",
            "DEVELOPMENT": "config.settings.local",
            "SETTINGS": "config/settings/base.py",
            "URLS": "config/urls.py",
            "APP": "museum/notes",
        },
        labels=("users", "notes"),
    ),
}


class Part:
    """A part of the page: its steps, and its way out."""

    def __init__(self, heading: str) -> None:
        """Read the section, and refuse one without the three headings."""
        text = section(PAGE, heading)
        headings = re.findall(r"^### (.+)$", text, re.MULTILINE)
        assert headings == ["Steps", "What you see", "The way out"], heading
        _, steps, seen, way_out = re.split(r"^### .+$", text, flags=re.MULTILINE)
        self.steps = Recipe.blocks_of(steps)
        self.way_out = Recipe.blocks_of(way_out)
        assert Recipe.blocks_of(seen) == [], f"{heading} has a step elsewhere"


@dataclass(frozen=True)
class Existing:
    """A project with a database, that follows the page."""

    folder: Path
    layout: Layout

    def python(self, *arguments: str, **variables: str) -> str:
        """Run Python in the project, and return its output."""
        return run_python(self.folder, *arguments, **variables)

    def manage(self, *arguments: str, **variables: str) -> str:
        """Run a command of manage.py, and return its output."""
        return self.python("manage.py", *arguments, **variables)

    def fails(self, *arguments: str, **variables: str) -> str:
        """Run Python in the project, which must fail, and return its output."""
        process = start_python(self.folder, *arguments, **variables)
        assert process.returncode, process.stdout
        return process.stdout + process.stderr

    def script(self, text: str) -> str:
        """Run lines of Python after the start of Django."""
        return self.manage("shell", "--no-imports", "--command", text)

    def path(self, name: str) -> Path:
        """Return the file for a path of the page."""
        return self.folder / self.named(name)

    def named(self, text: str) -> str:
        """Replace the words of the page."""
        for word, name in self.layout.words.items():
            text = re.sub(rf"(?<![\w.]){word}(?!\w)", name, text)
        return text

    def is_for_other(self, block: Block) -> bool:
        """Return whether a block is for the other kind of project."""
        first, slash, _ = self.named(block.path).partition("/")
        is_named = bool(slash) and "APP" not in block.path
        return is_named and not (self.folder / first).is_dir()

    def follow(self, part: Part) -> list[Callable[[], object]]:
        """Follow the steps, and return how to undo them, in order."""
        undoing: list[Callable[[], object]] = []
        for block in part.steps:
            if block.language == "diff" or block.path:
                undoing.append(self.apply(block))
            else:
                self.run(block)
        return undoing[::-1]

    def apply(self, block: Block) -> Callable[[], object]:
        """Change or write a file, and return how to undo that."""
        if self.is_for_other(block):
            return lambda: None
        path = self.path(block.path)
        text = self.named(block.text)
        if block.language == "diff":
            change_by(block, path)
            return lambda: change_by(block, path, is_back=True)
        if path.exists():
            append(path, text)
            return lambda: replace(path, text, "")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path.unlink

    def run(self, block: Block) -> None:
        """Run the commands of a block."""
        for line in self.named(block.text).splitlines():
            first, *others = shlex.split(line)
            program = sys.executable if first == "python" else first
            run_in(self.folder, program, *others)

    def leave(self, part: Part, undoing: list[Callable[[], object]]) -> None:
        """Follow the way out, and delete the lines of the steps."""
        for block in part.way_out:
            self.run(block)
        for undo in undoing:
            undo()

    def snapshot(self) -> dict[str, bytes | str]:
        """Return the content of each file, and the tables of the database."""
        contents: dict[str, bytes | str] = {}
        for folder, folders, names in os.walk(self.folder):
            folders[:] = [name for name in folders if name not in LEFT | {".git"}]
            paths = [Path(folder, name) for name in names if "sqlite3" not in name]
            for path in paths:
                contents[path.relative_to(self.folder).as_posix()] = path.read_bytes()
        query = "SELECT name, sql FROM sqlite_master ORDER BY name"
        with closing(sqlite3.connect(self.folder / "db.sqlite3")) as database:
            rows = database.execute(query).fetchall()
        return contents | {f"table {name}": sql or "" for name, sql in rows}


def make_existing(kind: str, folder: Path) -> Existing:
    """Make a project with the app notes, and its database."""
    layout = LAYOUTS[kind]
    layout.make(folder)
    app = folder / layout.words["APP"]
    shutil.copytree(
        EXISTING / "notes", app, ignore=shutil.ignore_patterns("__pycache__")
    )
    name = layout.words["APP"].replace("/", ".")
    (app / "apps.py").write_text(APPS.format(name=name), encoding="utf-8")
    for package in (app, app / "migrations"):
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
    project = Existing(folder, layout)
    for label in layout.labels:  # users first, so that notes need one migration
        project.manage("makemigrations", label, "--verbosity=0")
    project.manage("migrate", "--verbosity=0")
    return project


def change_by(block: Block, path: Path, *, is_back: bool = False) -> None:
    """Change a file by a diff, or change it back."""
    for _, hunk in hunks(block):
        if is_back:
            replace(path, hunk.new, hunk.old)
        else:
            replace(path, hunk.old, hunk.new)


def environment() -> dict[str, str]:
    """Return the variables of this process, without those of the test site."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in VARIABLES and not name.startswith(LEFT_OUT)
    }


# The variables that the settings of the page read.
READ = {
    "DJANGO_SECRET_KEY": "example",
    "FIELD_ENCRYPTION_KEY": Fernet.generate_key().decode(),
    "REDIS_URL": "redis://cache.example",
}


def start_in(
    folder: Path, *command: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command with the package of this checkout."""
    own = {"COLUMNS": "300", **READ}
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=folder,
        env=environment() | own | {"PATH": tools} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def run_in(folder: Path, *command: str, **variables: str) -> str:
    process = start_in(folder, *command, **variables)
    output = process.stdout + process.stderr
    assert process.returncode == 0, f"{shlex.join(command)}:\n{output}"
    return output


def start_python(
    folder: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return start_in(folder, sys.executable, *arguments, **variables)


def run_python(folder: Path, *arguments: str, **variables: str) -> str:
    return run_in(folder, sys.executable, *arguments, **variables)
