import os
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register
from django.db.migrations.loader import MigrationLoader

from secure_django import deprecation
from secure_django.encryption import EncryptedTextField

PACKAGE = Path(__file__).parent
CODE = "the code: `python -W error manage.py check` shows where"


@register(Tags.security)
def check_environment(**kwargs: Any) -> list[CheckMessage]:
    """Report settings that are allowed but weaken the project."""
    messages: list[CheckMessage] = []
    if getattr(settings, "CSP_REPORT_ONLY", False):
        text = "CSP_REPORT_ONLY is on: the policy blocks nothing."
        hint = "Turn it off once reports name nothing that a page needs."
        messages.append(Warning(text, hint=hint, id="secure_django.W001"))
    engine = settings.DATABASES["default"]["ENGINE"]
    if not settings.DEBUG and engine == "django.db.backends.sqlite3":
        text = "SQLite serves one machine and one writer at a time."
        hint = "Set DATABASE_URL to PostgreSQL before the site grows."
        messages.append(Info(text, hint=hint, id="secure_django.I001"))
    server = getattr(settings, "MAILERS", {}).get("server") or {}
    has_provider = str(server.get("BACKEND", "")).startswith("anymail.")
    if has_provider and not getattr(settings, "EMAIL_WEBHOOK_SECRET", ""):
        text = "EMAIL_WEBHOOK_SECRET is not set: nobody reports emails that come back."
        hint = "Set it, and enter the webhook at the provider: .env.example says how."
        messages.append(Info(text, hint=hint, id="secure_django.I002"))
    return messages


@register
def check_deprecated_names(**kwargs: Any) -> list[CheckMessage]:
    """Report what the project uses, and a later release no longer has."""
    return [
        Warning(str(it), hint=f"It is used in {place}.", id="secure_django.W002")
        for it in deprecation.DEPRECATIONS
        for place in find_uses(it)
    ]


def find_uses(deprecated: deprecation.Deprecation) -> list[str]:
    """Return the places that use a name, and would silently do nothing without it.

    What fails at its first use, as the name of a URL does, is left to tests.
    """
    name = deprecated.name
    match deprecated.kind:
        case "setting":
            return ["the settings"] if hasattr(settings, name) else []
        case "variable":
            return ["the environment"] if name in os.environ else []
        case "block":
            return find_blocks(name.rpartition(" ")[2])
        case "public":
            import_module(settings.ROOT_URLCONF)  # and so the views
            return [CODE] if name in deprecation.used_names else []
    return []


def find_blocks(name: str) -> list[str]:
    """Return the paths of the project's templates that fill a block."""
    block = re.compile(rf"{{%\s*block\s+{re.escape(name)}\s")
    return [
        str(path)
        for folder in template_folders()
        for path in sorted(folder.rglob("*.html"))
        if block.search(path.read_text(encoding="utf-8"))
    ]


def template_folders() -> list[Path]:
    """Return the folders of templates that are not this package's."""
    folders = [Path(app.path) / "templates" for app in apps.get_app_configs()]
    for options in settings.TEMPLATES:
        folders += map(Path, options.get("DIRS", ()))
    return [folder for folder in folders if not folder.is_relative_to(PACKAGE)]


class Place(NamedTuple):
    """The names of an encrypted field, in the models or in the migrations."""

    app_label: str
    model_name: str
    field_name: str


type Fields = dict[Place, EncryptedTextField]


@register(Tags.models)
def check_contexts(**kwargs: Any) -> list[CheckMessage]:
    """Report encrypted fields whose stored values a new name makes unreadable.

    `makemigrations` runs the checks first. Without them, it would take a renamed field
    for a new one, and delete the old one with its values.
    """
    fields = fields_of_models()
    messages = list(compare_contexts(fields, fields_of_migrations()))
    return [*messages, *find_shared_contexts(fields)]


def fields_of_models() -> Fields:
    """Return the encrypted fields of all models."""
    return {
        Place(model._meta.app_label, str(model._meta.model_name), field.name): field
        for model in apps.get_models()
        for field in model._meta.local_fields
        if isinstance(field, EncryptedTextField)
    }


def fields_of_migrations() -> Fields:
    """Return the encrypted fields that the migrations have, with their contexts."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    if loader.detect_conflicts():
        return {}  # Django asks for a merge first
    return {
        Place(app_label, model_name, field_name): field
        for (app_label, model_name), model in loader.project_state().models.items()
        for field_name, field in model.fields.items()
        if isinstance(field, EncryptedTextField) and field.context
    }


def compare_contexts(fields: Fields, pinned: Fields) -> Iterator[CheckMessage]:
    """Report fields with another context than the migrations, and likely renames."""
    contexts = {field.context for field in fields.values()}
    gone = {
        place: field.context
        for place, field in pinned.items()
        if place not in fields and field.context not in contexts
    }
    for place, field in fields.items():
        if place in pinned and field.context != pinned[place].context:
            pinned_context = pinned[place].context
            yield Error(
                f'Its values are bound to "{pinned_context}" in the migrations, and to'
                f' "{field.context}" in the model, which cannot decrypt them.',
                hint=f'Write context="{pinned_context}" on the field.',
                obj=field,
                id="secure_django.E801",
            )
        old_contexts = [gone[old] for old in gone if is_likely_rename(old, place)]
        is_new = place not in pinned and field.given_context is None
        if is_new and old_contexts:
            options = " or ".join(f'context="{context}"' for context in old_contexts)
            yield Error(
                "It is new, and an encrypted field of the migrations is gone.",
                hint=f"If it was renamed, write {options} on the field, so that its"
                " values can be decrypted and `makemigrations` finds the rename."
                f' If not, write context="{field.context}".',
                obj=field,
                id="secure_django.E802",
            )


def is_likely_rename(old: Place, new: Place) -> bool:
    """Return whether one name changed: of the app, the model or the field."""
    return sum(map(str.__eq__, old, new)) == len(old) - 1


def find_shared_contexts(fields: Fields) -> Iterator[CheckMessage]:
    """Report fields of several columns with one context."""
    columns: defaultdict[str, set[tuple[str, str | None]]] = defaultdict(set)
    for field in fields.values():
        columns[field.context].add((field.model._meta.db_table, field.column))
    for field in fields.values():
        if len(columns[field.context]) > 1:
            yield Error(
                f'Another encrypted field has its context "{field.context}" too, so a'
                " token that is copied from one to the other is decrypted.",
                hint="Write another context on the newer field.",
                obj=field,
                id="secure_django.E803",
            )
