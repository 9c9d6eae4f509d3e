"""Log-in and log-out as security events."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from core.logging import log_event


@receiver(user_logged_in)
def on_login(request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    log_event("authn_login_success", request, user=user.pk)
    if request is not None:
        # A log-in restarts both time limits of the session.
        for name in ("started", "renewed"):
            request.session.pop(name, None)


@receiver(user_logged_out)
def on_logout(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    log_event("authn_logout", request, user=user.pk if user else None)
    # Read by ResponseHeadersMiddleware, so that every log-out view gets the header.
    setattr(request, "logged_out", True)  # noqa: B010


@receiver(user_login_failed)
def on_login_failed(request: HttpRequest | None = None, **kwargs: Any) -> None:
    log_event("authn_login_fail", request)
