from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "secure_django.accounts"
    label = "secure_django_accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from secure_django.accounts import signals  # noqa: F401
