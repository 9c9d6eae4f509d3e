"""What tests need to log users in."""

import base64
import hmac
import secrets
import struct
import time
from typing import TYPE_CHECKING, Any

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.account.models import EmailAddress

if TYPE_CHECKING:
    from allauth.mfa.models import Authenticator

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def verify_email(user: Any) -> None:
    EmailAddress.objects.update_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )


def code(secret: str = SECRET) -> str:
    """Return an authenticator app's current code (RFC 6238).

    It is valid for 30 seconds at most, unless the fixture `travel` stops the clock.
    """
    digest = hmac.digest(
        base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), "sha1"
    )
    (value,) = struct.unpack_from(">I", digest, digest[-1] & 15)
    return f"{(value & 0x7FFFFFFF) % 10**6:06}"


def add_second_factor(user: Any) -> "Authenticator":
    from allauth.mfa.models import Authenticator
    from allauth.mfa.utils import encrypt

    data = {"secret": encrypt(SECRET)}
    return Authenticator.objects.get_or_create(
        user=user, type=Authenticator.Type.TOTP, defaults={"data": data}
    )[0]


def recovery_codes(user: Any) -> list[str]:
    """Return the unused recovery codes of a user. Generate them if there are none."""
    from allauth.mfa.models import Authenticator
    from allauth.mfa.utils import encrypt

    data = {"seed": encrypt(secrets.token_hex(40)), "used_mask": 0}
    kind = Authenticator.Type.RECOVERY_CODES
    codes, _ = Authenticator.objects.get_or_create(
        user=user, type=kind, defaults={"data": data}
    )
    return list(codes.wrap().get_unused_codes())


def prove_second_factor(client: Any, user: Any) -> None:
    """Record in the client's session that the user has just proved a second factor."""
    factor, session = add_second_factor(user), client.session
    record = {
        "method": "mfa",
        "at": time.time(),
        "reauthenticated": True,
        "id": factor.pk,
        "type": factor.type,
    }
    # Only the forms of allauth write this otherwise: there is no function for it.
    key = AUTHENTICATION_METHODS_SESSION_KEY
    session.update({key: [record], f"{key}_user": str(user.pk)})
    session.save()
