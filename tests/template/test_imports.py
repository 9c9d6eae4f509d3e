"""The import contract of an emitted project holds; each forbidden kind breaks it.

tests/test_package.py has the contracts of the package.
"""

import re

import pytest

from tests.support.baking import (
    ALL_ON,
    PYTHON_COMBINATIONS,
    Answers,
    Project,
    name,
    run,
)

LINT = ("lint-imports", "--no-logo", "--no-cache")


@pytest.mark.parametrize("answers", PYTHON_COMBINATIONS, ids=name)
def test_import_contract_holds(answers: Answers, pristine: Project) -> None:
    assert "1 kept, 0 broken" in run(pristine(answers), *LINT)


@pytest.mark.feature("gallery")
@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("users.models", "config.settings"),
        ("gallery.views", "config.urls"),
        ("users.admin", "gallery.forms"),
    ],
)
def test_forbidden_import_breaks_the_contract(
    importer: str, imported: str, project: Project
) -> None:
    folder = project(ALL_ON)
    module = folder / f"{importer.replace('.', '/')}.py"
    with module.open("a", encoding="utf-8") as file:
        file.write(f"import {imported}\n")
    chain = rf"{re.escape(importer)}\s+->\s+{re.escape(imported)}\b"
    with pytest.raises(AssertionError, match=rf"BROKEN(?s:.)+{chain}"):
        run(folder, *LINT)


@pytest.mark.feature("gallery")
def test_test_may_import_from_any_app(project: Project) -> None:
    folder = project(ALL_ON)
    tests = folder / "users" / "tests"
    tests.mkdir()
    (tests / "__init__.py").touch()
    (tests / "test_users.py").write_text("import gallery.forms\n", encoding="utf-8")
    assert "1 kept, 0 broken" in run(folder, *LINT)
