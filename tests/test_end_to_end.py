"""The commands of all documents in order: generate, update, test, scan, and deploy behind nginx."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from textwrap import indent

import pytest

from tests.support.baking import ROOT, clean_environment, commit, production, run
from tests.support.images import encode, landscape
from tests.support.live import ADMIN, PASSWORD, START_SECONDS, Site, issue_certificate
from tests.support.readme import commands, development_port, terminate
from tests.support.releases import NEXT, RELEASE, change, publish, publish_next

TEMPLATE_URL = "https://github.com/org/"
NGINX = """
{user}
pid nginx.pid;
error_log nginx.log;
daemon off;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
{location}
    }}
}}
"""


class Machine:
    """A computer with a home folder of its own, on which Git finds the template at its URL."""

    def __init__(self, folder: Path, repositories: Path) -> None:
        """Create the home folder; `repositories` contains the template."""
        self.home = folder / "home"
        self.home.mkdir()
        config = ["[user]", "name = Ann", "email = ann@example.com", "[init]", "defaultBranch = main"]
        config += [f'[url "{repositories.as_posix()}/"]', f"insteadOf = {TEMPLATE_URL}"]
        (self.home / ".gitconfig").write_text("\n".join(config), encoding="utf-8")
        # Share uv's cache with the other tests, to download packages once.
        cache = subprocess.run(["uv", "cache", "dir"], check=True, capture_output=True, text=True).stdout.strip()
        self.environment = {"HOME": str(self.home), "USERPROFILE": str(self.home), "UV_CACHE_DIR": cache}

    def run(self, folder: Path, line: str, answers: str = "", **environment: str) -> str:
        """Run a command line of a document and return its output; a failure raises AssertionError."""
        return run(folder, *shlex.split(line, comments=True), typed=answers, **self.environment | environment)


def block(readme: Path, language: str, before: str) -> str:
    """Return the first code block of a language after the text `before`."""
    _, _, text = readme.read_text(encoding="utf-8").partition(before)
    found = re.search(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, before
    return found[1]


def only(lines: list[str], start: str) -> str:
    """Return the only line with this start."""
    (line,) = [line for line in lines if line.startswith(start)]
    return line


def generate_for_a_team(machine: Machine, folder: Path) -> Path:
    """Generate a project without prompts, with a team's defaults, and commit it."""
    readme = ROOT / "README.md"
    team = block(readme, "yaml", "**Defaults.**")
    (machine.home / ".cookiecutterrc").write_text(team, encoding="utf-8")
    summary = machine.run(folder, only(commands(readme, "For a team"), "uvx cookiecutter --no-input"))
    for choice in ("The museum's web team", "cloudinary_moderation  no", "auth_app               no", "gitlab"):
        assert choice in summary
    project = folder / "field-notes"
    commit(project, "Start")
    return project


def update(machine: Machine, project: Path, origin: Path) -> None:
    """Edit the project, and update it to the next release."""
    change(project, [("config/settings.py", 'TIME_ZONE = "UTC"', 'TIME_ZONE = "Europe/Zurich"')])
    commit(project, "Move to Zurich")
    guide = project / "docs" / "updating.md"
    # The answers of the project; the last line accepts the commit that cruft suggests.
    machine.run(
        project,
        only(commands(guide, "Link the project once"), "uvx cruft link"),
        "Field Notes\n" + "\n" * 6 + "n\n" + "\n\n",
    )
    commit(project, "Link")
    publish_next(origin)
    machine.run(project, only(commands(guide, "Take a release"), "uvx cruft update"))
    commit(project, f"Take release {NEXT}")
    settings = (project / "config" / "settings.py").read_text(encoding="utf-8")
    assert "Europe/Zurich" in settings
    assert "REPORT_EMAIL" in settings
    start = only(commands(project / "README.md", "Start"), "uv run poe start")
    with pytest.raises(AssertionError, match="REPORT_EMAIL: Environment variable not set"):
        machine.run(project, start)
    with (project / ".env").open("a", encoding="utf-8") as env:
        env.write("REPORT_EMAIL=reports@example.com\n")


def check_evidence(project: Path, report: str) -> None:
    """Check that the tests showed every control of SECURITY.md, and that none failed."""
    documents = [project / "SECURITY.md", *project.glob("[a-z]*/**/SECURITY.md")]
    parts = [document.read_text(encoding="utf-8").partition("## Not provided") for document in documents]
    provided = "".join(before for before, _, _ in parts)
    missing = "".join(after for _, _, after in parts)
    controls = set(re.findall(r"^\| (\S+) \| .+ \| `test_", provided, re.MULTILINE))
    _, _, summary = report.partition(" controls =")
    assert f"\n{len(controls)} controls shown\n0 red\n" in summary
    assert f"\n{len(re.findall(r'^[|] V', missing, re.MULTILINE))} not provided" in summary


