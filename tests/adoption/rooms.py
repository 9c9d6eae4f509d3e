"""What both commands share."""

import sys
from typing import Any

from django.contrib.auth import get_user_model
from django.core import mail
from django.core.management import call_command
from django.core.management.base import BaseCommand

OTHERS = ("secure_django.accounts", "secure_django.login", "allauth")


class RoomCommand(BaseCommand):
    """Use a room of the package in a new database."""

    users: Any

    def handle(self, *_arguments: object, **_options: object) -> None:
        """Use the room, without the package's log-in."""
        call_command("check", fail_level="WARNING")
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)
        call_command("migrate", verbosity=0)
        mail.outbox = []
        self.users = get_user_model().objects
        self.use_room()
        assert not [name for name in sys.modules if name.startswith(OTHERS)]

    def use_room(self) -> None:
        """Use the room, and compare what happens."""
        raise NotImplementedError

    def run_worker(self) -> list[str]:
        """Run the worker until it has sent all, and return the new recipients."""
        before = len(mail.outbox)
        call_command("worker", once=True)
        call_command("worker", once=True)  # it sends what the first run has stored
        return [message.to[0] for message in mail.outbox[before:]]
