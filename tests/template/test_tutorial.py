"""The tutorial, docs/tutorial.md: every command and edit, in a generated project."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.support.baking import ROOT
from tests.support.recipes import Installed
from tests.support.tutorial import build, read_steps

pytestmark = [
    pytest.mark.tier("whole"),
    # It installs packages, and runs all tests of a project.
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        sys.platform == "win32", reason="the commands are those of a Unix shell"
    ),
    pytest.mark.skipif(not shutil.which("msgfmt"), reason="gettext is not installed"),
]

INSIDE = ROOT / "tests" / "template" / "inside" / "tutorial.py"


def test_tutorial_leads_to_a_product_whose_tests_pass(
    template: Path, tmp_path: Path
) -> None:
    project = build(template, tmp_path)
    check_pages(project)
    assert project.folder.name == "far-hills"
    settings = (project.folder / "config" / "settings.py").read_text(encoding="utf-8")
    assert '"lessons",\n    "courses",\n' in settings


def check_pages(project: Installed) -> None:
    """Open the pages as visitor, owner, editor and stranger."""
    module = project.folder / "tests" / "test_tutorial.py"
    shutil.copyfile(INSIDE, module)
    try:
        project.run("pytest", "-q", "-p", "no:cacheprovider", "tests/test_tutorial.py")
    finally:
        module.unlink()


def test_each_step_says_how_long_it_takes() -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    minutes = {
        "Five minutes": 5,
        "Ten minutes": 10,
        "Fifteen minutes": 15,
    }
    bodies = text.split("\n## ")[1:]
    begins = [body.partition("\n\n")[2] for body in bodies]
    total = 0
    for begin in begins:
        (duration,) = [
            value for words, value in minutes.items() if begin.startswith(words)
        ]
        total += duration
    assert total <= 75
    assert len(read_steps()) == len(bodies)
