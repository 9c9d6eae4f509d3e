import hashlib
import logging
import time
from contextlib import closing
from http.client import (
    HTTPException,
    HTTPSConnection,  # noqa: TID251  # to HOST alone
)

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

HOST = "api.pwnedpasswords.com"
TIMEOUT = 2  # seconds, for the connection and again for the response
MAX_BYTES = 200_000  # a response has about 40,000
# After a failure, the service is not asked: each form would wait for the timeout.
PAUSE = "breached-passwords-pause"
PAUSE_SECONDS = 60


class BreachedPasswordValidator:
    """Look a password up in Pwned Passwords.

    The service only learns the first five hex digits of the password's SHA-1 hash. If
    the service fails, passwords are accepted for a minute: Django's list of common
    passwords still applies.
    """

    def validate(self, password: str, user: object = None) -> None:
        if not settings.CHECK_BREACHED_PASSWORDS or is_paused():
            return
        sha1 = hashlib.sha1(password.encode(), usedforsecurity=False)
        digest = sha1.hexdigest().upper()
        message = _("This password was published in a data breach. Choose another one.")
        try:
            if digest[5:] in breached_suffixes(digest[:5]):
                raise ValidationError(message, code="password_breached")
        except (OSError, HTTPException, ValueError) as error:
            cache.set(PAUSE, time.time(), PAUSE_SECONDS)
            logging.getLogger(__name__).warning(
                "breached passwords not checked for a minute: %s", type(error).__name__
            )

    def get_help_text(self) -> str:
        return _("Your password cannot be one that was published in a data breach.")


def is_paused() -> bool:
    """Return whether the service has failed within the last minute.

    The time is compared too: a clock that ran ahead would keep the value for longer.
    """
    failed_at: float | None = cache.get(PAUSE)
    return failed_at is not None and abs(time.time() - failed_at) <= PAUSE_SECONDS


def breached_suffixes(prefix: str) -> set[str]:
    """Return the suffixes of all known hashes with a prefix.

    Raise OSError, HTTPException or ValueError when the service fails.
    """
    with closing(HTTPSConnection(HOST, timeout=TIMEOUT)) as connection:
        # With padding, the length of the encrypted response does not reveal the prefix.
        connection.request(
            "GET",
            f"/range/{prefix}",
            headers={"Add-Padding": "true", "User-Agent": "Django"},
        )
        response = connection.getresponse()
        if response.status != 200:
            raise ValueError(response.status)
        text = response.read(MAX_BYTES).decode()
    pairs = [line.split(":") for line in text.splitlines()]
    # Padding lines have a count of zero.
    return {suffix for suffix, count in pairs if int(count) > 0}
