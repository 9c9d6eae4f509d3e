from importlib import import_module
from pathlib import Path

from django.apps import AppConfig, apps
from django.contrib.admin import apps as admin
from django.utils.module_loading import autodiscover_modules

from secure_django.extras import require_django

require_django("secure_django")


class SecureDjangoConfig(AppConfig):
    name = "secure_django"

    def ready(self) -> None:
        from secure_django import checks  # noqa: F401
        from secure_django.conf import checks as settings_checks  # noqa: F401
        from secure_django.conf import env
        from secure_django.sessions import is_in_use
        from secure_django.web import checks as template_checks  # noqa: F401

        if apps.is_installed("django.contrib.admin"):
            from secure_django.jobs import admin as jobs_admin  # noqa: F401
            from secure_django.mail import admin as mail_admin  # noqa: F401

        if apps.is_installed("allauth.usersessions") and is_in_use():
            from secure_django.web import user_sessions  # noqa: F401

        # Also where a project's settings have lost their last line.
        if env.is_loaded:
            env.stop_on_problems()
        for app in apps.get_app_configs():
            for path in sorted(Path(app.path).glob("jobs_*.py")):
                import_module(f"{app.name}.{path.stem}")
        autodiscover_modules("jobs")
        from secure_django.jobs import queues, receivers  # noqa: F401

        queues.register_queues()


class AdminConfig(admin.AdminConfig):
    default = False  # Django takes SecureDjangoConfig; settings name this one
    default_site = "secure_django.admin.AdminSite"
