from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Info, Tags, Warning, register


@register(Tags.security)
def check_environment(**kwargs: Any) -> list[CheckMessage]:
    """Report settings that are allowed but weaken the project."""
    messages: list[CheckMessage] = []
    if settings.CSP_REPORT_ONLY:
        messages.append(
            Warning("CSP_REPORT_ONLY is on: the policy blocks nothing.", id="core.W001")
        )
    engine = settings.DATABASES["default"]["ENGINE"]
    if not settings.DEBUG and engine == "django.db.backends.sqlite3":
        messages.append(
            Info(
                "SQLite serves one machine and one writer at a time.",
                id="core.I001",
            )
        )
    return messages
