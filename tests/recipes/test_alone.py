"""Each recipe can be taken out alone, whatever came before and after it.

The pages are applied to the texts of a project, without its commands: test_together.py
has those too.
"""

import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.recipes.covers import write_cover
from tests.recipes.test_together import GROUPS
from tests.support.baking import ALL_OFF, ALL_ON, Answers, Project, name, run
from tests.support.recipe_trees import (
    TextProject,
    changed_paths,
    check_syntax,
    make_app,
    read_tree,
)
from tests.support.recipes import Recipe

pytestmark = pytest.mark.tier("whole")

ORDERS = 40

type Recipes = dict[str, list[Recipe]]  # the pages of each by the first one's name


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_each_recipe_can_go_alone_in_any_order(
    answers: Answers, project: Project
) -> None:
    folder = project(answers)
    make_app(folder, "notes")
    recipes: Recipes = {group[0]: list(map(Recipe, group)) for group in GROUPS}
    if answers == ALL_ON:
        write_cover(folder)
    start = read_start(folder, recipes)
    failures: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    for seed in range(ORDERS):
        random = Random(seed)  # noqa: S311  # no secret
        order = random.sample(list(recipes), len(recipes))
        applied = apply(start, recipes, order)
        for removed in order:
            without = [other for other in order if other != removed]
            try:
                left = applied.copy()
                left.take_out(recipes[removed])
                check_syntax(left.files)
                compare(left, apply(start, recipes, without))
            except (AssertionError, SyntaxError) as error:
                failures[removed] += 1
                reasons.setdefault(removed, f"{order}: {error}")
    assert not failures, (f"of {ORDERS} orders", failures, reasons)


def test_recipes_keep_imports_in_order_beside_covers(project: Project) -> None:
    """The import of a cover stands at the end of those of its app."""
    folder = project(ALL_ON)
    make_app(folder, "notes")
    write_cover(folder)
    recipes: Recipes = {group[0]: list(map(Recipe, group)) for group in GROUPS}
    start = read_start(folder, recipes)
    names = list(recipes)
    for order in (names, names[::-1], *([single] for single in names)):
        applied = apply(start, recipes, order)
        paths = [path for path in applied.files if path.startswith("notes/")]
        for path in paths:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(applied.files[path], encoding="utf-8")
        sources = [path for path in paths if path.endswith(".py")]
        run(folder, sys.executable, "-m", "ruff", "check", "--select=I", *sources)


def read_start(folder: Path, recipes: Recipes) -> TextProject:
    """Return the files of a project that recipes change, and those of their app."""
    pages = [page for group in recipes.values() for page in group]
    files = read_tree(folder, changed_paths(pages)) | {".env": ""}
    make_app(folder, "tokens")
    tokens = (folder / "tokens").rglob("*.*")
    paths = [path.relative_to(folder).as_posix() for path in tokens]
    texts = [path for path in paths if not path.endswith(".pyc")]
    return TextProject(files, {"tokens": read_tree(folder, texts)})


def apply(start: TextProject, recipes: Recipes, order: list[str]) -> TextProject:
    """Return a project with recipes, in this order."""
    project = start.copy()
    for recipe in order:
        project.apply(recipes[recipe])
    return project


def compare(left: TextProject, wanted: TextProject) -> None:
    """Refuse files that differ from those of a project without the recipe."""
    paths = left.files.keys() | wanted.files.keys()
    differing = [it for it in paths if left.files.get(it) != wanted.files.get(it)]
    assert not differing, f"differs: {', '.join(sorted(differing))}"
