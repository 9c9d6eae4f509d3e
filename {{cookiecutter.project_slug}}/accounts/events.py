"""Security events of accounts, and what follows from a changed second factor."""

from functools import partial
from typing import Any

from allauth.account import signals as account
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.usersessions.internal.flows.sessions import end_other_sessions
from cryptography.fernet import InvalidToken
from django.core.management.base import CommandError
from django.db import transaction
from django.http import HttpRequest

from config.encryption import decrypt, encrypt, is_current, rotating
from config.logs import log_event

# Names of OWASP's Logging Vocabulary, where it has one.
EVENTS = {
    "user_created": account.user_signed_up,
    "user_updated": account.email_changed,
    "authn_password_change": account.password_changed,
    "authn_password_set": account.password_set,
    "authn_password_reset": account.password_reset,
    "authn_login_fail": mfa.authentication_failed,
    "authn_factor_added": mfa.authenticator_added,
    "authn_factor_removed": mfa.authenticator_removed,
    "authn_factor_renewed": mfa.authenticator_reset,
    "authn_factor_used": mfa.authenticator_used,
}


def connect() -> None:
    for event, signal in EVENTS.items():
        signal.connect(partial(report, event), weak=False)
    mfa.authenticator_added.connect(on_factor_added)
    mfa.authenticator_removed.connect(on_factor_removed)
    rotating.connect(rotate_second_factors)


def report(event: str, request: HttpRequest, user: Any, authenticator: Any = None, **kwargs: Any) -> None:
    factor = {"factor": authenticator.type} if authenticator else {}
    log_event(event, request, user=user.pk, **factor)


def on_factor_added(request: HttpRequest, user: Any, authenticator: Authenticator, **kwargs: Any) -> None:
    """Counts the new factor as proved in this session, and ends the sessions that never proved one."""
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        record_authentication(request, user, "mfa", id=authenticator.pk, type=authenticator.type)
        end_other_sessions(request, user)


def on_factor_removed(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    end_other_sessions(request, user)


def rotate_second_factors(**kwargs: Any) -> int:
    """Re-encrypts what is not encrypted with the newest key, one locked row at a time; returns how many."""
    rotated, lost = 0, []
    for pk in list(Authenticator.objects.values_list("pk", flat=True)):
        with transaction.atomic():
            row = Authenticator.objects.select_for_update().filter(pk=pk).first()
            old = {name: row.data[name] for name in ("secret", "seed") if name in row.data} if row else {}
            try:
                new = {name: encrypt(decrypt(token)) for name, token in old.items() if not is_current(token)}
            except InvalidToken:
                lost.append(pk)
                continue
            if row and new:
                row.data |= new
                row.save(update_fields=["data"])
                rotated += 1
    if lost:
        raise CommandError(f"mfa.Authenticator {lost}: none of the keys reads them.")
    return rotated
