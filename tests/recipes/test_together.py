"""All recipes in one project: on one app in two orders, and on several apps.

The app has covers too. On several apps, documents and two roles have one each. Their
names are as long as that on the pages, so all lines stay as wide.
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
# The app has covers, whose import stands before that of documents.
COVER = (
    " from secure_django.encryption import EncryptedTextField\n+\n",
    " from secure_django.photos.fields import PhotoField, everyone\n+\n",
)
# Another word for the note of a page, by the group of the page. It has as many letters,
# and its place among sorted imports.
WORDS = {"documents": "item", "roles": "plan"}

pytestmark = marks(*(page for group in GROUPS for page in group))


def read(page: str, words: dict[str, str]) -> Recipe:
    """Return a recipe in the words of its app."""
    recipe = Recipe(page)
    word = words.get(page.partition("-")[0], "note")
    recipe.steps = [reworded(block, word) for block in recipe.steps]
    recipe.way_out = [reworded(block, word) for block in recipe.way_out]
    return recipe


def reworded(block: Block, word: str) -> Block:
    """Return a block in the words of its app."""
    if word == "note":
        return block._replace(text=block.text.replace(*COVER))
    text = block.text.replace("note", word).replace("Note", word.title())
    return Block(block.language, block.path.replace("note", word), text)


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


@pytest.mark.parametrize(
    ("order", "words", "attacks"),
    [
        (GROUPS, {}, ["together", "together_one_app"]),
        (GROUPS[::-1], {}, ["together", "together_one_app"]),
        (GROUPS, WORDS, ["together"]),
    ],
    ids=["forward", "backward", "several apps"],
)
def test_recipes_fit_together_and_each_can_go(
    order: list[list[str]],
    words: dict[str, str],
    attacks: list[str],
    install: Install,
) -> None:
    project = install(ALL_ON, "notes", *(f"{word}s" for word in words.values()))
    add_cover(project)
    before = project.snapshot()
    recipes = [read(page, words) for group in order for page in group]
    for recipe in recipes:
        project.apply(recipe)
    project.check()
    project.scan()
    for module in attacks:
        project.attack(module)
    project.test()
    for recipe in reversed(recipes):
        recipe.way_out = [numbered(block, project) for block in recipe.way_out]
        project.take_out(recipe)
    assert project.snapshot() == before
