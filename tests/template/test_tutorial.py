"""The tutorial, docs/tutorial.md: every command and edit, in a generated project."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.baking import ROOT, run
from tests.support.example import COMMAND, EXAMPLE, read_own
from tests.support.recipes import Installed
from tests.support.tutorial import (
    build,
    git_commands,
    own_files,
    read_steps,
)

pytestmark = [
    pytest.mark.tier("whole"),
    # It installs packages, and runs all tests of a project.
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        sys.platform == "win32", reason="the commands are those of a Unix shell"
    ),
    pytest.mark.skipif(not shutil.which("msgfmt"), reason="gettext is not installed"),
]

MINUTES = {"Two": 2, "Five": 5, "Ten": 10, "Fifteen": 15}
MOST_FILES = 8
INSIDE = ROOT / "tests" / "template" / "inside" / "tutorial.py"


def test_tutorial_leads_to_a_product_whose_tests_pass(
    template: Path, tmp_path: Path
) -> None:
    project = build(template, tmp_path)
    check_pages(project)
    deliver(project, tmp_path)
    assert project.folder.name == "far-hills"
    settings = (project.folder / "config" / "settings.py").read_text(encoding="utf-8")
    assert '"courses",\n    "lessons",\n' in settings
    assert read_own(project.folder) == read_own(EXAMPLE), (
        f"example/ is not what the tutorial builds: write it again by `{COMMAND}`"
    )


def check_pages(project: Installed) -> None:
    """Open the pages as visitor, owner, editor and stranger."""
    module = project.folder / "tests" / "test_tutorial.py"
    shutil.copyfile(INSIDE, module)
    try:
        project.run("pytest", "-q", "-p", "no:cacheprovider", "tests/test_tutorial.py")
    finally:
        module.unlink()


def deliver(project: Installed, machine: Path) -> None:
    """Deploy as far as Git: a folder stands for the server."""
    (machine / "srv").mkdir()
    for command in git_commands("Deploy it"):
        words = command.replace("root@hills.example:", "").replace(
            "/srv/", f"{machine.as_posix()}/srv/"
        )
        run(project.folder, *words.split())
    delivered = machine / "srv" / "far-hills"
    for name in ("uv.lock", "courses/catalog.py", "deploy/make-secrets"):
        assert (delivered / name).is_file()
    assert not (delivered / ".env").exists()


def test_steps_take_about_an_hour() -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    found = re.findall(
        r"^## .+\n\n(Two|Five|Ten|Fifteen) minutes\b", text, re.MULTILINE
    )
    assert len(found) == len(read_steps())
    assert sum(MINUTES[word] for word in found) <= 75


def test_cover_roles_and_brand_need_few_files() -> None:
    files = own_files("Covers", "Roles", "Your brand")
    assert len(files) <= MOST_FILES, sorted(files)


def test_example_has_no_file_that_is_generated() -> None:
    files = {it.relative_to(EXAMPLE) for it in EXAMPLE.rglob("*") if it.is_file()}
    kept = {Path("README.md"), *map(Path, read_own(EXAMPLE))}
    left = {it for it in files if "__pycache__" not in it.parts}
    assert left == kept, f"write example/ again by `{COMMAND}`"
