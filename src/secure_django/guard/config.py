"""What a project says about the guard: `[tool.secure-django.guard]` in pyproject.toml.

apps: the names of the apps that the guard asks about; by default, all of the project's,
    which are those below the folder of pyproject.toml
include: what it asks about too: "admin" and "packages"
rules: names of RULES, which go beyond who may read and change what

What it leaves out, each with a reason, stands in `[tool.secure-django.left-out]`: a
page by its route, a rule or a person by its name, a test by that of its function.

A project with the photos of secure_django has no such table: it is asked about all
pages, by all rules.
"""

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

FILE = "pyproject.toml"
KEYS = {"apps", "include", "rules"}
KINDS = {"admin", "packages"}
# What a project may ask for beside the rules of access.
RULES = {
    "accounts": "nobody learns from an answer who has an account",
    "caches": "pages for one user say that no cache keeps them",
    "cookies": "cookies have secure, httponly and samesite",
    "cors": "no page lets other sites read it",
    "csp": "no page weakens the Content-Security-Policy",
    "csrf": "no view takes requests without a CSRF token",
    "deletion": "an account takes what is its person's alone, and nothing of others",
    "emails": (
        "an email names no other reader,"
        " and a person without an account gets no text of a user"
    ),
    "errors": "no odd value ends in an error 500, or in a task that fails",
    "exports": "a spreadsheet opens no text of a user as a formula",
    "limits": (
        "a view that adds rows, enqueues tasks, sends emails or takes a code has a"
        " rate limit"
    ),
    "links": "a token in a URL cannot be guessed, and ends; no URL has an email",
    "lists": "pages stay as quick and short with more objects",
    "logs": "logs have nothing of what users wrote",
    "methods": "views refuse the methods that they do not know",
    "passwords": "the log-in alone checks and changes passwords and emails",
    "quantities": "no user can store a negative quantity, or an amount of 0",
    "races": "a value that is calculated from a stored one is locked",
    "secrets": "secrets are compared in constant time, and end",
    "texts": "texts have a length, and URLs a scheme",
    "uploads": "no file is stored whose content and size were not checked",
}


class Config(NamedTuple):
    """The answers of a project."""

    root: Path  # the folder with pyproject.toml, and with all code of the project
    apps: list[str] | None  # None: every app of the project
    include: set[str]
    rules: set[str]
    left_out: dict[str, str]  # reasons, by pages, rules, people and tests
    is_of_template: bool  # it has the package's photos, as all of the template's

    @property
    def makes_objects(self) -> bool:
        """Return whether the guard makes objects where a table has no `objects`."""
        return not self.is_of_template


def kind_of(name: str) -> str:
    """Return the kind of what is left out: a page, a rule, a test or a person."""
    if name.startswith("/"):
        return "page"
    if name in RULES:
        return "rule"
    return "test" if name.startswith("test_") else "person"


def find_folder() -> Path:
    """Return the folder that the settings name, or the present one."""
    return Path(getattr(settings, "BASE_DIR", "")).resolve()


def find_root() -> Path:
    """Return the folder with pyproject.toml, from that of the settings upwards."""
    folder = find_folder()
    folders = [folder, *folder.parents]
    return next((path for path in folders if (path / FILE).is_file()), folder)


def read_tables(root: Path) -> dict[str, Any]:
    """Return the tables of pyproject.toml that are about this package."""
    file = root / FILE
    text = file.read_text(encoding="utf-8-sig") if file.is_file() else ""
    tables: dict[str, Any] = (
        tomllib.loads(text).get("tool", {}).get("secure-django", {})
    )
    return tables


def has_table(root: Path) -> bool:
    """Return whether pyproject.toml asks for the guard."""
    return "guard" in read_tables(root)


def read_config() -> Config:
    """Return what pyproject.toml says; raise ImproperlyConfigured for unknown words."""
    root = find_root()
    tables = read_tables(root)
    table = tables.get("guard", {})
    left_out = tables.get("left-out", {})
    include = set(table.get("include", ()))
    rules = set(table.get("rules", ()))
    unknown = [*(table.keys() - KEYS), *(include - KINDS), *(rules - RULES.keys())]
    unknown += sorted(set(table.get("apps", ())) - app_names())
    if unknown:
        message = f"{FILE}: [tool.secure-django.guard] has no {', '.join(unknown)}."
        raise ImproperlyConfigured(message)
    is_of_template = apps.is_installed("secure_django.photos")
    return Config(
        root=root,
        apps=None if is_of_template else table.get("apps"),
        include=KINDS if is_of_template else include,
        rules=({*RULES} if is_of_template else rules) - left_out.keys(),
        left_out=left_out,
        is_of_template=is_of_template,
    )


def app_names() -> set[str]:
    """Return by which names an app may be asked for."""
    configs = apps.get_app_configs()
    return {name for app in configs for name in (app.name, app.label)}
