"""What commands ask in the terminal."""

import getpass

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, OutputWrapper

from secure_django.user import User

ATTEMPTS = 3  # as in Django's own commands


def ask_for_password(user: User, errors: OutputWrapper, refusal: str) -> str:
    """Return what was typed twice and follows the rules, in one of three attempts.

    Otherwise, raise CommandError with the refusal.
    """
    for _ in range(ATTEMPTS):
        password = getpass.getpass("Password: ")
        if getpass.getpass("Password (again): ") != password:
            errors.write("The two passwords do not match. Try again.")
            continue
        try:
            validate_password(password, user)
        except ValidationError as error:
            errors.write("\n".join(error.messages))
        else:
            return password
    raise CommandError(f"{refusal} after {ATTEMPTS} attempts. Start again.")
