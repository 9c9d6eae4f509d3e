import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Info, Tags, Warning, register

from secure_django import deprecation

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
