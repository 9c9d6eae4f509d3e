"""Refuses passwords that are known from a breach, without telling anybody the password."""

import hashlib
import logging
from http.client import HTTPException, HTTPSConnection

from django.core.exceptions import ValidationError

HOST = "api.pwnedpasswords.com"
TIMEOUT = 2  # seconds that somebody waits for an answer at most, twice
LARGEST = 200_000  # bytes: an answer has about 40,000


class BreachedPasswordValidator:
    """Asks Pwned Passwords for everything under five digits of the password's hash, and looks it up here.

    When that fails, Django's list of common passwords has to do.
    """

    def validate(self, password: str, user: object = None) -> None:
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            found = digest[5:] in breached(digest[:5])
        except (OSError, HTTPException, ValueError) as error:
            logging.getLogger("accounts").warning("breached passwords not checked: %s", type(error).__name__)
            return
        if found:
            raise ValidationError(
                "This password was published in a data breach, so guessers try it: choose another one.",
                code="password_breached",
            )

    def get_help_text(self) -> str:
        return "Your password cannot be one that is known from a data breach."


def breached(prefix: str) -> set[str]:
    """Returns the rest of each known hash under a prefix; raises OSError, HTTPException or ValueError."""
    connection = HTTPSConnection(HOST, timeout=TIMEOUT)
    try:
        # Padded, so that the length of the answer does not tell an onlooker the prefix.
        connection.request("GET", f"/range/{prefix}", headers={"Add-Padding": "true", "User-Agent": "Django"})
        response = connection.getresponse()
        if response.status != 200:
            raise ValueError(response.status)
        lines = (line.split(":") for line in response.read(LARGEST).decode().splitlines())
        # The padding has a count of zero.
        return {suffix for suffix, count in lines if int(count) > 0}
    finally:
        connection.close()
