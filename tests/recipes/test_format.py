"""The form of recipes: each has a test.

A page that cannot be followed as written, or undone, is noticed.
"""

import re
from pathlib import Path

import pytest

from tests.support.baking import ALL_OFF, Project
from tests.support.recipes import (
    MOST_LINES,
    PAGES,
    Block,
    Installed,
    Recipe,
    changed,
    hunks,
    undone,
)

# The tests of all pages in one project.
OF_ALL = {"test_alone.py", "test_together.py"}
FENCE = "```"
ADD = ' urlpatterns = [\n+    path("hello/", RedirectView.as_view(url="/")),\n'
PAGE = f"""\
# Hello

## What you get
## What it costs
## Steps
{FENCE}sh
mkdir hello
touch 'hello/a file' hello/__init__.py  # both empty
{FENCE}
{FENCE}python hello/views/index.py
GREETING = "hello"
{FENCE}
{FENCE}diff config/urls.py
{ADD}@@
     path("", include("secure_django.urls")),
+    path("hello/more/", include("hello.views.more")),
@@ README.md
-## Start
+## Begin
{FENCE}
{FENCE}sh .env
GREETING=hello
{FENCE}
{FENCE}python
print("an example")
{FENCE}
## Take it out again
{FENCE}sh
rm 'hello/a file' hello/__init__.py
{FENCE}
Then undo the steps.
"""


class Offline(Installed):
    """A project whose packages stay as they are."""

    def sync(self) -> None:
        """Do nothing: the page adds no package."""


def read(folder: Path, page: str) -> Recipe:
    """Return the recipe of a page."""
    (folder / "hello.md").write_text(page, encoding="utf-8")
    return Recipe("hello", folder)


def test_each_page_has_a_test_and_a_row_in_the_list() -> None:
    pages = {page.stem for page in PAGES.glob("*.md")} - {"README"}
    modules = [
        path.read_text("utf-8")
        for path in Path(__file__).parent.glob("test_*.py")
        if path.name not in {Path(__file__).name, *OF_ALL}
    ]
    assert sorted(
        page for text in modules for page in re.findall(r'\bRecipe\("(.+?)"\)', text)
    ) == sorted(pages)
    for text in modules:
        (marked,) = re.findall(r"^pytestmark = marks\(([^)]+)\)$", text, re.MULTILINE)
        tested = re.findall(r'\bRecipe\("(.+?)"\)', text)
        assert sorted(re.findall(r'"(.+?)"', marked)) == sorted(tested)
        assert "project.following(" in text, text.splitlines()[0]
    listed = re.findall(
        r"^\| .*\[.+\]\((\S+)\.md\) \|",
        (PAGES / "README.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert sorted(listed) == sorted(pages)
    assert all(Recipe(page).steps for page in pages)


def test_page_is_followed_and_undone(project: Project, tmp_path: Path) -> None:
    installed = Offline(project(ALL_OFF))
    recipe = read(tmp_path, PAGE)
    before = installed.snapshot()
    installed.apply(recipe)
    after = installed.snapshot()
    added = {"hello/a file", "hello/__init__.py", "hello/views/index.py"}
    assert {path for path in after if after[path] != before.get(path)} == added | {
        "config/urls.py",
        "README.md",
        ".env",
    }
    assert b'\nurlpatterns = [\n    path("hello/"' in bytes(after["config/urls.py"])  # type: ignore[arg-type]
    installed.take_out(recipe)
    assert installed.snapshot() == before
    assert not (installed.folder / "hello").exists()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (" urlpatterns = [", " urlpatterns = (", "has 0 times"),
        (" urlpatterns = [", " ", "has [2-9] times"),
        (" urlpatterns = [\n", "", "has no place"),
        (ADD, " urlpatterns = [\n", "changes nothing"),
        (" urlpatterns = [", "urlpatterns = [", "without its sign"),
        ("diff config/urls.py", "diff", "names no file"),
        ("hello/views/index.py", "config/urls.py", "exists already"),
        ("## What it costs\n", "", "the sections of"),
        (
            "## What it costs\n",
            f"## What it costs\n{FENCE}sh\nls\n{FENCE}\n",
            "has blocks elsewhere",
        ),
        ("# Hello\n", "# Hello\n" * MOST_LINES, "more than"),
        ("touch 'hello/a file'", "false", "ended with 1"),
        (
            "rm 'hello/a file'",
            "sed -i s/hello/bye/ hello/views/index.py\nrm 'hello/a file'",
            "no longer what the page",
        ),
    ],
)
def test_page_that_cannot_be_followed_is_refused(
    old: str, new: str, problem: str, project: Project, tmp_path: Path
) -> None:
    assert PAGE.count(old) == 1
    with pytest.raises(AssertionError, match=problem):
        follow(read(tmp_path, PAGE.replace(old, new)), Offline(project(ALL_OFF)))


def follow(recipe: Recipe, installed: Installed) -> None:
    """Apply a recipe and take it out again."""
    installed.apply(recipe)
    installed.take_out(recipe)


def test_change_is_undone_wherever_its_lines_are() -> None:
    block = Block("diff", "a.txt", " one\n+two\n-three\n+3\n four\n")
    [(path, hunk)] = hunks(block)
    text = changed("one\nthree\nfour\n", hunk, path)
    assert text == "one\ntwo\n3\nfour\n"
    others = "zero\ntwo\n\none\nother\ntwo\n3\nmore\nfour\n"
    assert undone(others, hunk, path) == "zero\ntwo\n\none\nother\nthree\nmore\nfour\n"


def test_change_whose_lines_are_twice_needs_those_around_them() -> None:
    block = Block("diff", "a.txt", " one\n+two\n three\n")
    [(path, hunk)] = hunks(block)
    assert undone("two\none\ntwo\n", hunk, path) == "two\none\n"
    with pytest.raises(AssertionError, match="has 0 times"):
        undone("two\ntwo\n", hunk, path)


def test_blocks_after_the_steps_are_undone_apply_then(tmp_path: Path) -> None:
    recipe = read(tmp_path, f"{PAGE}{FENCE}sh\ntouch left\n{FENCE}\n")
    assert len(recipe.way_out) == 1
    assert [block.text for block in recipe.afterwards] == ["touch left\n"]


def test_way_out_that_undoes_no_steps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="does not say once"):
        read(tmp_path, PAGE.replace("undo the steps", "rest"))
