"""The tasks of poe, which a project's pyproject.toml includes by one line.

    [tool.poe]
    include_script = "secure_django.commands.tasks:tasks"

A task of the same name in pyproject.toml replaces one.
"""

import tomllib
from pathlib import Path
from typing import Any

from secure_django.commands.new_app.kinds import list_examples

# The settings of the tests are production's, and need no .env.
PRODUCTION = {"DJANGO_SETTINGS_MODULE": "tests.settings"}
# Each step runs, and the last line names those that failed.
RUN_EACH = {"ignore_fail": "return_non_zero"}
STYLE = ["_style", "_format", "_imports", "_vendored"]
DEPLOYMENT = ["_settings", "_lock", "_migrations"]

# The steps of the tasks below.
STEPS: dict[str, Any] = {
    "_migrate": {"cmd": "python manage.py migrate -v 0"},
    "_style": {"cmd": "ruff check"},
    "_format": {"cmd": "ruff format --check"},
    "_imports": {"cmd": "lint-imports --no-logo --no-cache"},
    "_vendored": {"cmd": "python -m secure_django.commands.vendored"},
    "_lock": {"cmd": "python -m secure_django.conf.lock --check"},
    "_settings": {
        "cmd": "python manage.py check --deploy --fail-level WARNING",
        "env": PRODUCTION,
    },
    "_migrations": {
        "cmd": "python manage.py makemigrations --check --dry-run --skip-checks",
        "env": PRODUCTION,
    },
}
TASKS: dict[str, Any] = {
    "start": {
        "help": "Apply migrations, and run the development server and the worker:"
        " poe start [port]",
        "cmd": "python -m secure_django.commands.start",
        "use_exec": True,  # leaves Ctrl-C and the terminal to the command
    },
    "admin": {
        "help": "Create an administrator",
        "cmd": "python manage.py createsuperuser",
        "deps": ["_migrate"],
        "use_exec": True,
    },
    "app": {
        "help": "Make an app whose pages are private:"
        " poe app NAME [FIELD:KIND ...] [--admin]",
        "script": "secure_django.commands.new_app.command"
        ":main(name, fields, admin, help)",
        "env": PRODUCTION,
        "args": [
            {
                "name": "name",
                "positional": True,
                "default": "",
                "help": "the app, such as courses",
            },
            {
                "name": "fields",
                "positional": True,
                "multiple": True,
                "help": f"{list_examples()}. poe app --help explains them",
            },
            {
                "name": "admin",
                "options": ["--admin"],
                "type": "boolean",
                "help": "add a page in the admin",
            },
            {
                "name": "help",
                "options": ["--help", "-h"],
                "type": "boolean",
                "help": "explain the kinds of fields",
            },
        ],
    },
    "test": {
        "help": "Run the tests, on every core",
        "cmd": "python -m secure_django.commands.test",
    },
    "lint": {
        "help": "Check style, format, imports and vendor/",
        "sequence": STYLE,
        **RUN_EACH,
    },
    "types": {"help": "Check types", "cmd": "mypy ."},
    "deploy-check": {
        "help": "Run Django's deployment checks, compare settings.lock,"
        " and look for missing migrations",
        "sequence": DEPLOYMENT,
        **RUN_EACH,
    },
    "check": {
        "help": "Check style, format, imports, vendor/, types, settings and migrations",
        "sequence": [*STYLE, "types", *DEPLOYMENT],
        **RUN_EACH,
    },
    "settings-lock": {
        "help": "Write settings.lock: every value that differs from Django's",
        "cmd": "python -m secure_django.conf.lock",
    },
    "security": {
        "help": "Run all scans that can run here, or the named ones:"
        " poe security bandit leaks",
        "cmd": "python -m secure_django.scans",
    },
    "images": {
        "help": "Name the images that have no digest",
        "cmd": "python -m secure_django.commands.images",
    },
    "ci": {
        "help": "Run check, test and security",
        "sequence": ["check", "test", "security"],
        **RUN_EACH,
    },
    "engines": {
        "help": "Run the package's own tests on this project's settings",
        "cmd": "python -m secure_django.commands.engines",
    },
    "messages": {
        "help": "Collect the texts of this project and of the package for translation:"
        " poe messages de",
        "cmd": "python -m secure_django.commands.messages",
    },
    "package": {
        "help": "Take secure-django from an index, from vendor/ again, or a fix of it:"
        " poe package index [URL], poe package vendor, poe package update 1.0.1",
        "cmd": "python -m secure_django.commands.source",
    },
    "template-update": {
        "help": "Merge a release of the template:"
        " poe template-update [release] [--answer auth_app=yes]",
        "script": "secure_django.commands.template_update:main(release, answer, patch)",
        "args": [
            {"name": "release", "positional": True, "default": ""},
            {"name": "answer", "multiple": True},
            {
                "name": "patch",
                "type": "boolean",
                "help": "keep changes of vendor/secure-django in a patch",
            },
        ],
    },
}
# A platform backs up the database itself.
TASKS_OF_A_SERVER: dict[str, Any] = {
    "backup": {
        "help": "Back up PostgreSQL and the photos to secrets/restic_repository",
        "cmd": "python -m secure_django.commands.backups create",
    },
    "restore": {
        "help": "Restore the latest backup, or another: poe restore SNAPSHOT",
        "cmd": "python -m secure_django.commands.backups restore",
    },
}


def tasks() -> dict[str, Any]:
    """Return the tasks for the project in the current folder."""
    chosen = STEPS | TASKS
    if deployment() == "server":
        chosen |= TASKS_OF_A_SERVER
    return {"tasks": chosen}


def deployment() -> str:
    """Return where the project runs: `server` or `platform`, as pyproject.toml says."""
    metadata = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    answers = metadata.get("tool", {}).get("secure-django", {})
    return str(answers.get("deployment", ""))
