from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "secure_django.accounts"
    label = "secure_django_accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from allauth.mfa.models import Authenticator

        from secure_django.accounts import signals  # noqa: F401

        # The admin's names of them are for staff. Migrations read others, so none is
        # wanted.
        apps.get_app_config("mfa").verbose_name = _("Second factors")
        Authenticator._meta.verbose_name = _("second factor")
        Authenticator._meta.verbose_name_plural = _("second factors")
