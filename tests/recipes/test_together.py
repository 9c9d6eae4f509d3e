"""All recipes in one project: on one app in two orders, and on several apps.

Each is then taken out alone, by its commands, whatever came after it.

The app has covers too. On several apps, documents and two roles have one each. Their
names are as long as that on the pages, so all lines stay as wide.
"""

import re

import pytest

from tests.recipes.covers import add_cover
from tests.support.baking import ALL_ON, run
from tests.support.recipes import Block, Install, Installed, Recipe, marks

GROUPS = [
    ["api", "api-requests", "api-notes"],
    ["htmx"],
    ["markdown"],
    ["sharing"],
    ["jobs"],
    ["documents", "documents-pages", "documents-scan"],
    ["roles", "roles-accounts", "roles-invitations", "roles-pages", "roles-tests"],
    ["single-sign-on", "single-sign-on-people", "single-sign-on-pages"],
    ["languages"],
    ["tracing", "tracing-queries"],
    ["sentry", "sentry-tests"],
    ["kubernetes", "kubernetes-network", "kubernetes-site", "kubernetes-worker"],
]
# Another word for the note of a page, by the group of the page. It has as many letters,
# and its place among sorted imports.
WORDS = {"documents": "item", "roles": "plan"}

# The order in which they are taken out is neither that of the steps nor its reverse.
REMOVED = ["sharing", "roles", "jobs", "tracing", "api", "kubernetes", "documents"]
REMOVED += ["languages", "htmx", "single-sign-on", "markdown", "sentry"]
# After which the rest is tested, and by which attacks.
ALONE = {
    "sharing": ["roles"],
    "roles": ["jobs"],
    "jobs": ["documents_scan", "htmx", "markdown"],
}

pytestmark = marks(*(page for group in GROUPS for page in group))


def read(page: str, words: dict[str, str]) -> Recipe:
    """Return a recipe in the words of its app."""
    recipe = Recipe(page)
    word = words.get(page.partition("-")[0], "note")
    recipe.steps = [reworded(block, word) for block in recipe.steps]
    recipe.way_out = [reworded(block, word) for block in recipe.way_out]
    recipe.afterwards = [reworded(block, word) for block in recipe.afterwards]
    return recipe


def reworded(block: Block, word: str) -> Block:
    """Return a block in the words of its app."""
    text = block.text.replace("note", word).replace("Note", word.title())
    return Block(block.language, block.path.replace("note", word), text)


def numbered(block: Block, project: Installed) -> Block:
    """Return a block with the number that the migration of its page has here."""
    named = re.fullmatch(r"(\w+/migrations)/0002_(\w+\.py)", block.path)
    if not named:
        return block
    folder, name = named.groups()
    [path] = (project.folder / folder).glob(f"*_{name}")
    return block._replace(path=f"{folder}/{path.name}")


def take_out(project: Installed, recipes: list[Recipe]) -> None:
    """Take all pages of a recipe out, whatever was applied after them."""
    for recipe in reversed(recipes):
        recipe.way_out = [numbered(block, project) for block in recipe.way_out]
        project.take_out(recipe)


def check_lock(project: Installed) -> None:
    """Compare uv.lock with the one that uv writes for a project without any."""
    lock = project.folder / "uv.lock"
    present = lock.read_bytes()
    lock.unlink()
    run(project.folder, "uv", "lock", "--quiet")
    assert lock.read_bytes() == present


@pytest.mark.parametrize(
    ("order", "words", "attacks", "checked"),
    [
        (GROUPS, {}, ["together", "together_one_app"], ALONE),
        (GROUPS[::-1], {}, ["together", "together_one_app"], {}),
        (GROUPS, WORDS, ["together"], {}),
    ],
    ids=["forward", "backward", "several apps"],
)
def test_recipes_fit_together_and_each_can_go_alone(
    order: list[list[str]],
    words: dict[str, str],
    attacks: list[str],
    checked: dict[str, list[str]],
    install: Install,
) -> None:
    project = install(ALL_ON, "notes", *(f"{word}s" for word in words.values()))
    add_cover(project)
    before = project.snapshot()
    groups = {group[0]: [read(page, words) for page in group] for group in order}
    for recipes in groups.values():
        for recipe in recipes:
            project.apply(recipe)
    project.check()
    project.scan()
    for module in attacks:
        project.attack(module)
    project.test()
    for name in REMOVED:
        take_out(project, groups[name])
        if name in checked:
            project.check()
            check_lock(project)
            project.test()
            for module in checked[name]:
                project.attack(module)
    assert project.snapshot() == before
