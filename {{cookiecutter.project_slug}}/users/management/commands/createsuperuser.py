"""Django's command, which may run again: a deployment can create its administrator each time."""

from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.core.management.base import CommandParser

from users.models import User


class Command(createsuperuser.Command):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--first", action="store_true", help="Do nothing if there is an administrator already.")

    def handle(self, *args: Any, first: bool, **options: Any) -> None:
        if not (first and User.objects.filter(is_superuser=True).exists()):
            super().handle(*args, **options)

    # Private, but the only place between the question for the email and the one for the password.
    def _validate_username(self, username: str, *args: Any) -> str | None:
        if User.objects.filter(email=username.lower(), is_superuser=True).exists():
            self.stdout.write(f"{username} is an administrator already. Nothing was changed.")
            raise SystemExit
        return super()._validate_username(username, *args)  # type: ignore[misc, no-any-return]
