"""The project as an app: checks at start, and security events of log-ins."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.checks import CheckMessage, Info, Tags, Warning, register
from django.http import HttpRequest

from config.logs import log_event


class ProjectConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        register(check_environment, Tags.security)
        user_logged_in.connect(on_login)
        user_logged_out.connect(on_logout)
        user_login_failed.connect(on_login_failed)


def check_environment(**kwargs: Any) -> list[CheckMessage]:
    """Says what is allowed, but should not go unnoticed."""
    messages: list[CheckMessage] = []
    if settings.CSP_REPORT_ONLY:
        messages.append(Warning("CSP_REPORT_ONLY is on: the policy stops nothing.", id="config.W001"))
    if not settings.DEBUG and settings.DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
        messages.append(Info("SQLite serves one machine and one writer at a time.", id="config.I001"))
    return messages


def on_login(request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    log_event("authn_login_success", request, user=user.pk)
    if request is not None:
        # A new proof of who it is starts the limits of the session anew.
        for name in ("started", "renewed"):
            request.session.pop(name, None)


def on_logout(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    log_event("authn_logout", request, user=user.pk if user else None)
    # Seen by config.middleware.ResponseHeadersMiddleware; no view of log-out needs to know.
    setattr(request, "logged_out", True)  # noqa: B010


def on_login_failed(request: HttpRequest | None = None, **kwargs: Any) -> None:
    log_event("authn_login_fail", request)
