"""`poe start` runs the site, or says in one sentence why it cannot."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.baking import ALL_OFF, Project, clean_environment
from tests.support.live import HANG_SECONDS
from tests.support.services import wait_until

pytestmark = pytest.mark.tier("whole")

START = [sys.executable, "-m", "secure_django.commands.start"]


def refusal(folder: Path, *arguments: str) -> str:
    """Run the command, which must fail, and return its output."""
    done = subprocess.run(
        [*START, *arguments],
        cwd=folder,
        env=clean_environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr


def test_missing_env_file_is_named(project: Project) -> None:
    folder = project(ALL_OFF)
    (folder / ".env").unlink()
    assert refusal(folder) == (
        "Copy .env.example to .env, set DEBUG=on, "
        "and fill in the variables under Required.\n"
    )


def test_port_in_use_is_named(project: Project) -> None:
    folder = project(ALL_OFF)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert refusal(folder, port) == (
            f"Port {port} is in use, or reserved for the system: "
            "choose another one, as in `uv run poe start 9200`.\n"
        )


def test_port_in_use_at_the_other_address_of_localhost_is_named(
    project: Project,
) -> None:
    folder = project(ALL_OFF)
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server:
        port = str(server.getsockname()[1])
        assert f"Port {port} is in use, or reserved" in refusal(folder, port)


@pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no signal for one group of processes"
)
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_site_runs_on_the_given_port_and_ends_quietly(
    ending: signal.Signals, project: Project
) -> None:
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
    pages = []

    def is_decided() -> bool:
        with suppress(OSError):
            answer = urlopen(f"http://127.0.0.1:{port}/", timeout=HANG_SECONDS)
            pages.append(answer.read().decode())
        return bool(pages) or started.poll() is not None

    wait_until(is_decided, "the site does not start")
    # Ctrl-C reaches all processes, SIGTERM only the first one.
    if ending == signal.SIGINT:
        os.killpg(started.pid, ending)
    else:
        started.send_signal(ending)
    # Wait for every process that can still write.
    output, _ = started.communicate(timeout=HANG_SECONDS)
    assert "<h1>My Secure Site</h1>" in "".join(pages)
    assert "Traceback" not in output
    told = output.index(f"The site:   http://localhost:{port}/")
    assert f"The admin:  http://localhost:{port}/admin/" in output
    assert "Emails are printed in this terminal." in output
    assert told < output.index(f"server at http://localhost:{port}/")
    assert "127.0.0.1" not in output
