import sys
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Info, Tags, Warning, register
from django.tasks import Task
from django.tasks.backends.immediate import ImmediateBackend
from django.utils.module_loading import module_has_submodule


@register(Tags.security)
def check_environment(**kwargs: Any) -> list[CheckMessage]:
    """Report settings that are allowed but weaken the project."""
    messages: list[CheckMessage] = []
    if settings.CSP_REPORT_ONLY:
        messages.append(Warning("CSP_REPORT_ONLY is on: the policy blocks nothing.", id="core.W001"))
    if not settings.DEBUG and settings.DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
        messages.append(Info("SQLite serves one machine and one writer at a time.", id="core.I001"))
    return messages


@register
def check_tasks(**kwargs: Any) -> list[CheckMessage]:
    """Report tasks that would run inside the request: it would wait for them, and none that fails is repeated."""
    if settings.DEBUG:
        return []
    import_module(settings.ROOT_URLCONF)  # and so the views
    folder = str(settings.BASE_DIR)
    own = [app for app in apps.get_app_configs() if app.path.startswith(folder) and "site-packages" not in app.path]
    for app in own:
        if module_has_submodule(app.module, "tasks"):
            import_module(f"{app.name}.tasks")
    prefixes = tuple(f"{app.name}." for app in own)
    modules = [module for name, module in sys.modules.copy().items() if name.startswith(prefixes)]
    # By its type, since isinstance() would load lazy objects.
    tasks = {it.module_path: it for module in modules for it in vars(module).values() if issubclass(type(it), Task)}
    names = [name for name, task in tasks.items() if isinstance(task.get_backend(), ImmediateBackend)]
    hint = "Make it a job of the worker (`@job` in core/jobs.py), or set TASKS to a backend with a worker of its own."
    text = "enqueue() runs this task at once, inside the request, and never again if it fails: {}."
    return [Warning(text.format(name), hint=hint, id="core.W002") for name in sorted(names)]
