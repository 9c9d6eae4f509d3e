"""Emails that wait in the database, invitations, and who gets what a user gives."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secure_django.mail.invitations import send_invitation
    from secure_django.mail.recipients import find_recipient

__all__ = ["find_recipient", "send_invitation"]

MODULES = {
    "find_recipient": "secure_django.mail.recipients",
    "send_invitation": "secure_django.mail.invitations",
}


def __getattr__(name: str) -> object:
    # Loaded on first use: Django imports this package before its models are ready.
    if name not in MODULES:
        raise AttributeError(name)
    value: object = getattr(import_module(MODULES[name]), name)
    return value
