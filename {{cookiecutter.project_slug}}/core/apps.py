from django.apps import AppConfig
from django.contrib.admin import apps as admin


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from core import checks, signals  # noqa: F401


class AdminConfig(admin.AdminConfig):
    default = False  # of this module; settings.py names it
    default_site = "core.admin.AdminSite"
