"""Projects in memory, to which recipes are applied: files alone, and no commands.

A command's effect on files is told here, so that hundreds of projects take a minute.
"""

import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from secure_django.commands.new_app.writing import (
    ENTRIES,
    choose_words,
    insert_entry,
)
from tests.support.baking import run
from tests.support.recipes import MIGRATION, Block, Recipe, changed, hunks, undone

# What has no effect on the files that are compared. Of `uv add` and `uv remove`, uv
# itself keeps pyproject.toml right; migrations are written by Django.
WITHOUT_EFFECT = ("uv sync", "uv run manage.py", "uv run python ")
MAKE_APP = "from secure_django.commands.new_app.command import main; main(*{})"

# Where uv adds a package, and an extra.
PACKAGES = "]\n\n[project.optional-dependencies]\n"
EXTRAS = "\n[dependency-groups]\n"

type Tree = dict[str, str]  # the texts of a project's files by their paths


def make_app(project: Path, name: str) -> None:
    """Make an app as `poe app NAME --admin` does, by this suite's environment."""
    run(project, sys.executable, "-c", MAKE_APP.format((name, [], True)))


def read_tree(project: Path, paths: Iterable[str]) -> Tree:
    """Return the texts of those files that the project has."""
    present = [path for path in paths if (project / path).is_file()]
    return {path: (project / path).read_text(encoding="utf-8") for path in present}


class TextProject:
    """The files of a project that recipes change, in memory."""

    def __init__(self, files: Tree, apps: dict[str, Tree]) -> None:
        """Copy the files. `apps` has the files of apps that a recipe makes."""
        self.files = dict(files)
        self.apps = apps

    def copy(self) -> "TextProject":
        """Return the same project, for other changes."""
        return TextProject(self.files, self.apps)

    def apply(self, recipes: Sequence[Recipe]) -> None:
        """Follow the steps of the pages of a recipe."""
        for recipe in recipes:
            for block in recipe.steps:
                self.follow(block)

    def take_out(self, recipes: Sequence[Recipe]) -> None:
        """Follow the ways out of the pages, and undo their steps, in reverse."""
        for recipe in reversed(recipes):
            for block in recipe.way_out:
                self.follow(block)
            for block in reversed(recipe.steps):
                self.undo(block)
            for block in recipe.afterwards:
                self.follow(block)

    def follow(self, block: Block) -> None:
        """Apply a block. There are no migrations."""
        if MIGRATION.fullmatch(block.path):
            return
        if block.language == "diff":
            for path, hunk in hunks(block):
                self.files[path] = changed(self.files[path], hunk, path)
        elif not block.path:
            for line in block.text.splitlines():
                self.command(shlex.split(line, comments=True))
        elif block.path in self.files:
            assert block.path == ".env", f"{block.path} exists already"
            self.files[block.path] += block.text
        else:
            self.files[block.path] = block.text

    def undo(self, block: Block) -> None:
        """Undo a block, unless the way out has deleted its file."""
        if block.language == "diff":
            for path, hunk in reversed(hunks(block)):
                if path in self.files:
                    self.files[path] = undone(self.files[path], hunk, path)
        elif block.path in self.files:
            text = self.files.pop(block.path)
            assert text == block.text, f"{block.path} is no longer what the page says"

    def command(self, words: list[str]) -> None:
        """Change files as a command does."""
        line = " ".join(words)
        match words:
            case ["uv", "run", "poe", "app", name, "--admin"]:
                self.add_app(name)
            case ["uv", "add" | "remove" as verb, *names]:
                self.change_packages(verb, names)
            case ["mkdir", *_]:
                pass
            case ["touch", *paths]:
                self.files.update(dict.fromkeys(paths, ""))
            case ["rm", *options_and_paths]:
                self.remove(options_and_paths)
            case _:
                assert not words or line.startswith(WITHOUT_EFFECT), line

    def remove(self, options_and_paths: list[str]) -> None:
        """Remove files, and what is in folders."""
        for path in options_and_paths:
            for present in list(self.files):
                if present == path or present.startswith(f"{path}/"):
                    del self.files[present]

    def change_packages(self, verb: str, names: list[str]) -> None:
        """Add packages or remove them, as uv does: an extra stays without packages."""
        if names[0] == "--optional":
            extra = names[1]
            added = f"{extra} = {names[2:]}\n{EXTRAS}"
            changes = {"add": {re.escape(EXTRAS): added}}
            changes["remove"] = {rf"^{extra} = \[.*\n": f"{extra} = []\n"}
        else:
            lines = "".join(f'    "{name}",\n' for name in names)
            changes = {"add": {re.escape(PACKAGES): lines + PACKAGES}}
            changes["remove"] = {rf'^    "{name}==.*\n': "" for name in names}
        for place, text in changes[verb].items():
            self.edit_packages(place, text)

    def edit_packages(self, place: str, lines: str) -> None:
        """Put lines into pyproject.toml in place of those that match once."""
        text = self.files["pyproject.toml"]
        text, count = re.subn(place, lines, text, flags=re.MULTILINE)
        assert count == 1, f"pyproject.toml has {count} times:\n{place}"
        self.files["pyproject.toml"] = text

    def add_app(self, name: str) -> None:
        """Add what `poe app` writes."""
        words = choose_words(name)
        for entry in ENTRIES:
            insert_entry(entry, self.files, words)
        self.files |= self.apps[name]


def changed_paths(recipes: Iterable[Recipe]) -> set[str]:
    """Return the paths of the files that diffs of recipes change."""
    blocks = [block for recipe in recipes for block in [*recipe.steps, *recipe.way_out]]
    diffs = [block for block in blocks if block.language == "diff"]
    named = {path for block in diffs for path, _ in hunks(block)}
    return named | {entry.path for entry in ENTRIES}


def check_syntax(files: Tree) -> None:
    """Raise SyntaxError for Python that does not compile."""
    for path, text in files.items():
        if path.endswith(".py"):
            compile(text, path, "exec")
