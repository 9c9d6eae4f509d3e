"""Django's command, which names a user by the email, and changes the password alone."""

from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.core.management.base import CommandError, CommandParser

from secure_django.login.management.questions import ask_for_password
from secure_django.user import User


class Command(changepassword.Command):
    help = "Change the password of a user."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.description = "Change the password of the user with an email."

    def handle(
        self, *args: Any, username: str | None, database: str, **options: Any
    ) -> str:
        if not username:
            raise CommandError("Name the user: uv run manage.py changepassword EMAIL.")
        users = User._default_manager.using(database)
        user = users.filter(email=username.lower()).first()
        if user is None:
            raise CommandError(f"There is no user with the email {username}.")
        self.stdout.write(f"New password of {user.email}.")
        refusal = f"The password of {user.email} was not changed"
        try:
            password = ask_for_password(user, self.stderr, refusal)
        except (EOFError, KeyboardInterrupt):
            raise CommandError(f"\nCancelled: {refusal}.") from None
        user.set_password(password)
        # Typing takes a while, in which others may change the user.
        user.save(update_fields=["password"])
        return f"The password of {user.email} was changed."
