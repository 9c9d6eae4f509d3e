"""A project on gunicorn with TLS, as in production, and a client with cookies."""

import http.client
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.cookies import SimpleCookie
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlencode, urlsplit

import pytest
import trustme

from tests.support.baking import (
    WITH_GALLERY,
    Project,
    clean_environment,
    production,
    run,
)

type Server = subprocess.Popen[bytes]

PASSWORD = "correct horse battery staple"  # noqa: S105
OWNER = "owner@example.com"
OTHER_USER = "other-user@example.com"
ADMIN = "admin@example.com"
# Browsers open spare connections, each of which holds a thread.
STEADY = ("--threads", "16")
# Far longer than anything takes on a busy machine: it only ends what hangs.
HANG_SECONDS = 300
BUSY = 503
# A link to the page of a photo of the gallery.
PAGE_OF_PHOTO = re.compile(r'href="(/photos/[0-9a-f-]{36}/)"')

PREPARE = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)
"""
# A busy machine decodes the same photos as an idle one, only later.
PATIENT = f"""
from secure_django.photos import images
images.WALL_SECONDS = {HANG_SECONDS}
GRACE_SECONDS = {HANG_SECONDS}
"""
CREATE_USERS = f"""
for email in ("{OWNER}", "{OTHER_USER}"):
    User.objects.create_user(email, "{PASSWORD}")
User.objects.create_superuser("{ADMIN}", "{PASSWORD}")
"""


@dataclass(frozen=True)
class Response:
    """An HTTP response with its whole body."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        """Return the body, decoded as UTF-8."""
        return self.body.decode()

    @property
    def location(self) -> str:
        """Return the URL of a redirect, or an empty string."""
        return self.headers.get("Location", "")


@dataclass(frozen=True)
class Site:
    """A running project: its folder, its URL, and the environment of its server."""

    project: Path
    url: str
    environment: dict[str, str]
    tls: ssl.SSLContext
    server: Server
    log: Path

    @property
    def port(self) -> int:
        """Return the port of the URL."""
        return urlsplit(self.url).port or 443

    def manage(self, *arguments: str, **environment: str) -> str:
        """Run a management command and return its output."""
        return run(
            self.project,
            sys.executable,
            "manage.py",
            *arguments,
            **self.environment | environment,
        )

    def python(self, code: str) -> str:
        """Run code in the project's shell, with the models; return its output."""
        return self.manage("shell", "--verbosity", "0", "--command", code)

    def visitor(self, email: str = "") -> "Visitor":
        """Return a new client, logged in on the log-in page if an email is given."""
        visitor = Visitor(self)
        if email:
            response = visitor.post(
                "/accounts/login/", {"login": email, "password": PASSWORD}
            )
            assert response.status == 302, response.text
        return visitor

    def workers(self) -> list[int]:
        """Return the process IDs of the server's workers (Linux only)."""
        pid = self.server.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        return [int(child) for child in children.read_text(encoding="ascii").split()]


@dataclass
class Visitor:
    """An HTTP client that keeps cookies and does not follow redirects."""

    site: Site
    cookies: SimpleCookie = field(default_factory=SimpleCookie)
    own_headers: ClassVar[dict[str, str]] = {}

    def connection(self) -> http.client.HTTPConnection:
        """Return a new connection to the site."""
        return http.client.HTTPSConnection(
            "localhost", self.site.port, timeout=HANG_SECONDS, context=self.site.tls
        )

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] = b"",
        headers: dict[str, str] | None = None,
    ) -> Response:
        """Send a request over a new connection; `headers` override the client's own.

        While other forms of the account pages have their turn, send it again, as the
        site asks.
        """
        sent_headers = {"Referer": self.site.url + path, **self.own_headers}
        if self.cookies:
            pairs = [f"{name}={cookie.value}" for name, cookie in self.cookies.items()]
            sent_headers["Cookie"] = "; ".join(pairs)
        sent_headers |= headers or {}
        with closing(self.connection()) as connection:
            connection.request(method, path, body or None, sent_headers)
            received = connection.getresponse()
            response = Response(received.status, received.headers, received.read())
        retry_after = response.headers.get("Retry-After", "")
        is_form_page = path.startswith("/accounts/")
        if response.status == BUSY and is_form_page and retry_after:
            time.sleep(int(retry_after))
            return self.request(method, path, body, headers)
        for cookie in response.headers.get_all("Set-Cookie", []):
            self.cookies.load(cookie)
        return response

    def get(self, path: str, **headers: str) -> Response:
        """Send a GET request."""
        return self.request("GET", path, headers=headers)

    def post(self, path: str, fields: dict[str, str], page: str = "") -> Response:
        """Send a form with the CSRF token of `page`, by default that of `path`."""
        token = self.token(page or path)
        body = urlencode({"csrfmiddlewaretoken": token} | fields)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.request("POST", path, body.encode(), headers)

    def upload(
        self,
        content: bytes,
        name: str = "photo.jpg",
        title: str = "A photo",
        token: str = "",
    ) -> Response:
        """Send a file through the upload form; the header holds `name` unescaped."""
        boundary = secrets.token_hex(16)
        page = "/photos/upload/"
        fields = {"csrfmiddlewaretoken": token or self.token(page), "title": title}
        fields["number"] = boundary  # or the same form, sent twice, would count once
        start = f"--{boundary}\r\nContent-Disposition: form-data; name="
        texts = [f'{start}"{key}"\r\n\r\n{text}\r\n' for key, text in fields.items()]
        texts.append(f'{start}"photo"; filename="{name}"\r\n')
        texts.append("Content-Type: image/jpeg\r\n\r\n")
        before = "".join(texts).encode(errors="surrogateescape")
        body = before + content + f"\r\n--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.request("POST", page, body, headers)

    def token(self, page: str) -> str:
        """Return the CSRF token of the form on a page."""
        html = self.get(page).text
        match = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', html)
        assert match, f"no form at {page}"
        return match[1]


