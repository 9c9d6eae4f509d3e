"""Django's tasks: 10,000 of them, by four workers on PostgreSQL.

Run it with the other backend that keeps tasks in the database:

    uv run --with django-tasks-db==0.13.0 python -m benchmarks.tasks

Both have the same site, the same tasks and a PostgreSQL of their own. Each task writes
one row. It takes about ten minutes.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import print_table, require_packages
from tests.support.baking import ROOT, clean_environment, production, run
from tests.support.live import HANG_SECONDS
from tests.support.postgresql import running_postgresql

SITE = ROOT / "tests" / "site"
TASKS = 10_000
WORKERS = 4
ROUNDS = 3
BACKENDS = {
    "secure_django": "secure_django.jobs.tasks.DatabaseBackend",
    "django_tasks_db": "django_tasks_db.DatabaseBackend",
}
COMMANDS = {
    "secure_django": ["worker"],
    "django_tasks_db": ["db_worker", "--no-startup-delay", "--verbosity", "0"],
}
MODELS = {
    "secure_django": "secure_django.models.QueuedTask",
    "django_tasks_db": "django_tasks_db.models.DBTaskResult",
}
SETTINGS = """
from config.settings import *

INSTALLED_APPS = [*INSTALLED_APPS, *{apps}, "measured"]
TASKS = {{"default": {{"BACKEND": "{backend}"}}}}
LOGGING["root"]["level"] = "WARNING"
LOGGING["loggers"] = {{"django.tasks": {{"level": "WARNING"}}}}
"""
APP = """
from django.tasks import task
from django.utils import timezone

from secure_django.models import LastRun


@task
def work(number: int, word: str) -> int:
    LastRun.objects.create(name=f"task {number}", at=timezone.now())
    return number
"""
# Only the tasks run, and no job of the site.
MANAGE = """
import sys

from django.core.management import execute_from_command_line

if sys.argv[1] == "worker":
    import django

    django.setup()
    from secure_django import jobs

    jobs.JOBS[:] = [job for job in jobs.JOBS if "queues.run_" in str(job)]
execute_from_command_line(sys.argv)
"""
ENQUEUE = f"""
import time
from django.db import transaction
from measured.tasks import work
started = time.perf_counter()
for number in range({TASKS}):
    with transaction.atomic():
        work.enqueue(number, word="a word")
print(time.perf_counter() - started)
"""
# A thing that many workers write is counted; the last has the time of the end.
COUNT = """
import json
from django.db.models import Max, Min
from django.utils.module_loading import import_string
from secure_django.models import LastRun
rows = import_string("{model}").objects
runs = LastRun.objects.filter(name__startswith="task ")
times = rows.aggregate(first=Min("started_at"), last=Max("finished_at"))
seconds = (times["last"] - times["first"]).total_seconds() if times["last"] else 0
done = rows.filter(status="SUCCESSFUL").count()
print(json.dumps([done, runs.count(), seconds]))
"""


class Site:
    """The site with a backend, on a database of its own."""

    def __init__(self, name: str, folder: Path, url: str) -> None:
        """Write the settings and an app with a task, and make the tables."""
        self.name = name
        self.folder = folder / name
        app = self.folder / "measured"
        app.mkdir(parents=True)
        (app / "__init__.py").touch()
        (app / "tasks.py").write_text(APP, encoding="utf-8")
        apps = [] if name == "secure_django" else [name]
        settings = SETTINGS.format(apps=apps, backend=BACKENDS[name])
        (self.folder / "measured_settings.py").write_text(settings, encoding="utf-8")
        (self.folder / "manage.py").write_text(MANAGE, encoding="utf-8")
        self.environment = production(SITE) | {
            "DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": "measured_settings",
            "MEDIA_ROOT": str(self.folder / "media"),
            "PYTHONPATH": os.pathsep.join(map(str, (self.folder, SITE, *sys.path))),
        }
        self.manage("migrate", "--verbosity", "0")

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py."""
        command = [sys.executable, "-W", "ignore", "manage.py", *arguments]
        return run(self.folder, *command, **self.environment)

    def shell(self, code: str) -> Any:  # noqa: ANN401
        """Run code, and return what its last line has in JSON."""
        text = self.manage("shell", "--verbosity", "0", "--command", code)
        return json.loads(text.splitlines()[-1])

    @contextmanager
    def workers(self) -> Iterator[None]:
        """Run workers, which end at the end."""
        command = [sys.executable, "-W", "ignore", "manage.py", *COMMANDS[self.name]]
        running = [
            subprocess.Popen(
                command,
                cwd=self.folder,
                env=clean_environment() | self.environment,
                stdout=subprocess.DEVNULL,
            )
            for _ in range(WORKERS)
        ]
        try:
            yield
        finally:
            for worker in running:
                worker.send_signal(signal.SIGTERM)
            for worker in running:
                worker.wait(HANG_SECONDS)


def measure(name: str, folder: Path) -> tuple[float, float]:
    """Return the seconds that a backend takes to enqueue and to run the tasks."""
    with running_postgresql() as server:
        site = Site(name, folder, server.create_database())
        enqueuing = site.shell(ENQUEUE)
        with site.workers():
            while True:
                time.sleep(2)
                done, runs, seconds = site.shell(COUNT.format(model=MODELS[name]))
                if done == TASKS:
                    break
        if runs != TASKS:
            sys.exit(f"{name}: {runs} rows of {TASKS} tasks")
    return enqueuing, seconds


def main() -> None:
    """Measure both in turn, and print the best of each."""
    require_packages("postgresql")
    best: dict[str, list[tuple[float, float]]] = {name: [] for name in BACKENDS}
    for _ in range(ROUNDS):
        for name in BACKENDS:
            with tempfile.TemporaryDirectory() as folder:
                best[name].append(measure(name, Path(folder)))
            print(name, best[name][-1], os.getloadavg(), file=sys.stderr)
    rows: list[list[object]] = []
    for index, label in enumerate(("enqueue", "run")):
        own, other = (min(it[index] for it in best[name]) for name in BACKENDS)
        rows.append([label, TASKS / own, TASKS / other, other / own])
    print_table(["10,000 tasks", "a second", "django-tasks-db", "ratio"], rows)


if __name__ == "__main__":
    main()
