"""Emails that wait in the database, and invitations."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secure_django.mail.invitations import send_invitation

__all__ = ["send_invitation"]


def __getattr__(name: str) -> object:
    # Loaded on first use: Django imports this package before its models are ready.
    if name == "send_invitation":
        from secure_django.mail import invitations

        return invitations.send_invitation
    raise AttributeError(name)
