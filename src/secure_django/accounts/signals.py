from collections.abc import Callable
from typing import Any

from allauth.account import signals as account
from allauth.account.authentication import (
    AUTHENTICATION_METHODS_SESSION_KEY,
    get_authentication_records,
)
from allauth.account.models import EmailAddress
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.db.models.signals import post_save
from django.dispatch import Signal, receiver
from django.http import HttpRequest
from django.utils import timezone

from secure_django.accounts.adapters import FACTOR_CONTEXT
from secure_django.accounts.middleware import SECOND_FACTORS
from secure_django.encryption import encryption_key_rotated, rotate
from secure_django.logging import log_event
from secure_django.login.devices import forget_devices
from secure_django.user import User

# The names come from OWASP's Logging Vocabulary, as far as it has one for the event.
EVENTS = {
    account.user_signed_up: "user_created",
    account.email_changed: "user_updated",
    mfa.authentication_failed: "authn_login_fail",
    mfa.authenticator_added: "authn_factor_added",
    mfa.authenticator_removed: "authn_factor_removed",
    mfa.authenticator_reset: "authn_factor_renewed",
    mfa.authenticator_used: "authn_factor_used",
}

# Each log-in checks every session of the account, with three queries.
MOST_SESSIONS = 20
SECRETS = ("secret", "seed")  # the encrypted values in the data of a factor
type Rotate = Callable[[dict[str, Any]], dict[str, Any]]


@receiver(list(EVENTS))
def log_change(
    signal: Signal,
    request: HttpRequest,
    user: Any,
    authenticator: Any = None,
    **kwargs: Any,
) -> None:
    factor = {"factor": authenticator.type} if authenticator else {}
    log_event(EVENTS[signal], request, user=user.pk, **factor)


@receiver(post_save, sender=User)
def verify_email_of_superuser(
    instance: User, created: bool, raw: bool, **kwargs: Any
) -> None:
    """Verify the email of a new superuser.

    Only a command creates a superuser in one step. Whoever runs it knows the email.
    """
    if created and instance.is_superuser and not raw:
        EmailAddress.objects.create(
            user=instance, email=instance.email, verified=True, primary=True
        )


@receiver(account.password_reset)
def verify_email_by_link(user: Any, **kwargs: Any) -> None:
    """Count a reset as proof of the mailbox.

    Sign-ups of others can use up the codes. A change of the email ends the link.
    """
    email, _ = EmailAddress.objects.get_or_create(
        user=user, email=user.email, defaults={"primary": True}
    )
    email.set_verified()


@receiver(account.user_logged_in)
def end_surplus_sessions(user: Any, **kwargs: Any) -> None:
    """End the sessions that were not seen for longest."""
    sessions = UserSession.objects.filter(user=user).order_by("-last_seen_at", "-pk")
    get_adapter().end_sessions(sessions[MOST_SESSIONS:])


@receiver([mfa.authenticator_added, mfa.authenticator_removed])
def on_factor_changed(
    signal: Signal, request: HttpRequest, user: Any, authenticator: Any, **kwargs: Any
) -> None:
    """Count a new factor as proved in this session.

    End all other sessions, and make all devices unknown.
    """
    if signal is mfa.authenticator_added:
        if authenticator.type not in SECOND_FACTORS:
            return
        record_proof(request, user, authenticator)
    sessions = UserSession.objects.filter(user=user)
    others = sessions.exclude(session_key=request.session.session_key)
    get_adapter().end_sessions(others)
    forget_devices(user)


def record_proof(request: HttpRequest, user: Any, authenticator: Any) -> None:
    """Add a record to the session, in the form of allauth's own records."""
    factor = {"id": authenticator.pk, "type": authenticator.type}
    record = {
        "method": "mfa",
        "at": timezone.now().timestamp(),
        "reauthenticated": True,
        **factor,
    }
    records = get_authentication_records(request, user)
    request.session[AUTHENTICATION_METHODS_SESSION_KEY] = [*records, record]


@receiver(encryption_key_rotated)
def second_factors(**kwargs: Any) -> tuple[type[Authenticator], str, Rotate]:
    return Authenticator, "data", rotate_secrets


def rotate_secrets(data: dict[str, Any]) -> dict[str, Any]:
    rotated = {
        name: rotate(data[name], FACTOR_CONTEXT) for name in SECRETS if name in data
    }
    return data | rotated
