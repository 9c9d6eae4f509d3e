"""The commands of the emitted README work exactly as written, on a machine with only uv."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, Project, clean_environment, commit, name, run
from tests.support.browsing import Browse, chromium, log_in, publish
from tests.support.live import ADMIN, PASSWORD
from tests.support.readme import commands, development_port, terminate

SUPERUSER = {"DJANGO_SUPERUSER_EMAIL": ADMIN, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}


@contextmanager
def served(project: Path, command: str) -> Iterator[str]:
    """Run the command, and yield the gallery page once the server answers."""
    with (project / "server.log").open("w+", encoding="utf-8") as log:
        server = subprocess.Popen(
            command.split(),
            cwd=project,
            env=clean_environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        try:
            deadline = time.monotonic() + 120
            page = None
            while page is None:
                if server.poll() is not None or time.monotonic() > deadline:
                    pytest.fail((project / "server.log").read_text(encoding="utf-8"))
                with suppress(OSError):
                    page = urlopen("http://localhost:8000/", timeout=5).read().decode()
                time.sleep(0.1)
            yield page
        finally:
            terminate(server)


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_readme_commands_work(
    answers: Answers, project: Project, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    folder = project(answers)
    readme = folder / "README.md"

    admin, start = commands(readme, "Start")
    assert (admin, start) == ("uv run poe admin", "uv run poe start")
    run(folder, *admin.split(), "--no-input", **SUPERUSER)
    with development_port(tmp_path_factory.getbasetemp().parent), served(folder, start) as page:
        assert "<h1>Gallery</h1>" in page
        if answers == ALL_OFF and chromium():  # without Chromium, only the commands are tested
            browse: Browse = request.getfixturevalue("browse")
            staff, visitor = browse("http://localhost:8000"), browse("http://localhost:8000")
            log_in(staff, ADMIN)
            publish(staff, staff, visitor, "First light")

    commit(folder)
    for command in commands(readme, "Test, check, scan"):
        run(folder, *command.split())
    assert "uv.lock" in run(folder, "git", "ls-files").splitlines(), "the README says to commit uv.lock"
    assert run(folder, "git", "status", "--porcelain") == "", "the commands leave untracked files"
