from importlib import import_module
from pathlib import Path

from django.apps import AppConfig, apps
from django.contrib.admin import apps as admin
from django.utils.module_loading import autodiscover_modules


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from core import checks  # noqa: F401

        for app in apps.get_app_configs():
            for path in sorted(Path(app.path).glob("jobs_*.py")):
                import_module(f"{app.name}.{path.stem}")
        autodiscover_modules("jobs")


class AdminConfig(admin.AdminConfig):
    default = False  # CoreConfig is this module's default; settings.py names this one
    default_site = "core.admin.AdminSite"
