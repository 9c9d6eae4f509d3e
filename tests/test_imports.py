"""The import contracts of an emitted project hold; each forbidden kind breaks them."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    PYTHON_COMBINATIONS,
    ROOT,
    Answers,
    Project,
    name,
    run,
)

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
        ("uploads.limits", "core.middleware"),
        ("core.client", "core.error_pages"),
    ],
)
def test_forbidden_import_breaks_a_contract(
    importer: str, imported: str, project: Project
) -> None:
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


def chain(layers: list[str]) -> str:
    """Return layers of import-linter as an edge of Mermaid's flowcharts."""
    return " --> ".join(layer.replace(" | ", " & ") for layer in layers)


def draw(project: Path, others: str = "") -> str:
    """Return the drawing of a project's contracts.

    With `others`, that is the name of what stands between `config` and `uploads`.
    """
    text = (project / "pyproject.toml").read_text(encoding="utf-8")
    apps, modules, *_ = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    names = apps["layers"]
    if others:
        names[1 : names.index("uploads")] = [others]
    return (
        "```mermaid\nflowchart LR\n"
        f"    {chain(names)}\n"
        "    subgraph uploads\n"
        f"        {chain(modules['layers'])}\n"
        "    end\n```\n"
    )


def test_drawings_are_those_of_the_contracts(pristine: Project) -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert draw(pristine(ALL_ON)) in contributing
    smallest = pristine(ALL_OFF)
    readme = (smallest / "README.md").read_text(encoding="utf-8")
    assert draw(smallest, "others[other apps]") in readme
