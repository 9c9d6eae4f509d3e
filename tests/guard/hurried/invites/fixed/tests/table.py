"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from invites.models import Invitation
from users.models import User

ROWS = """
/invites/                                    log-in  200     200     200     200
/invites/upload/                             log-in  200     200     200     200
/invites/accept/<code>/                      200     200     200     200     200  # all: email, writes: the invited person accepts it
/invites/<pk>/resend/                        log-in  away    404     404     404
/invites/<pk>/revoke/                        log-in  away    404     404     404
/admin/invites/invitation/                   log-in  log-in  log-in  403     403
/admin/invites/invitation/add/               log-in  log-in  log-in  403     403
/admin/invites/invitation/<object_id>/delete/ log-in  log-in  log-in  403     403
/admin/invites/invitation/<object_id>/change/ log-in  log-in  log-in  403     403
"""


def objects(owner: User) -> dict[str, Any]:
    invitation = Invitation.objects.create(invited_by=owner, email="ann@example.net")
    return {
        "pk": invitation.pk,
        "code": invitation.code,
        "object_id": invitation.pk,
    }
