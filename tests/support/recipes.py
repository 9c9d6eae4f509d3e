"""The recipes of docs/recipes.

Apply a page as written to an installed project, check and attack it, take it out.
"""

import os
import re
import shlex
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.baking import RAW, ROOT, commit, run, run_within
from tests.support.readme import section

PAGES = ROOT / "docs" / "recipes"
INSIDE = ROOT / "tests" / "recipes" / "inside"
MOST_LINES = 140
LONGEST = 1500  # seconds, for all tests of a project
SECTIONS = ["What you get", "What it costs", "Steps", "Take it out again"]
# What makes and tests the app of the pages.
APPLIED = [
    "tests/recipes/*",
    "src/secure_django/commands/*",
    "src/secure_django/controls/*",
    "src/secure_django/guard/*",
    "src/secure_django/photos/*.py",
    f"{RAW}/pyproject.toml",
]
# What the attacks of a module import from the repository.
BESIDE = {"single_sign_on": ROOT / "tests" / "accounts" / "passkey.py"}
# The command that writes settings.lock anew, after a change of the settings.
WRITE_LOCK = "uv run python -m secure_django.conf.lock"
# Where a way out says that the steps are undone.
UNDO = re.compile(r"\bundo the steps?\b", re.IGNORECASE)
# Those of a recipe stay: databases have run them, and later ones follow them.
MIGRATION = re.compile(r".+/migrations/\d{4}_\w+\.py")
# A change of a diff, after the path of its file if it is another one.
HUNK = re.compile(r"^(?:@@ ?(.*)\n)?((?:(?!@@).*\n)*)", re.MULTILINE)
# What installing, running and testing leave. The database is compared by its tables.
LEFT = {
    ".venv",
    "__pycache__",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "reports",
    "db.sqlite3",
}


def marks(*names: str) -> list[pytest.MarkDecorator]:
    """Return the marks of a module that tests pages, each named without its ending.

    Such a module is about its pages, the files of the project that they change, and
    the app that they are applied to.
    """
    pages = [PAGES / f"{name}.md" for name in names]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    text = "\n".join(texts)
    changed = re.findall(r"^(?:```diff|@@) (\S+)$", text, re.MULTILINE)
    patterns = [page.relative_to(ROOT).as_posix() for page in pages]
    patterns += [f"{RAW}/{path}" for path in sorted(set(changed))]
    patterns += APPLIED
    return [
        pytest.mark.tier("scheduled", *patterns),
        # Each installs packages, and runs all tests of a project.
        pytest.mark.timeout(7200),
        pytest.mark.skipif(
            sys.platform == "win32", reason="the commands are those of a Unix shell"
        ),
    ]


class Block(NamedTuple):
    """A fenced block: with a path, the content or the change of a file."""

    language: str
    path: str
    text: str


class Recipe:
    """A page of docs/recipes."""

    def __init__(self, name: str, pages: Path = PAGES) -> None:
        """Read the page and refuse one that people could not follow."""
        self.page = pages / f"{name}.md"
        text = self.page.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= MOST_LINES, (
            f"{name}.md has more than {MOST_LINES} lines"
        )
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS, (
            f"the sections of {name}.md"
        )
        self.steps = self.blocks("Steps")
        parts = UNDO.split(section(self.page, SECTIONS[-1]))
        assert len(parts) == 2, f"{name}.md does not say once to undo the steps"
        self.way_out, self.afterwards = map(self.blocks_of, parts)
        followed = [*self.steps, *self.way_out, *self.afterwards]
        assert len(followed) == len(self.blocks_of(text)), (
            f"{name}.md has blocks elsewhere"
        )

    def blocks(self, heading: str) -> list[Block]:
        """Return a section's blocks that are applied: with a path, or commands."""
        return self.blocks_of(section(self.page, heading))

    @staticmethod
    def blocks_of(text: str) -> list[Block]:
        """Return the blocks of a text that are applied."""
        found = re.findall(
            r"^```(\w+)(?: (\S+))?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
        )
        return [
            block
            for block in map(Block._make, found)
            if block.path or block.language in {"diff", "sh"}
        ]


