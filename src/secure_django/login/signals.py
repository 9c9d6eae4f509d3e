from typing import Any

from allauth.account.signals import (
    authentication_step_completed,
    password_changed,
    password_reset,
    password_set,
)
from allauth.core import ratelimit
from django.contrib.auth.signals import (
    user_logged_in,
    user_logged_out,
    user_login_failed,
)
from django.dispatch import Signal, receiver
from django.http import HttpRequest

from secure_django.logging import log_event
from secure_django.login.devices import find_device, forget_devices
from secure_django.sessions import RENEWED, STARTED

PASSWORD_EVENTS = {
    password_changed: "authn_password_change",
    password_reset: "authn_password_reset",
    password_set: "authn_password_set",
}


@receiver(user_logged_in)
def on_login(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    log_event("authn_login_success", request, user=user.pk)
    for name in (STARTED, RENEWED):  # a log-in restarts both timeouts
        request.session.pop(name, None)


@receiver(user_logged_out)
def on_logout(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    log_event("authn_logout", request, user=user.pk if user else None)
    # Read by ResponseHeadersMiddleware, so that every log-out view gets the header.
    setattr(request, "logged_out", True)  # noqa: B010


@receiver(user_login_failed)
def on_login_failed(request: HttpRequest | None = None, **kwargs: Any) -> None:
    log_event("authn_login_fail", request)


@receiver(authentication_step_completed)
def on_password_entered(
    request: HttpRequest, method: str, user: Any, **kwargs: Any
) -> None:
    device = find_device(request, user.email)
    if device and method == "password":
        device.forget_failures()


@receiver(list(PASSWORD_EVENTS))
def on_password_changed(
    signal: Signal, request: HttpRequest, user: Any, **kwargs: Any
) -> None:
    log_event(PASSWORD_EVENTS[signal], request, user=user.pk)
    forget_devices(user)
    if signal is password_reset:
        # By itself, allauth lifts the block only for emails in its own table. The key
        # is that of secure_django/login/adapters.py.
        ratelimit.clear(request, action="login_failed", key=user.email)
