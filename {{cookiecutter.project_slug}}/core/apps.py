from django.apps import AppConfig
from django.contrib.admin import apps as admin
from django.utils.module_loading import autodiscover_modules


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from core import checks  # noqa: F401

        autodiscover_modules("jobs")


class AdminConfig(admin.AdminConfig):
    default = False  # CoreConfig is this module's default; settings.py names this one
    default_site = "core.admin.AdminSite"
