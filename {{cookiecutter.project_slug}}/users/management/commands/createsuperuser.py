"""Django's command, except that nothing bypasses the password rules, and that it is safe to repeat."""

import os
import sys
from getpass import getpass
from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from users.models import User


class Command(createsuperuser.Command):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--first", action="store_true", help="Do nothing if there is an administrator already.")

    def handle(self, *args: Any, first: bool, interactive: bool, email: str | None, **options: Any) -> None:
        administrators = User.objects.filter(is_superuser=True)
        if first and administrators.exists():
            return
        if interactive and not sys.stdin.isatty():
            raise CommandError("There is no terminal for the questions: use --noinput --email EMAIL.")
        try:
            while interactive and not email:
                email = self.get_input_data(self.username_field, "Email: ")
            email = email or os.environ.get("DJANGO_SUPERUSER_EMAIL")
            if not email:
                raise CommandError("You must use --email with --noinput.")
            if administrators.filter(email=email.lower()).exists():
                self.stdout.write(f"{email} is an administrator already. Nothing was changed.")
                return
            user = User(email=email)
            user.full_clean(exclude={"password"})
            if interactive:
                password: str | None = self.ask_password(user)
            elif password := os.environ.get("DJANGO_SUPERUSER_PASSWORD"):
                validate_password(password, user)
            User.objects.create_superuser(email, password or None)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except (EOFError, KeyboardInterrupt):
            raise CommandError("\nOperation cancelled.") from None
        if options["verbosity"]:
            self.stdout.write("Superuser created successfully.")

    def ask_password(self, user: User) -> str:
        """Ask until both entries are equal and the validators accept them."""
        while True:
            password = getpass()
            if password != getpass("Password (again): "):
                self.stderr.write("Error: Your passwords didn't match.")
                continue
            try:
                validate_password(password, user)
            except ValidationError as error:
                self.stderr.write("\n".join(error.messages))
            else:
                return password
