"""The recipe of errors in Sentry, applied as written, with a stub of Sentry.

A site in production sends its errors to the stub, among requests full of secrets.
"""

import gzip
import re
import shutil
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support.accounts import CREATE_USERS
from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.images import encode, landscape
from tests.support.live import OWNER, PASSWORD, serve
from tests.support.recipes import Install, Installed, Recipe, marks
from tests.support.services import wait_until

pytestmark = marks("sentry", "sentry-tests")

RECIPES = [Recipe("sentry"), Recipe("sentry-tests")]
PHOTO = encode(landscape(1, (320, 240)))


class ErrorCollector(ThreadingHTTPServer):
    """Receive errors like Sentry; `bodies` holds what was sent, with the headers."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), ErrorHandler)
        self.bodies: list[str] = []

    @property
    def dsn(self) -> str:
        """Return the value of SENTRY_DSN that leads to this server."""
        return f"http://publickey@127.0.0.1:{self.server_port}/1"


class ErrorHandler(BaseHTTPRequestHandler):
    """Record each request of an ErrorCollector."""

    server: ErrorCollector

    def do_POST(self) -> None:
        """Keep the body, and answer as Sentry does."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.bodies.append(f"{self.headers}\n{body.decode()}")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Write nothing."""


@pytest.fixture
def error_collector() -> Iterator[ErrorCollector]:
    """Return a running stub of Sentry."""
    with ErrorCollector() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_sentry_passes_every_check_resists_attacks_and_can_go(
    answers: Answers,
    install: Install,
    error_collector: ErrorCollector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = install(answers)
    with project.following("sentry", *RECIPES):
        if answers == ALL_ON:
            served = copy_to_serve(project, tmp_path / "served")
            with monkeypatch.context() as patch:
                # The site runs with the packages of the project.
                python = project.folder / ".venv" / "bin" / "python"
                patch.setattr(sys, "executable", str(python))
                check_errors_without_values(served, error_collector)


def copy_to_serve(project: Installed, target: Path) -> Path:
    """Return a copy of a project, so that the site leaves nothing in it."""
    unused = shutil.ignore_patterns(".venv", ".*_cache", "__pycache__", "reports")
    return shutil.copytree(project.folder, target, ignore=unused)


def check_errors_without_values(served: Path, error_collector: ErrorCollector) -> None:
    """Let a site fail in three ways, and check what Sentry has received."""

    def sends(error: str) -> bool:
        return any(f'"type":"{error}"' in body for body in error_collector.bodies)

    with serve(served, CREATE_USERS, SENTRY_DSN=error_collector.dsn) as site:
        owner = site.visitor(OWNER)
        assert owner.upload(PHOTO, title="canary-title").status == 302
        photo = site.python("print(Photo.objects.get().pk)").strip()
        media = Path(site.environment["MEDIA_ROOT"])
        (file,) = media.glob(f"photos/*/{photo}-display.jpg")
        file.unlink()
        file.mkdir()
        broken = owner.get(
            f"/photos/{photo}/display/?canary-query=1",
            Referer="https://localhost/canary-referer",
            Canary="canary",
        )
        assert broken.status == 500
        wait_until(lambda: error_collector.bodies, "no error was sent")
        number = broken.headers["X-Request-ID"]
        assert f"this number: {number}" in broken.text
        # An upload whose body, fields and file cannot be stored.
        shutil.rmtree(media)
        media.write_text("", encoding="utf-8")
        upload = owner.upload(PHOTO, name="canary-name.jpg", title="canary-title")
        assert upload.status == 500
        wait_until(lambda: len(error_collector.bodies) > 1, "no error was sent")
        # A command that ends with an error.
        broken_file = served.parent / "canary.sqlite3"
        broken_file.write_text("This is no database.", encoding="utf-8")
        with pytest.raises(AssertionError):
            site.manage("rotate_encryption", DATABASE_URL=f"sqlite:///{broken_file}")
        wait_until(lambda: sends("DatabaseError"), "no error was sent")
    sent = "\n".join(error_collector.bodies)
    errors = ("IsADirectoryError", "NotADirectoryError", "DatabaseError")
    for known in (*errors, number, "views.py"):
        assert known in sent
    names = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "EMAIL_URL", "DATABASE_URL")
    private = [site.environment[name] for name in names]
    private += [morsel.value for morsel in owner.cookies.values()]
    private += ["canary", OWNER, PASSWORD, photo, "127.0.0.1", "Python-urllib"]
    without_host = re.sub(r"(?m)^Host: .*$", "", sent)
    assert not [word for word in private if word in without_host]
