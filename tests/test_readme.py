"""The emitted README's own commands work, typed exactly, on a machine that has only uv."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.baking import ALL_OFF, ALL_ON, Answers, Project, clean_environment, commit, name, run
from tests.browsing import Browse, chromium, log_in, publish
from tests.live import ADMIN, PASSWORD

ADMINISTRATOR = {"DJANGO_SUPERUSER_EMAIL": ADMIN, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}


def commands(readme: Path, section: str) -> list[str]:
    """Return the lines of the shell blocks below a heading of the README."""
    text = readme.read_text(encoding="utf-8")
    match = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, f"no section {section}"
    return [
        line
        for block in re.findall(r"^```sh\n(.*?)^```", match[1], re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the development server's port, which workers share."""
    lock = folder / "port"
    while True:
        try:
            lock.mkdir()
            break
        except FileExistsError:
            time.sleep(0.1)
    try:
        yield
    finally:
        lock.rmdir()


def end(server: subprocess.Popen[Any]) -> None:
    """End a command and all that it has started."""
    if os.name == "posix":
        os.killpg(server.pid, signal.SIGTERM)
    else:
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(server.pid)], check=True)
    server.wait(timeout=20)


@contextmanager
def served(project: Path, command: str) -> Iterator[str]:
    """Run the command until its block ends, and return the gallery as the first visitor got it."""
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
            end(server)


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_readme_leads_from_nothing_to_a_checked_project(
    answers: Answers, project: Project, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    folder = project(answers)
    readme = folder / "README.md"

    start, superuser = commands(readme, "Start")
    assert start == "uv run poe start"
    with alone(tmp_path_factory.getbasetemp().parent), served(folder, start) as page:
        assert "<h1>Gallery</h1>" in page
        assert superuser == "uv run python manage.py createsuperuser"
        run(folder, *superuser.split(), "--no-input", **ADMINISTRATOR)
        if answers == ALL_OFF and chromium():  # without it, the commands below are still tried
            browse: Browse = request.getfixturevalue("browse")
            staff, anybody = browse("http://localhost:8000"), browse("http://localhost:8000")
            log_in(staff, ADMIN)
            publish(staff, staff, anybody, "First light")

    commit(folder)
    for command in commands(readme, "Test, check, scan"):
        run(folder, *command.split())
    assert "uv.lock" in run(folder, "git", "ls-files").splitlines(), "the README says to commit it"
    assert run(folder, "git", "status", "--porcelain") == "", "no command leaves anything that git would track"
