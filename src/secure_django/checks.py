from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Info, Tags, Warning, register

from secure_django import deprecation


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
    return messages


@register
def check_deprecated_settings(**kwargs: Any) -> list[CheckMessage]:
    """Report settings of the project that a later release no longer reads."""
    deprecated = [it for it in deprecation.DEPRECATIONS if it.kind == "setting"]
    return [
        Warning(str(it), hint="Change the settings.", id="secure_django.W002")
        for it in deprecated
        if hasattr(settings, it.name)
    ]
