"""Who gets which response from each URL here: see secure_django/guard/access.py."""

from typing import Any

from allauth.usersessions.models import UserSession

from secure_django.user import User

ROWS = """
/accounts/signup/                            200    away   away     away   away
/accounts/confirm-email/                     log-in away   away     away   away
/accounts/email/                             log-in 200    200      200    200
/accounts/reauthenticate/                    log-in 200    200      away   away
/accounts/notifications/                     log-in 200    200      200    200
/accounts/delete/                            log-in reauth reauth   403    403
/accounts/sessions/                          log-in 200    200      200    200
/accounts/sessions/<pk>/end/                 log-in away   404      404    404
/accounts/2fa/                               log-in 200    200      200    200
/accounts/2fa/authenticate/                  log-in away   away     away   away
/accounts/2fa/reauthenticate/                log-in away   away     200    200
/accounts/2fa/totp/activate/                 log-in reauth reauth   away   away
/accounts/2fa/totp/deactivate/               log-in 404    404      200    200
/accounts/2fa/recovery-codes/generate/       log-in reauth reauth   200    200
/accounts/2fa/recovery-codes/*               log-in 404    404      404    404
/accounts/2fa/webauthn/                      log-in 200    200      200    200
/accounts/2fa/webauthn/add/                  log-in reauth reauth   200    200
/accounts/2fa/webauthn/login/                log-in away   away     away   away
/accounts/2fa/webauthn/reauthenticate/       log-in away   away     away   away
/accounts/2fa/webauthn/keys/<pk>/*           log-in reauth reauth   404    404
/admin/mfa/authenticator/<object_id>/        log-in log-in log-in   away   away
/admin/mfa/authenticator/<object_id>/history/ log-in log-in log-in away away
/admin/mfa/authenticator/*                   log-in log-in log-in   403    403
/admin/usersessions/usersession/<object_id>/ log-in log-in log-in   away   away
/admin/usersessions/usersession/<object_id>/history/ log-in log-in log-in away away
/admin/usersessions/usersession/*            log-in log-in log-in   403    403
"""


def objects(owner: User) -> dict[str, Any]:
    return {
        "pk": UserSession.objects.create(
            user=owner, ip="192.0.2.1", session_key=str(owner.pk)
        ).pk
    }