@contextmanager
def deploy(machine: Machine, project: Path, folder: Path) -> Iterator[Site]:
    """Export a release, start it as docs/deployment.md says, and run nginx with TLS in front of it."""
    guide, state, release = project / "docs" / "deployment.md", folder / "state", folder / "release"
    state.mkdir()
    subprocess.run(["git", "checkout-index", "--all", f"--prefix={release}/"], cwd=project, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = production(release) | {
        "ALLOWED_HOSTS": "localhost",
        # Needed since only root may listen on port 443.
        "CSRF_TRUSTED_ORIGINS": f"https://localhost:{port}",
        "MEDIA_ROOT": str(state / "media"),
        "REPORT_EMAIL": "reports@example.com",
        **dict(re.findall(r"^\d\. `([A-Z_]+)=(\d+)`", guide.read_text(encoding="utf-8"), re.MULTILINE)),
    }
    *before, start = commands(guide, "Releases")
    for line in before:
        machine.run(release, line, **environment)
    superuser = {"DJANGO_SUPERUSER_EMAIL": ADMIN, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    machine.run(release, "uv run --no-dev python manage.py createsuperuser --no-input", **environment | superuser)

    certificate, tls = issue_certificate(state)
    configuration = NGINX.format(
        user="user root;" if os.geteuid() == 0 else "",
        port=port,
        certificate=certificate,
        location=indent(block(guide, "nginx", "For nginx:"), " " * 8),
    )
    (state / "nginx.conf").write_text(configuration, encoding="utf-8")
    log = state / "server.log"
    with log.open("wb") as output:
        server, nginx = (
            subprocess.Popen(
                command,
                cwd=release,
                env=clean_environment() | machine.environment | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            for command in (start.split(), ["nginx", "-p", str(state), "-c", "nginx.conf", "-e", "nginx.log"])
        )
        try:
            site = Site(release, f"https://localhost:{port}", environment, tls, server, log)
            deadline = time.monotonic() + START_SECONDS
            while not is_ready(site):
                assert server.poll() is nginx.poll() is None, log.read_text(encoding="utf-8")
                assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
                time.sleep(0.1)
            yield site
        finally:
            try:
                terminate(nginx)
            finally:
                terminate(server)


def is_ready(site: Site) -> bool:
    """Tell whether the proxy and the server both respond."""
    with suppress(OSError):
        return site.visitor().get("/health/ready/").status == HTTPStatus.OK
    return False


def check_behaviour(site: Site) -> None:
    """Check headers, uploads, size limits, and the lock-out despite spoofed IP addresses."""
    page = site.visitor().get("/")
    assert page.status == HTTPStatus.OK
    assert page.headers["Strict-Transport-Security"] == "max-age=3600; includeSubDomains"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")

    admin = site.visitor(ADMIN)
    assert admin.upload(encode(landscape(1, (320, 240))), title="First light").status == HTTPStatus.FOUND
    assert "First light" in admin.get("/photos/mine/").text
    assert "First light" in admin.get("/admin/uploads/photo/").text
    assert "First light" not in site.visitor().get("/").text
    # The site rejects a file above its own limit; nginx rejects a body above its higher limit.
    by_site, by_nginx = (admin.upload(bytes(size * 1024**2 + 9999)) for size in (10, 12))
    assert (by_site.status, by_nginx.status) == (HTTPStatus.CONTENT_TOO_LARGE,) * 2
    assert "This file is too large." in by_site.text
    assert "nginx" in by_nginx.text

    form = {"login": ADMIN, "password": "wrong"}
    blocked = []
    for attempt in range(6):
        visitor = site.visitor()
        body = {**form, "csrfmiddlewaretoken": visitor.token("/accounts/login/")}
        text = "&".join(f"{key}={value}" for key, value in body.items()).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": f"192.0.2.{attempt}"}
        response = visitor.request("POST", "/accounts/login/", text, headers)
        blocked.append("Too many failed login attempts" in response.text)
    assert blocked == [False] * 5 + [True]


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run on Windows")
@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
def test_documents_lead_from_generation_to_deployment(
    template: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    origin = shutil.copytree(template, tmp_path / "repositories" / "secure-django.git")
    publish(origin)
    machine = Machine(tmp_path, origin.parent)

    project = generate_for_a_team(machine, tmp_path)
    assert f'version = "{RELEASE}"' in (project / "pyproject.toml").read_text(encoding="utf-8")
    update(machine, project, origin)
    test, _, scan = commands(project / "README.md", "Test, check, scan")
    check_evidence(project, machine.run(project, test))
    report = machine.run(project, scan)
    for name in ("bandit", "leaks", "sbom"):
        assert re.search(rf"^\| {name} +\| passed +\| reports/", report, re.MULTILINE), report
    commit(project, "Lock")
    with development_port(tmp_path_factory.getbasetemp().parent), deploy(machine, project, tmp_path) as site:
        check_behaviour(site)
