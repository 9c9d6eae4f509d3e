"""nginx with the emitted deploy/nginx.conf and deploy/site.conf, on free ports."""

import http.client
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from tests.support.baking import production, run
from tests.support.live import (
    CREATE_USERS,
    HANG_SECONDS,
    PASSWORD,
    PREPARE,
    STEADY,
    Response,
    Site,
    Visitor,
    gunicorn,
    issue_certificate,
    wait_until_ready,
)
from tests.support.services import free_port, wait_until


@contextmanager
def nginx(
    deploy: Path, folder: Path, certificate: Path, site: str = ""
) -> Iterator[tuple[int, int]]:
    """Run nginx with the emitted files, and yield its ports of HTTP and HTTPS.

    Only ports and paths are changed. `site` is the address of the server behind it, by
    default a socket in the folder on which nothing listens.
    """
    http = free_port()
    https = free_port()
    text = (deploy / "site.conf").read_text(encoding="utf-8")
    for old, new in (
        (r"listen 80;", f"listen 127.0.0.1:{http};"),
        (r"listen 443 ssl;", f"listen 127.0.0.1:{https} ssl;"),
        (r"listen \[::\]:80;", f"listen [::1]:{http};"),
        (r"listen \[::\]:443 ssl;", f"listen [::1]:{https} ssl;"),
        (r"/etc/nginx/tls/\w+\.pem", str(certificate)),
        (r"unix:/run/site/gunicorn.sock", site or f"unix:{folder}/gunicorn.sock"),
        (r"/var/cache/site ", f"{folder}/cache "),
        (r"/var/cache/site-static ", f"{folder}/static "),
        (r"/var/log/nginx/access\.log", f"{folder}/access.log"),
        (r"/srv/error-pages", str(deploy / "error-pages")),
        (r"/etc/nginx/locations", str(deploy / "locations")),
    ):
        text, count = re.subn(old, new, text)
        assert count, old
    (folder / "site.conf").write_text(text, encoding="utf-8")
    main = (deploy / "nginx.conf").read_text(encoding="utf-8")
    main = main.replace("/tmp/", f"{folder}/")  # noqa: S108
    main = main.replace("/dev/stdout", f"{folder}/access.log")
    main = main.replace("stderr error", f"{folder}/error.log error")
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(f"{user}daemon off;\n{main}", encoding="utf-8")
    server = subprocess.Popen(
        ["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "start.log")]
    )
    try:
        # nginx writes it when all ports are open.
        wait_until((folder / "nginx.pid").exists, "nginx does not start")
        yield http, https
    finally:
        server.terminate()
        server.wait()


class ProxiedVisitor(Visitor):
    """A client that names the origin as browsers do when nginx listens on 443."""

    own_headers: ClassVar[dict[str, str]] = {"Referer": "https://localhost/"}


@dataclass
class Neighbor(ProxiedVisitor):
    """A visitor with one of this machine's IP addresses, those of 127.0.0.0/8."""

    ip_address: str = "127.0.0.1"
    posts: int = 0
    own_headers: ClassVar[dict[str, str]] = {
        **ProxiedVisitor.own_headers,
        "Host": "localhost",
    }

    def connection(self) -> http.client.HTTPConnection:
        """Return a new connection from the visitor's IP address."""
        return http.client.HTTPSConnection(
            "127.0.0.1",
            self.site.port,
            timeout=HANG_SECONDS,
            context=self.site.tls,
            source_address=(self.ip_address, 0),
        )

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] = b"",
        headers: dict[str, str] | None = None,
    ) -> Response:
        """Count the forms, those included that are sent again after a 503."""
        self.posts += method == "POST"
        return super().request(method, path, body, headers)

    def log_in(self, number: int) -> int:
        """Log in as one of many people, and return the status."""
        fields = {"login": f"person{number}@example.com", "password": PASSWORD}
        return self.post("/accounts/login/", fields).status


class ProxiedSite(Site):
    """A running project behind the emitted nginx."""

    def visitor(self, email: str = "") -> Visitor:
        """Return a new client, logged in on the log-in page if an email is given."""
        visitor = ProxiedVisitor(self)
        if email:
            fields = {"login": email, "password": PASSWORD}
            answer = visitor.post("/accounts/login/", fields)
            assert answer.status == 302, answer.text
        return visitor


@contextmanager
def serve_behind_nginx(
    project: Path,
    folder: Path,
    setup: str = CREATE_USERS,
    options: tuple[str, ...] = STEADY,
    **changes: str,
) -> Iterator[ProxiedSite]:
    """Serve a project behind the emitted nginx; `setup` is code to run first.

    `options` are those of gunicorn.
    """
    if sys.platform == "win32" or not shutil.which("nginx"):
        pytest.skip("nginx is not installed")
    certificate, tls = issue_certificate(folder)
    environment = production(project) | {
        "ALLOWED_HOSTS": "localhost,other.localhost",
        "MEDIA_ROOT": str(folder / "media"),
        "TRUSTED_PROXY_COUNT": "1",
        # The server knows no port, as in production, where nginx listens on 443.
        "CSRF_TRUSTED_ORIGINS": "https://localhost",
        **changes,
    }
    shell = (sys.executable, "manage.py", "shell", "-v0", "--command")
    run(project, *shell, PREPARE + setup, **environment)
    log = folder / "server.log"
    deploy = project / "deploy"
    with (
        gunicorn(project, environment, log, *options) as (server, port),
        nginx(deploy, folder, certificate, f"127.0.0.1:{port}") as (_, https),
    ):
        url = f"https://localhost:{https}"
        site = ProxiedSite(project, url, environment, tls, server, log)
        wait_until_ready(site)
        yield site
