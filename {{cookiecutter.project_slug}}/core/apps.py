from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin import apps as admin


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from core import checks, errors, signals  # noqa: F401

        if settings.SENTRY_DSN:
            errors.start(settings.SENTRY_DSN)


class AdminConfig(admin.AdminConfig):
    default = False  # of this module; settings.py names it
    default_site = "core.admin.AdminSite"
