"""Follow docs/tutorial.md as written, and build its project.

Blocks are those of recipes: see recipes.py. Blocks of the language `console` are for
people alone: they need a server, or stay in the terminal.
"""

import re
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

from tests.support.baking import ROOT, run
from tests.support.readme import section
from tests.support.recipes import Block, Installed, Recipe, hunks

PAGE = ROOT / "docs" / "tutorial.md"
# What `uvx cookiecutter` and the template's URL stand for here.
COOKIECUTTER = ("uvx", "cookiecutter")
PUBLISHED = "gh:org/secure-django"
IDENTITY = {
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
}


class Step(NamedTuple):
    """A section of the page."""

    heading: str
    blocks: list[Block]


def read_steps(page: Path = PAGE) -> list[Step]:
    """Return the sections with their blocks, without those for people alone."""
    text = page.read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    headings, bodies = parts[1::2], parts[2::2]
    return [
        Step(heading, Recipe.blocks_of(body))
        for heading, body in zip(headings, bodies, strict=True)
    ]


def git_commands(heading: str) -> list[str]:
    """Return the commands of Git of a section, those for people alone included."""
    return re.findall(r"^git .+$", section(PAGE, heading), re.MULTILINE)


def own_files(*headings: str) -> set[str]:
    """Return the files that a reader writes or changes by hand in these sections."""
    steps = {step.heading: step.blocks for step in read_steps()}
    blocks = [block for heading in headings for block in steps[heading]]
    changed = {path for it in blocks if it.language == "diff" for path in paths(it)}
    return changed | {it.path for it in blocks if it.path}


def paths(diff: Block) -> list[str]:
    return [path for path, _ in hunks(diff)]


def build(template: Path, folder: Path) -> Installed:
    """Generate the project of the page into a folder, and follow each step."""
    first, *steps = read_steps()
    generation, *rest = first.blocks
    project = Installed(generate(template, folder, generation))
    project.sync()
    for block in rest:
        follow(project, block)
    for step in steps:
        for block in step.blocks:
            follow(project, block)
    return project


def generate(template: Path, folder: Path, block: Block) -> Path:
    """Run the first block, and return the folder that its `cd` names."""
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if tuple(words[:2]) == COOKIECUTTER:
            words[:2] = [sys.executable, "-m", "cookiecutter"]
            words = [str(template) if it == PUBLISHED else it for it in words]
        if words[0] == "cd":
            folder /= words[1]
        else:
            run(folder, *words)
    return folder


def follow(project: Installed, block: Block) -> None:
    """Follow a block; its commands are those of a person with a name."""
    if block.path or block.language == "diff":
        project.follow(block)
        return
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if words:
            run(project.folder, *words, **IDENTITY)
