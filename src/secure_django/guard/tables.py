"""The apps of a project, and what their tables say.

An app's table is the module `tests/table.py` or, if it has no folder of tests,
`guard_table.py`. A package has its table in `access.py`. A project may have one more in
`guard_table.py` beside its pyproject.toml: what that says counts for all apps, and its
rows and OBJECTS may be of any app. The guard makes what `objects` does not (making.py),
but in projects with the package's photos. Beside ROWS and `objects` (access.py), a
table may have

KEPT: what code reads, such as {"Photo.purpose"}; the guard writes no marks into it
STAYS: models whose rows outlive their owner's account, though they are nobody else's
SAME_USER: keys whose two ends are always one user, such as {"Note.folder"}
LOCKED: functions that are called only by those that hold a lock: {"take_seat"}
LASTING: fields with secrets that are meant to last, such as {"Feed.token"}
TESTED: labels of models of a package, whose rows its own tests ask about
PEOPLE: further columns for every page: a name, and a function that makes the user
FIELDS: the names of what rows show beside their fields, such as {"image"}
SITUATIONS: functions that change rows; the pages that read them are opened again
make_user(**values): a user, if the fields of the model do not say what one needs
log_in(client, user): what pages ask for beside the session, such as a token
OBJECTS: by the names of apps, their `objects`, in the table of the project alone
FIXTURES: names of Django's fixtures, which are loaded before all objects are made
prepare(monkeypatch): replaces what takes long or is tested elsewhere, and what raises
    an error that `notice` of secure_django.guard.noticing says in a sentence
equip(owner): makes what the owner of each app's objects has besides
fill(field, owner): a value for an empty field, or None
hide(row, text): writes a text into what a row shows beside its fields, and returns its
    files by its name, which is one of FIELDS
is_shown(row, field, user): whether a field of a row is meant for a user

What it says once is for all pages (exemptions.py). It hides findings, and is listed
with what it hides:

TRUSTED: people who may read, and not change, what belongs to others, and why, such as
    {"staff": "support answers for all orders"}
COMMON: models whose rows belong to nobody, and why: all may read them, such as
    {"shop.Product": "everybody sees the catalogue"}
OWNED: models whose rows name no user, and what says their owner, such as
    {"shop.Invoice": "it has the email of the customer"}
SHARED_BY: models, and the path from a row to the users who may read it, such as
    {"chat.Message": "room__members"}
RIGHTS: fields that are rights though their names do not say so, such as
    {"Membership.review"}
NO_RIGHTS: the reverse, such as {"Order.is_billable"}
HASHED: fields whose values are hashes, so that they need no encryption, such as
    {"Invitation.digest"}
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from secure_django.guard.config import read_config

# That of secure_django last: some of its rows are for the admin pages of every app.
APPS = sorted(apps.get_app_configs(), key=lambda app: app.name == "secure_django")
CONFIG = read_config()
ROOT = ""  # the name of the table beside pyproject.toml, and of what is in no app
TABLE_OF_TESTS = "tests/table.py"
TABLE_BESIDE = "guard_table.py"
FOREIGN_FOLDERS = {"node_modules", "site-packages", "vendor"}
LABELS = {app.name: app.label for app in APPS}


def is_own_app(app: AppConfig) -> bool:
    """Return whether an app is this project's, or of a package that is asked for."""
    return is_of_package_asked_for(app) or is_of_project(app)


def is_of_package_asked_for(app: AppConfig) -> bool:
    """Return whether the setting GUARD_PACKAGES names the package of an app."""
    package = app.name.partition(".")[0]
    return package in getattr(settings, "GUARD_PACKAGES", ())


def is_of_project(app: AppConfig) -> bool:
    if CONFIG.apps is not None:
        return not {app.name, app.label}.isdisjoint(CONFIG.apps)
    return is_own_path(Path(app.path))


def is_own_path(path: Path) -> bool:
    """Return whether a file or folder is the project's, and not of a package.

    The project is what is below its pyproject.toml: a package that is tested with
    settings of its own has these elsewhere.
    """
    path = path.resolve()
    if not path.is_relative_to(CONFIG.root):
        return False
    return not any(map(is_foreign_folder, path.relative_to(CONFIG.root).parts))


def is_foreign_folder(name: str) -> bool:
    """Return whether a folder of this name has code of others, such as .venv."""
    return name in FOREIGN_FOLDERS or name.startswith(".")


def import_table(app: AppConfig) -> ModuleType | None:
    """Return the table of an app, if it has one.

    A project has it among its tests, where `access.py` may be a module of its own. A
    package has it beside its code.
    """
    is_package = is_of_package_asked_for(app) or not is_of_project(app)
    files = ["access.py"] if is_package else [TABLE_OF_TESTS, TABLE_BESIDE]
    present_files = [file for file in files if Path(app.path, file).is_file()]
    modules = [file.removesuffix(".py").replace("/", ".") for file in present_files]
    tables = [import_module(f"{app.name}.{module}") for module in modules]
    tables = [table for table in tables if is_table(table)]
    if len(tables) > 1:
        message = f"{app.name} has two tables, {' and '.join(files)}: keep one of them."
        raise ImproperlyConfigured(message)
    return tables[0] if tables else None


