"""The import contracts of an emitted project hold; each forbidden kind breaks them."""

import re

import pytest

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    PYTHON_COMBINATIONS,
    Answers,
    Project,
    name,
    run,
)
from tests.support.features import need_file
from tests.support.readme import draw_contracts

LINT = ("lint-imports", "--no-logo", "--no-cache")


@pytest.mark.parametrize("answers", PYTHON_COMBINATIONS, ids=name)
def test_import_contracts_hold(answers: Answers, pristine: Project) -> None:
    assert "3 kept, 0 broken" in run(pristine(answers), *LINT)


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        # Apps and config
        ("core.middleware", "config.environment"),
        ("users.models", "config.settings"),
        ("uploads.services", "config.settings"),
        ("accounts.views", "config.urls"),
        # Apps and the apps above them
        ("core.middleware", "users.models"),
        ("core.middleware", "uploads.models"),
        ("core.jobs", "uploads.services"),
        ("core.apps", "users.signals"),
        ("users.admin", "uploads.models"),
        ("uploads.views", "accounts.views"),
        # Modules of uploads
        ("uploads.models", "uploads.services"),
        ("uploads.models", "uploads.moderation.rules"),
        ("uploads.models", "uploads.moderation.backends"),
        ("uploads.services", "uploads.admin"),
        ("uploads.services", "uploads.views"),
        ("uploads.services", "uploads.jobs"),
        ("uploads.services", "uploads.moderation.cloudinary.outbox"),
        ("uploads.moderation.cloudinary.backend", "uploads.moderation.cloudinary.jobs"),
        ("uploads.moderation.backends", "uploads.services"),
        ("uploads.moderation.cloudinary.backend", "uploads.services"),
        # A field of a model, by other modules
        ("uploads.fields", "core.views"),
        ("uploads.fields", "uploads.forms"),
        ("uploads.form_fields", "uploads.limits"),
        ("uploads.images", "core.middleware"),
        ("core.encryption", "core.error_pages"),
    ],
)
def test_forbidden_import_breaks_a_contract(
    importer: str, imported: str, project: Project
) -> None:
    for module in (importer, imported):
        need_file(f"{module.replace('.', '/')}.py")
    folder = project(ALL_ON)
    with (folder / f"{importer.replace('.', '/')}.py").open(
        "a", encoding="utf-8"
    ) as file:
        file.write(f"import {imported}\n")
    with pytest.raises(
        AssertionError,
        match=rf"BROKEN(?s:.)+{re.escape(importer)}\s+->\s+{re.escape(imported)}\b",
    ):
        run(folder, *LINT)


def test_drawing_in_the_readme_is_that_of_the_contracts(pristine: Project) -> None:
    smallest = pristine(ALL_OFF)
    readme = (smallest / "README.md").read_text(encoding="utf-8")
    drawing = draw_contracts(smallest, "others[other apps]")
    assert drawing in readme, f"The README needs this drawing:\n{drawing}"
