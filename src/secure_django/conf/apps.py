from django.apps import AppConfig
from django.core.checks import Tags, register

from secure_django.extras import require_django

require_django("secure_django.conf")


class ConfConfig(AppConfig):
    """The checks of settings alone, for a project whose settings are its own."""

    name = "secure_django.conf"
    label = "secure_django_conf"

    def ready(self) -> None:
        from secure_django.conf.checks import check_foreign_settings

        register(check_foreign_settings, Tags.security, deploy=True)