@dataclass(frozen=True)
class Installed:
    """A generated project with an environment and a database of its own."""

    folder: Path

    def run(self, *command: str, **environment: str) -> str:
        """Run a command with the packages of the project and return its output."""
        words = ["uv", "run", "--quiet", "--no-sync", *command]
        return run_within(LONGEST, self.folder, words, environment)

    def apply(self, recipe: Recipe) -> None:
        """Follow the steps of the page."""
        for block in recipe.steps:
            self.follow(block)

    def take_out(self, recipe: Recipe) -> None:
        """Follow the page's way out, and undo its steps in reverse where it says so.

        At the end, remove their packages, and write settings.lock if they changed it.
        """
        for block in recipe.way_out:
            self.follow(block)
        for block in reversed(recipe.steps):
            self.undo(block)
        for block in recipe.afterwards:
            self.follow(block)
        self.sync()
        blocks = [*recipe.steps, *recipe.way_out]
        if any("config/settings.py" in block.text for block in blocks):
            run(self.folder, *WRITE_LOCK.split())

    @contextmanager
    def following(
        self, attacks: str, *recipes: Recipe, tests: Sequence[str] = ()
    ) -> Iterator[None]:
        """Follow pages, and check, attack and test the result; run the block.

        At the end, show that nothing is left of the pages.
        """
        before = self.snapshot()
        for recipe in recipes:
            self.apply(recipe)
        self.check()
        self.scan()
        self.attack(attacks)
        self.test(*tests)
        yield
        for recipe in reversed(recipes):
            self.take_out(recipe)
        assert self.snapshot() == before

    def sync(self) -> None:
        """Install what pyproject.toml names."""
        run(self.folder, "uv", "sync", "--quiet")

    def follow(self, block: Block) -> None:
        """Run the commands of a block, add its file or change it."""
        path = self.folder / block.path
        if block.language == "diff":
            for name, hunk in hunks(block):
                edit(self.folder / name, hunk, changed)
        elif not block.path:
            for line in block.text.splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    run(self.folder, *words)
        elif block.path == ".env":
            append(path, block.text)
        else:
            assert not path.exists(), f"{block.path} exists already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8", newline="\n")

    def undo(self, block: Block) -> None:
        """Undo the change of a file, unless the way out has deleted it."""
        path = self.folder / block.path
        if block.language == "diff":
            for name, hunk in reversed(hunks(block)):
                if (self.folder / name).exists():
                    edit(self.folder / name, hunk, undone)
        elif not block.path or not path.exists():
            return
        elif block.path == ".env":
            replace(path, block.text, "")
        else:
            assert path.read_text(encoding="utf-8") == block.text, (
                f"{block.path} is no longer what the page says"
            )
            path.unlink()
            for parent in path.relative_to(self.folder).parents[:-1]:
                folder = self.folder / parent
                shutil.rmtree(folder / "__pycache__", ignore_errors=True)
                if not any(folder.iterdir()):
                    folder.rmdir()

    def check(self) -> None:
        """Check style, format, imports, types, deployment settings and migrations."""
        self.run("poe", "check", MYPY_CACHE_DIR=mypy_cache())

    def scan(self) -> None:
        """Commit everything, and scan it for secrets and insecure calls."""
        commit(self.folder)
        try:
            self.run("poe", "security", "leaks", "bandit")
        finally:
            shutil.rmtree(self.folder / ".git")

    def test(self, *arguments: str) -> None:
        """Run the project's own tests."""
        self.run("pytest", "-q", "-n", "auto", "-p", "no:cacheprovider", *arguments)

    def attack(self, module: str) -> None:
        """Check the types of a module of tests/recipes/inside, and run it there."""
        name = "tests/test_recipe.py"
        inside = self.folder / name
        text = (INSIDE / f"{module}.py").read_text(encoding="utf-8")
        # The comment hides what only the project can import from the template's mypy.
        text = text.replace("# mypy: ignore-errors\n", "")
        inside.write_text(text, encoding="utf-8")
        added = [inside]
        if module in BESIDE:
            added.append(Path(shutil.copy(BESIDE[module], inside.parent)))
        try:
            self.run("mypy", name, MYPY_CACHE_DIR=mypy_cache())
            self.run("pytest", "-q", "-p", "no:cacheprovider", name)
        finally:
            for path in added:
                path.unlink()

    def snapshot(self) -> dict[str, bytes | str]:
        """Return the content of each file, uv.lock too, and the database's tables.

        Migrations are left out: the tables show what they did.
        """
        contents: dict[str, bytes | str] = {}
        for folder, folders, names in os.walk(self.folder):
            folders[:] = [name for name in folders if name not in LEFT]
            for name in names:
                if not name.startswith("db.sqlite3"):
                    path = Path(folder, name)
                    key = path.relative_to(self.folder).as_posix()
                    if not MIGRATION.fullmatch(key):
                        contents[key] = path.read_bytes()
        query = "SELECT name, sql FROM sqlite_master ORDER BY name"
        with closing(sqlite3.connect(self.folder / "db.sqlite3")) as database:
            rows = database.execute(query).fetchall()
        return contents | {f"table {name}": sql or "" for name, sql in rows}


