"""How passwords are hashed, and the rules that go beyond Django's own."""

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.exceptions import ValidationError


class Argon2idHasher(Argon2PasswordHasher):
    """Argon2id with the least that OWASP's Password Storage sheet asks for: 19 MiB, 2 passes.

    Django's default takes 100 MiB, which is what each log-in at the same time would cost.
    """

    time_cost = 2
    memory_cost = 19_456  # KiB
    parallelism = 1


class SiteNameValidator:
    """Refuses passwords built from the name of the site, which guessers try first."""

    def validate(self, password: str, user: object = None) -> None:
        plain = "".join(filter(str.isalnum, password)).lower()
        for name in (settings.SITE_NAME, settings.DOMAIN_NAME.partition(".")[0]):
            word = "".join(filter(str.isalnum, name)).lower()
            if len(word) > 3 and word in plain:
                raise ValidationError(self.get_help_text(), code="password_names_site")

    def get_help_text(self) -> str:
        return "Your password cannot contain the name of this site."
