"""What the name of a field says, whatever its model."""

import re

PASSWORDS = re.compile(r"(.*_)?(password|passphrase|passcode)[12]?")
# Only staff get forms with these.
RIGHTS = re.compile(
    r"(is|has|may|can)_|(.*_)?(status|state|roles?)$"
    r"|(active|approved|confirmed|paid|published|verified)"
)
# A form may offer a state or a switch on purpose, but hardly these.
NEVER_MEANT = re.compile(
    r"(is_)?(admin|approved|confirmed|featured|paid|promoted|staff|superuser|verified)"
    r"|roles?"
)


def is_never_for_users(name: str) -> bool:
    """Return whether a form of users that sets a field is a weakness."""
    return bool(RIGHTS.match(name) and NEVER_MEANT.fullmatch(name))
