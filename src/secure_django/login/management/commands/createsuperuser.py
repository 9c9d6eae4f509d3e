"""Django's command, safe to repeat, and without a way around the password rules."""

import getpass
import os
import sys
from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from secure_django.user import User

ATTEMPTS = 3  # as in Django's `changepassword`


class Command(createsuperuser.Command):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--first",
            action="store_true",
            help="Do nothing if there is an administrator already.",
        )

    def handle(
        self,
        *args: Any,
        first: bool,
        interactive: bool,
        email: str | None,
        **options: Any,
    ) -> str | None:
        administrators = User.objects.filter(is_superuser=True)
        if first and administrators.exists():
            return None
        if interactive and not sys.stdin.isatty():
            raise CommandError(
                "There is no terminal for the questions: use --noinput --email EMAIL."
            )
        password = os.environ.get("DJANGO_SUPERUSER_PASSWORD")
        try:
            while interactive and not email:
                email = self.get_input_data(self.username_field, "Email: ")
            email = (email or os.environ.get("DJANGO_SUPERUSER_EMAIL", "")).lower()
            if not email:
                raise CommandError("You must use --email with --noinput.")
            if administrators.filter(email=email).exists():
                return f"{email} is an administrator already. Nothing was changed."
            with transaction.atomic():
                user = User.objects.create_superuser(email)
                if interactive:
                    password = self.ask_for_password(user)
                elif password:
                    validate_password(password, user)
                # Without one, the account has no log-in by password.
                user.set_password(password or None)
                user.save()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except (EOFError, KeyboardInterrupt):
            raise CommandError("\nCancelled: no administrator was created.") from None
        return f"{email} is an administrator now."

    def ask_for_password(self, user: User) -> str:
        """Return what was typed twice and follows the rules, in one of three attempts.

        Django's `changepassword` would call the user by a name, which is not asked for.
        """
        for _ in range(ATTEMPTS):
            password = getpass.getpass("Password: ")
            if getpass.getpass("Password (again): ") != password:
                self.stderr.write("The two passwords do not match. Try again.")
                continue
            try:
                validate_password(password, user)
            except ValidationError as error:
                self.stderr.write("\n".join(error.messages))
            else:
                return password
        raise CommandError(
            f"No administrator was created after {ATTEMPTS} attempts. Start again."
        )