def is_table(module: ModuleType) -> bool:
    """Return whether a module is no other one, which has this name by chance."""
    return hasattr(module, "ROWS") or module.__name__.endswith(".guard_table")


def import_root_table() -> ModuleType | None:
    """Return the table beside pyproject.toml, which no package contains."""
    file = CONFIG.root / TABLE_BESIDE
    spec = spec_from_file_location("guard_table", file) if file.is_file() else None
    if spec is None or spec.loader is None or not CONFIG.makes_objects:
        return None
    table = module_from_spec(spec)
    spec.loader.exec_module(table)
    return table


def import_tables() -> Iterator[tuple[str, ModuleType]]:
    """Yield the name of each app that has a table, and the table."""
    for app in APPS:
        table = import_table(app)
        if table:
            yield app.name, table


def add_missing_tables(tables: dict[str, ModuleType]) -> None:
    """Add the project's table, and an empty one for what has none.

    So that people and objects are made for all that is asked about.
    """
    own_names = [app.name for app in APPS if is_of_project(app)]
    for name in own_names:
        tables.setdefault(name, ModuleType(f"{name}.{TABLE_BESIDE}"))
    tables[ROOT] = ROOT_TABLE or ModuleType(TABLE_BESIDE)


def read_objects_by_app() -> dict[str, Callable[..., Any]]:
    """Return what the project's table makes for apps, by their names."""
    names = {app.label: app.name for app in APPS} | {app.name: app.name for app in APPS}
    objects = getattr(ROOT_TABLE, "OBJECTS", {})
    unknown = objects.keys() - names.keys()
    if unknown:
        message = f"{TABLE_BESIDE}: OBJECTS names no app: {', '.join(sorted(unknown))}."
        raise ImproperlyConfigured(message)
    return {names[name]: make for name, make in objects.items()}


TABLES = dict(import_tables())
OWN_APPS = [app for app in APPS if is_own_app(app)]
ROOT_TABLE = import_root_table()
OBJECTS = read_objects_by_app()
WITH_OWN_TABLE = frozenset(TABLES)
if CONFIG.makes_objects:
    add_missing_tables(TABLES)


def has_table(app: str) -> bool:
    """Return whether an app has a table: that of the project may have its rows."""
    return app in WITH_OWN_TABLE or ROOT_TABLE is not None


def objects_of(app: str) -> Callable[..., Any] | None:
    """Return the function of a table that makes an app's objects, if there is one."""
    return getattr(TABLES.get(app), "objects", None) or OBJECTS.get(app)


def functions(name: str) -> list[Callable[..., Any]]:
    """Return the functions of this name that the tables have."""
    tables = TABLES.values()
    return [getattr(table, name) for table in tables if hasattr(table, name)]


def named(name: str) -> set[str]:
    """Return what the sets of this name in all tables contain."""
    entries = [getattr(table, name, ()) for table in TABLES.values()]
    return set().union(*entries)


def listed(name: str) -> list[Any]:
    """Return what the lists of this name in all tables contain."""
    return [entry for table in TABLES.values() for entry in getattr(table, name, ())]


def is_tested(model: Any) -> bool:
    """Return whether the tests of a package ask about the rows of its model."""
    return model._meta.label in TESTED


def entries(name: str) -> dict[str, Any]:
    """Return what the dictionaries of this name in all tables contain."""
    found: dict[str, Any] = {}
    for table in TABLES.values():
        found |= getattr(table, name, {})
    return found


def reasons(name: str) -> dict[str, str]:
    """Return what the dictionaries of this name say; each entry needs a reason."""
    found: dict[str, str] = {}
    for table in TABLES.values():
        table_entries = getattr(table, name, {})
        check_reasons(f"{name} of {table.__name__}", table_entries)
        found |= table_entries
    return found


def check_reasons(where: str, table_entries: object) -> None:
    if not isinstance(table_entries, dict):
        message = f'{where} has no reasons: write a dictionary, {{"NAME": "WHY"}}.'
        raise ImproperlyConfigured(message)
    for key, reason in table_entries.items():
        if not isinstance(reason, str) or not reason.strip():
            message = f'{where} has no reason for {key}: write {{"{key}": "WHY"}}.'
            raise ImproperlyConfigured(message)


def named_fields(name: str) -> set[str]:
    """Return the fields that the sets of this name contain, such as Note.text."""
    fields = {
        f"{model.__name__}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
    }
    found = named(name)
    for label in sorted(found - fields):
        message = f'{name} names {label}, which is no field: write "Model.field".'
        raise ImproperlyConfigured(message)
    return found


# No project exempts a model of its own so.
TESTED = {
    label
    for table in TABLES.values()
    if table.__name__.endswith(".access")
    for label in getattr(table, "TESTED", ())
}
FURTHER_RIGHTS = named_fields("RIGHTS")
NO_RIGHTS = named_fields("NO_RIGHTS")
HASHED = named_fields("HASHED")
