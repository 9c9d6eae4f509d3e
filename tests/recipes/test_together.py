"""All recipes in one project, in two orders.

Those of notes are for one app, which has covers too. Documents have an app of their
own, whose form has a list of inputs as that of reminders has. So do two roles, which
change what own() returns. Their name is as long as that on the page, and all lines
stay as wide.
"""

import re

import pytest

from tests.recipes.covers import add_cover
from tests.support.baking import ALL_ON
from tests.support.recipes import Block, Install, Installed, Recipe, marks

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
    ["kubernetes", "kubernetes-network", "kubernetes-site", "kubernetes-worker"],
]
APPS = ["notes", "programmes", "portfolios"]

pytestmark = marks(*(page for group in GROUPS for page in group))


def read(page: str) -> Recipe:
    """Return a recipe in the words of its app."""
    recipe = Recipe(page)
    if page.startswith("roles"):
        recipe.steps = [reworded(block) for block in recipe.steps]
        recipe.way_out = [reworded(block) for block in recipe.way_out]
    return recipe


def reworded(block: Block) -> Block:
    """Return a block with another word for its app."""
    text = block.text.replace("programme", "portfolio")
    text = text.replace("Programme", "Portfolio")
    return Block(block.language, block.path.replace("programme", "portfolio"), text)


def numbered(block: Block, project: Installed) -> Block:
    """Return a block with the number that the migration of its page has here."""
    named = re.search(r"(\w+)/migrations/0002_(\w+)\.py", block.text)
    if not named:
        return block
    app, name = named.groups()
    [path] = (project.folder / app / "migrations").glob(f"*_{name}.py")
    number = int(path.name.partition("_")[0])
    text = block.text.replace(f"0002_{name}", path.stem)
    before = f"migrate {app} {number - 1:04}"
    return block._replace(text=re.sub(rf"migrate {app} 0001\w*", before, text))


@pytest.mark.parametrize("order", [GROUPS, GROUPS[::-1]], ids=["forward", "backward"])
def test_recipes_fit_together_and_each_can_go(
    order: list[list[str]], install: Install
) -> None:
    project = install(ALL_ON, *APPS)
    add_cover(project)
    before = project.snapshot()
    recipes = [read(page) for group in order for page in group]
    for recipe in recipes:
        project.apply(recipe)
    project.check()
    project.scan()
    project.attack("together")
    project.test()
    for recipe in reversed(recipes):
        recipe.way_out = [numbered(block, project) for block in recipe.way_out]
        project.take_out(recipe)
    assert project.snapshot() == before