@contextmanager
def gunicorn(
    project: Path, environment: dict[str, str], log: Path, *options: str
) -> Iterator[tuple[Server, int]]:
    """Run gunicorn with the project's configuration; yield the process and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
        address = f"fd://{listener.fileno()}"
        command = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", address]
        server = subprocess.Popen(
            [*command, *options],
            cwd=project,
            env=clean_environment() | environment,
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield server, listener.getsockname()[1]
        finally:
            server.terminate()
            try:
                server.wait(HANG_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def issue_certificate(
    folder: Path, *names: str, authority: trustme.CA | None = None
) -> tuple[Path, ssl.SSLContext]:
    """Write a key and a certificate for this machine in one file.

    Return the file and an SSL context that trusts the certificate, which is of a new
    authority by default.
    """
    authority = authority or trustme.CA()
    certificate = folder / "certificate.pem"
    issued = authority.issue_cert("localhost", "127.0.0.1", "example.com", *names)
    issued.private_key_and_cert_chain_pem.write_to_path(certificate)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    return certificate, tls


@contextmanager
def serve(project: Path, setup: str = CREATE_USERS, **changes: str) -> Iterator[Site]:
    """Serve a project with TLS.

    `setup` is code to run in it first, `changes` are environment variables.
    """
    if sys.platform == "win32":
        pytest.skip("gunicorn does not run on Windows")
    if sys.platform != "linux":
        # Nothing confines the decoder there. Tests of the decoder need Linux.
        with (project / "config" / "settings.py").open("a", encoding="utf-8") as file:
            file.write("\nDECODER_MAY_BE_UNCONFINED = True\n")
    state = project.parent / "state"
    state.mkdir()
    certificate, tls = issue_certificate(state)
    log = state / "server.log"
    environment = production(project) | {
        "ALLOWED_HOSTS": "localhost",
        "MEDIA_ROOT": str(state / "media"),
        "UPLOADS_PER_HOUR": "1000",
        "UPLOAD_DECODE_SECONDS": "100000",
        "WEB_CONCURRENCY": "1",
        **changes,
    }
    shell = (sys.executable, "manage.py", "shell", "-v0", "--command")
    run(project, *shell, PREPARE + setup, **environment)
    options = ("--certfile", str(certificate), *STEADY)
    with gunicorn(project, environment, log, *options) as (server, port):
        site = Site(project, f"https://localhost:{port}", environment, tls, server, log)
        wait_until_ready(site)
        yield site


@contextmanager
def working(site: Site) -> Iterator[Server]:
    """Run a worker beside a site: it sends the emails."""
    with (site.log.with_name("worker.log")).open("ab") as log:
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "worker"],
            cwd=site.project,
            env=clean_environment() | site.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield worker
        finally:
            worker.terminate()
            try:
                worker.wait(HANG_SECONDS)
            finally:
                worker.kill()


def wait_until_ready(site: Site) -> None:
    """Wait until the server answers; fail with its log if it ends or takes too long."""
    deadline = time.monotonic() + HANG_SECONDS
    while site.server.poll() is None and time.monotonic() < deadline:
        try:
            site.visitor().get("/health/live/")
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the server did not start:\n{site.log.read_text(encoding='utf-8')}")


@pytest.fixture(scope="session")
def site(pristine: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a running project with the gallery alone; tests may only add data."""
    folder = tmp_path_factory.mktemp("live") / "my-secure-site"
    shutil.copytree(pristine(WITH_GALLERY), folder)
    with (folder / "config" / "settings.py").open("a", encoding="utf-8") as settings:
        settings.write(PATIENT)
    with serve(folder) as served:
        yield served
