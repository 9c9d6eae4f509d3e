"""Django's command, safe to repeat, and without a way around the password rules."""

import os
import sys
from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from secure_django.login.management.questions import ask_for_password
from secure_django.user import User


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
                    refusal = "No administrator was created"
                    password = ask_for_password(user, self.stderr, refusal)
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