type Install = Callable[..., Installed]  # takes answers, and names of apps to make


def mypy_cache() -> str:
    """Return a cache for later runs: mypy spends most of its time on Django's stubs."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    return str(ROOT / ".mypy_cache" / "recipes" / worker)


class Hunk(NamedTuple):
    """A change of a diff: its lines, each with its sign."""

    lines: list[str]

    @property
    def old(self) -> str:
        """Return the lines before the change."""
        return join(line for line in self.lines if line[0] != "+")

    @property
    def new(self) -> str:
        """Return the lines after the change."""
        return join(line for line in self.lines if line[0] != "-")


def join(lines: Iterable[str]) -> str:
    """Return the text of lines without their signs."""
    return "".join(f"{line[1:]}\n" for line in lines)


def hunks(block: Block) -> list[tuple[str, Hunk]]:
    """Return each change of a diff, after the path of its file."""
    path = block.path
    changes = []
    for named_path, text in HUNK.findall(block.text):
        path = named_path or path
        # Editors remove the space of an empty context line.
        hunk = Hunk([line or " " for line in text.splitlines()])
        if not hunk.lines:
            continue
        assert path, f"a diff names no file for:\n{text}"
        assert all(line[0] in " -+" for line in hunk.lines), (
            f"a diff of {path} has a line without its sign"
        )
        assert hunk.old, f"a change of {path} has no place"
        assert hunk.old != hunk.new, f"a change of {path} changes nothing"
        changes.append((path, hunk))
    return changes


def changed(text: str, hunk: Hunk, path: str) -> str:
    """Return a text with the lines of a change. It has the old ones exactly once."""
    return replaced(text, hunk.old, hunk.new, path)


def undone(text: str, hunk: Hunk, path: str) -> str:
    """Return a text without the lines of a change, wherever they stand now.

    People do so too: they look for the lines that came, and the lines around them
    matter only if the same lines stand elsewhere.
    """
    groups = [
        (is_context, list(lines))
        for is_context, lines in groupby(hunk.lines, lambda line: line[0] == " ")
    ]
    for place, (is_context, lines) in reversed(list(enumerate(groups))):
        if not is_context:
            before = groups[place - 1][1] if place else []
            after = groups[place + 1][1] if place + 1 < len(groups) else []
            text = undone_lines(text, before, lines, after, path)
    return text


def undone_lines(
    text: str, before: list[str], lines: list[str], after: list[str], path: str
) -> str:
    """Undo adjacent lines of a change, found by no more context than they need."""
    old = join(line for line in lines if line[0] == "-")
    new = join(line for line in lines if line[0] == "+")
    for start, end in contexts(before, after):
        present = start + new + end
        if present and len(places_of(text, present)) == 1:
            return replaced(text, present, start + old + end, path)
    # It raises: the text does not have these lines once.
    return replaced(text, join(before) + new + join(after), "", path)


def contexts(before: list[str], after: list[str]) -> Iterator[tuple[str, str]]:
    """Return none, then the nearest lines before or after, then all of both."""
    yield "", ""
    for place in reversed(range(len(before))):
        yield join(before[place:]), ""
    for place in range(len(after)):
        yield "", join(after[: place + 1])
    yield join(before), join(after)


def replaced(text: str, old: str, new: str, path: str) -> str:
    """Return a text with other lines for those that it has exactly once."""
    places = places_of(text, old)
    assert len(places) == 1, f"{path} has {len(places)} times:\n{old}"
    start = places[0]
    return text[:start] + new + text[start + len(old) :]


def places_of(text: str, lines: str) -> list[int]:
    """Return where whole lines begin in a text."""
    found = re.finditer(f"(?m)^{re.escape(lines)}", text)
    return [match.start() for match in found]


def edit(path: Path, hunk: Hunk, change: Callable[[str, Hunk, str], str]) -> None:
    """Change a file, or undo its change."""
    text = change(path.read_text(encoding="utf-8"), hunk, path.name)
    path.write_text(text, encoding="utf-8", newline="\n")


def replace(path: Path, old: str, new: str) -> None:
    """Replace lines that a file has exactly once."""
    text = replaced(path.read_text(encoding="utf-8"), old, new, path.name)
    path.write_text(text, encoding="utf-8", newline="\n")


def append(path: Path, text: str) -> None:
    """Append lines to a file."""
    before = path.read_text(encoding="utf-8")
    assert before.endswith("\n"), path.name
    path.write_text(before + text, encoding="utf-8", newline="\n")
