"""Who gets which response from each URL here: see secure_django/guard/access.py."""

import pytest

from secure_django.guard.noticing import notice
from secure_django.web.middleware import KNOWN_METHODS

ROWS = """
/                                            200    200    200      200    200
/favicon.ico                                 away   away   away     away   away
/health/live/                                200    200    200      200    200
/health/ready/                               200    200    200      200    200
/.well-known/security.txt                    200    200    200      200    200
/csp-report/                                 400    400    400      400    400    # all: tokenless: browsers send reports without a page
/webhooks/email/                             404    404    404      404    404    # all: tokenless: a provider proves a secret
/admin/                                      log-in log-in log-in   200    200
/admin/login/                                log-in 403    403      away   away
/admin/logout/                               log-in away   away     away   away
/admin/password_change/                      log-in away   away     away   away
/admin/password_change/done/                 log-in log-in log-in   200    200
/admin/jsi18n/                               log-in log-in log-in   200    200
/admin/autocomplete/                         log-in log-in log-in   403    403
/admin/r/<content_type_id>/<object_id>/      log-in log-in log-in   404    404
/admin/<url>                                 log-in log-in log-in   404    404
/admin/*/<object_id>/                        log-in log-in log-in   away   away
/admin/*/<object_id>/history/                log-in log-in log-in   away   away
/admin/secure_django/*/<object_id>/          log-in log-in log-in   away   away
/admin/secure_django/*/<object_id>/history/  log-in log-in log-in   away   away
/admin/secure_django/*                       log-in log-in log-in   403    403
/admin/auth/group/*                          log-in log-in log-in   403    403
"""

# Emails and tasks that wait, when jobs ran, and addresses that get no emails. None is a
# user's, and the admin alone shows them. No page shows a session.
TESTED = {
    "secure_django.LastRun",
    "secure_django.Mail",
    "secure_django.QueuedTask",
    "secure_django.Session",
    "secure_django.Suppression",
}
UNKNOWN_RECIPIENT = (
    "sends an email to any address or past the outbox: call send_invitation of"
    " secure_django.mail.invitations, or send_mail without `using`"
)


def prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let views go on after an email to strangers, and answer unknown methods."""
    monkeypatch.setattr(
        "secure_django.testing.refuse", lambda _: notice(UNKNOWN_RECIPIENT)
    )
    # Otherwise, the middleware answers.
    monkeypatch.setattr(
        "secure_django.web.middleware.KNOWN_METHODS", [*KNOWN_METHODS, "UNKNOWN"]
    )
