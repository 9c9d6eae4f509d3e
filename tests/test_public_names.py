"""The names that a project may import, with their parameters.

tests/public_names.txt lists them, so that a change is a line of a diff, and a line of
CHANGELOG.md. To write it anew: `PUBLIC_NAMES=write pytest tests/test_public_names.py`.
"""

import importlib
import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import secure_django

ROOT = Path(__file__).parents[1]
PACKAGE = Path(secure_django.__file__).parent
LIST = Path(__file__).with_name("public_names.txt")
RAW = ROOT / "{{cookiecutter.project_slug}}"
# A line of a document may be part of a diff.
IMPORT = re.compile(
    r"^[+ ]*from (secure_django[\w.]*) import (\([^)]*\)|[^\n#(]*)", re.MULTILINE
)
MODULE_IMPORT = re.compile(r"^[+ ]*import (secure_django[\w.]*)", re.MULTILINE)
NAME = re.compile(r"(\w+)(?: as \w+)?|\*")


def public_modules() -> list[str]:
    """Return the names of the modules that say what is public."""
    names: list[str] = []
    for path in PACKAGE.rglob("*.py"):
        if "__all__ = " in path.read_text(encoding="utf-8"):
            relative = path.relative_to(PACKAGE.parent).with_suffix("")
            names.append(".".join(relative.parts).removesuffix(".__init__"))
    return sorted(names)


def parameters_of(value: Any) -> str:
    """Return the parameters, without their types, which mypy compares."""
    signature = inspect.signature(value)
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
    ]
    text = str(inspect.Signature(bare))
    return re.sub(r" at 0x\w+", "", text)


def describe(name: str, value: Any) -> Iterator[str]:
    if inspect.isfunction(value):
        yield f"{name}{parameters_of(value)}"
        return
    yield name
    if not isinstance(value, type):
        return
    for member, function in sorted(vars(value).items()):
        if inspect.isfunction(function) and is_own_method(value, member):
            yield f"{name}.{member}{parameters_of(function)}"


def is_own_method(owner: type, name: str) -> bool:
    """Return whether a public method is not one of Django's, overridden."""
    if name == "__init__":
        return True
    bases = owner.__mro__[1:]
    others = [base for base in bases if not base.__module__.startswith("secure_")]
    return not name.startswith("_") and not any(hasattr(base, name) for base in others)


def public_names() -> dict[str, dict[str, list[str]]]:
    """Return the descriptions of each name of each module."""
    names: dict[str, dict[str, list[str]]] = {}
    for module_name in public_modules():
        module = importlib.import_module(module_name)
        names[module_name] = {
            name: list(describe(name, getattr(module, name)))
            for name in sorted(module.__all__)
        }
    return names


def imports_of(text: str) -> Iterator[tuple[str, str]]:
    for module, group in IMPORT.findall(text):
        for match in NAME.finditer(group):
            yield module, match[1] or "*"
    for module in MODULE_IMPORT.findall(text):
        yield module, ""


def files_of_teams() -> list[Path]:
    """Return what a team gets or copies: code, templates of apps, and documents."""
    app_template = PACKAGE / "commands" / "new_app" / "app_template"
    return [
        *RAW.rglob("*.py"),
        *RAW.rglob("*.md"),
        *app_template.rglob("*-tpl"),
        *(ROOT / "docs").rglob("*.md"),
        *(PACKAGE / "docs").glob("*.md"),
    ]


def is_public(module: str, name: str) -> bool:
    """Return whether a project may import a name; `*` is for settings alone."""
    modules = public_names()
    if name == "*":
        return module.endswith(".defaults")
    if name in modules.get(module, {}):
        return True
    imported = f"{module}.{name}" if name else module
    return imported in modules


def test_public_names_and_their_parameters_stay() -> None:
    lines = [
        f"{module}: {line}"
        for module, names in public_names().items()
        for lines_of_name in names.values()
        for line in lines_of_name
    ]
    if os.environ.get("PUBLIC_NAMES") == "write":
        LIST.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert LIST.read_text(encoding="utf-8").splitlines() == lines


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("login.models", "AbstractUser"),
        ("login.http", "UserRequest"),
        ("photos.fields", "PhotoField everyone logged_in"),
        ("photos.forms", "PhotoFormField PhotoFormMixin PhotoModelForm"),
        ("photos.models", "Photo Status"),
        ("photos.services", "delete_photo"),
        ("photos.signals", "photo_decided"),
        ("photos.purposes", "Purpose register"),
        ("photos.moderation", "get_moderation_backend"),
        ("encryption", "EncryptedTextField"),
        ("ratelimit", "rate_limit"),
        ("jobs", "job"),
        ("due", "DueQuerySet DueRow"),
        ("mail", "find_recipient send_invitation"),
        ("http", "json_body"),
        ("forms", "BoundedFormMixin"),
        ("fetch", "FetchError fetch"),
        ("csv", "csv_response write_csv"),
        ("admin", "ModelAdmin"),
        ("conf", "boolean env number"),
        ("testing", "HTTPSClient Login MakeImage MakePhoto MakeUser Travel Upload"),
    ],
)
def test_names_of_the_contract_are_public(module: str, names: str) -> None:
    assert set(names.split()) <= public_names()[f"secure_django.{module}"].keys()


def test_projects_and_documents_import_public_names_alone() -> None:
    private: dict[tuple[str, str], str] = {}
    number = 0
    for path in files_of_teams():
        for module, name in imports_of(path.read_text(encoding="utf-8")):
            number += 1
            if not is_public(module, name):
                private[module, name] = path.relative_to(ROOT).as_posix()
    assert number > 50
    assert not private


def test_private_name_is_found() -> None:
    text = """
+from secure_django.photos.models import (
+    Photo,
+    FILE as files,
+)
import secure_django.extras
from secure_django.csv import *
"""
    assert list(imports_of(text)) == [
        ("secure_django.photos.models", "Photo"),
        ("secure_django.photos.models", "FILE"),
        ("secure_django.csv", "*"),
        ("secure_django.extras", ""),
    ]
    found = [is_public(module, name) for module, name in imports_of(text)]
    assert found == [True, False, False, False]
