"""The tutorial, docs/tutorial.md: every command and edit, in a generated project."""

import re
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

MINUTES = {"Five": 5, "Ten": 10, "Fifteen": 15}
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


def test_steps_take_about_an_hour() -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    found = re.findall(r"^## .+\n\n(Five|Ten|Fifteen) minutes\b", text, re.MULTILINE)
    assert len(found) == len(read_steps())
    assert sum(MINUTES[word] for word in found) <= 75
