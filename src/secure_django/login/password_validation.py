from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


class SiteNameValidator:
    """Reject passwords that contain the name of the site: attackers try it first."""

    def validate(self, password: str, user: object = None) -> None:
        text = letters_and_digits(password)
        host = settings.DOMAIN_NAME.partition(".")[0]
        for name in (settings.SITE_NAME, host):
            word = letters_and_digits(name)
            if len(word) > 3 and word in text:
                raise ValidationError(self.get_help_text(), code="password_names_site")

    def get_help_text(self) -> str:
        return _("Your password cannot contain the name of this site.")


def letters_and_digits(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()
