from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from secure_django.extras import require_django

require_django("secure_django.login")


class LoginConfig(AppConfig):
    name = "secure_django.login"
    label = "secure_django_login"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = _("Log-in")

    def ready(self) -> None:
        from secure_django.login import checks, signals  # noqa: F401
