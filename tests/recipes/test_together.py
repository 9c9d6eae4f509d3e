"""All recipes in one project, in two orders.

Some of them migrate the model of an app, so each has an app of its own. Its name is as
long as that on the page, and all lines stay as wide.
"""

import pytest

from tests.recipes.covers import add_cover
from tests.support.baking import ALL_ON
from tests.support.recipes import Block, Install, Recipe, marks

GROUPS = [
    ["api", "api-requests", "api-notes"],
    ["htmx"],
    ["markdown"],
    ["sharing"],
    ["jobs"],
    ["documents", "documents-pages", "documents-scan"],
    ["roles", "roles-invitations", "roles-pages", "roles-tests"],
    ["single-sign-on", "single-sign-on-people", "single-sign-on-pages"],
    ["languages"],
    ["tracing", "tracing-queries"],
    ["sentry", "sentry-tests"],
]
OWN_APPS = {
    "sharing": ("note", "memo"),
    "jobs": ("note", "plan"),
    "roles": ("programme", "portfolio"),
}
APPS = ["notes", "memos", "plans", "programmes", "portfolios"]
TESTS = ["core/tests/test_access.py", "core/tests/test_reading.py"]
TESTS += ["core/tests/test_writing.py", "core/tests/test_caching.py", "users"]

pytestmark = marks(*(page for group in GROUPS for page in group))


def for_own_app(page: str) -> Recipe:
    """Return a recipe in the words of its app."""
    recipe = Recipe(page)
    old, new = OWN_APPS.get(page.partition("-")[0], ("note", "note"))
    recipe.steps = [reworded(block, old, new) for block in recipe.steps]
    recipe.way_out = [reworded(block, old, new) for block in recipe.way_out]
    return recipe


def reworded(block: Block, old: str, new: str) -> Block:
    """Return a block with another word for its app."""
    path = block.path.replace(old, new)
    text = block.text.replace(old, new).replace(old.title(), new.title())
    return Block(block.language, path, text)


@pytest.mark.parametrize("order", [GROUPS, GROUPS[::-1]], ids=["forward", "backward"])
def test_recipes_fit_together_and_each_can_go(
    order: list[list[str]], install: Install
) -> None:
    project = install(ALL_ON, *APPS)
    add_cover(project)
    before = project.snapshot()
    recipes = [for_own_app(page) for group in order for page in group]
    for recipe in recipes:
        project.apply(recipe)
    project.check()
    project.scan()
    project.test(*TESTS, *APPS, "tokens")
    for recipe in reversed(recipes):
        project.take_out(recipe)
    assert project.snapshot() == before
