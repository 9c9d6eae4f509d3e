"""`poe start` runs the site, or says in one sentence why it cannot."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.baking import ALL_OFF, Project, clean_environment

pytestmark = pytest.mark.slow

START = [sys.executable, "-m", "scripts.start"]


def refusal(folder: Path, *arguments: str) -> str:
    """Run the command, which must fail, and return its output."""
    done = subprocess.run(
        [*START, *arguments], cwd=folder, env=clean_environment(), check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr


def test_missing_env_file_is_named(project: Project) -> None:
    folder = project(ALL_OFF)
    (folder / ".env").unlink()
    assert refusal(folder) == "Copy .env.example to .env, set DEBUG=on, and fill in the variables under Required.\n"


def test_port_in_use_is_named(project: Project) -> None:
    folder = project(ALL_OFF)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        for unusable in (port, "70000", "here", "0.0.0.0 8000", "--port 9200"):
            sentence = f"Port {unusable} is in use or invalid: choose another one, as in `uv run poe start 9200`.\n"
            assert refusal(folder, *unusable.split()) == sentence


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal for one group of processes")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_site_runs_on_the_given_port_and_ends_quietly(ending: signal.Signals, project: Project) -> None:
    folder = project(ALL_OFF)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    started = subprocess.Popen(
        [*START, str(port)],
        cwd=folder,
        env=clean_environment() | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    page, deadline = "", time.monotonic() + 60
    while not page and time.monotonic() < deadline and started.poll() is None:
        with suppress(OSError):
            page = urlopen(f"http://127.0.0.1:{port}/", timeout=5).read().decode()
        time.sleep(0.2)
    # Ctrl-C reaches all processes, SIGTERM only the first one.
    if ending == signal.SIGINT:
        os.killpg(started.pid, ending)
    else:
        started.send_signal(ending)
    output, _ = started.communicate(timeout=30)  # waits for every process that can still write
    assert "<h1>My Secure Site</h1>" in page
    assert "Traceback" not in output
