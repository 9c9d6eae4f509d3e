"""A maintainer's whole day by the two READMEs alone: from an empty machine to a site behind nginx, and its evidence."""

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

from tests.baking import ROOT, clean_environment, commit, production, run
from tests.live import ADMIN, PASSWORD, START_SECONDS, Site, certify
from tests.pictures import encode, landscape
from tests.releases import NEXT, RELEASE, change, publish, publish_next
from tests.test_readme import alone, commands, end

ADDRESS = "https://github.com/org/"
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
    """A person's computer: a home folder of its own, and a network on which the template is found at its address."""

    def __init__(self, folder: Path, repositories: Path) -> None:
        """Set it up in a folder."""
        self.home = folder / "home"
        self.home.mkdir()
        config = ["[user]", "name = Ann", "email = ann@example.com", "[init]", "defaultBranch = main"]
        config += [f'[url "{repositories.as_posix()}/"]', f"insteadOf = {ADDRESS}"]
        (self.home / ".gitconfig").write_text("\n".join(config), encoding="utf-8")
        # What uv has downloaded for other tests need not come again.
        cache = subprocess.run(["uv", "cache", "dir"], check=True, capture_output=True, text=True).stdout.strip()
        self.environment = {"HOME": str(self.home), "USERPROFILE": str(self.home), "UV_CACHE_DIR": cache}

    def type(self, folder: Path, line: str, answers: str = "", **environment: str) -> str:
        """Run a line as it stands in a document, and return what it prints; one that fails is an AssertionError."""
        return run(folder, *shlex.split(line, comments=True), typed=answers, **self.environment | environment)


def block(readme: Path, language: str, before: str) -> str:
    """Return the code block of a document that follows these words."""
    _, _, text = readme.read_text(encoding="utf-8").partition(before)
    found = re.search(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, before
    return found[1]


def only(lines: list[str], start: str) -> str:
    """Return the one line that starts so."""
    (line,) = [line for line in lines if line.startswith(start)]
    return line


def generated_for_a_team(machine: Machine, folder: Path) -> Path:
    """Generate without a prompt, by a team's own defaults, and put the result under version control."""
    readme = ROOT / "README.md"
    team = block(readme, "yaml", "**Defaults.**")
    (machine.home / ".cookiecutterrc").write_text(team, encoding="utf-8")
    summary = machine.type(folder, only(commands(readme, "For a team"), "uvx cookiecutter --no-input"))
    for choice in ("The museum's web team", "cloudinary_moderation  no", "auth_app               no", "gitlab"):
        assert choice in summary
    project = folder / "field-notes"
    commit(project, "Start")
    return project


def updated(machine: Machine, project: Path, origin: Path) -> None:
    """Change something, and take the next release."""
    change(project, [("config/settings.py", 'TIME_ZONE = "UTC"', 'TIME_ZONE = "Europe/Zurich"')])
    commit(project, "Move to Zurich")
    lines = commands(project / "README.md", "Updates of the template")
    # The answers that it was made from; the last line takes the commit that stands there.
    machine.type(project, only(lines, "uvx cruft link"), "Field Notes\n" + "\n" * 6 + "n\n" + "\n\n")
    commit(project, "Link")
    publish_next(origin)
    machine.type(project, only(lines, "uvx cruft update"))
    commit(project, f"Take release {NEXT}")
    settings = (project / "config" / "settings.py").read_text(encoding="utf-8")
    assert "Europe/Zurich" in settings
    assert "REPORT_ADDRESS" in settings
    start = only(commands(project / "README.md", "Start"), "uv run poe start")
    with pytest.raises(AssertionError, match="REPORT_ADDRESS: Environment variable not set"):
        machine.type(project, start)
    with (project / ".env").open("a", encoding="utf-8") as env:
        env.write("REPORT_ADDRESS=reports@example.com\n")


def shown(project: Path, report: str) -> None:
    """Read the evidence: every control of SECURITY.md was shown by the run, and none is red."""
    text = (project / "SECURITY.md").read_text(encoding="utf-8")
    provided, _, missing = text.partition("## Not provided")
    controls = set(re.findall(r"^\| (\S+) \| .+ \| `test_", provided, re.MULTILINE))
    _, _, summary = report.partition(" controls =")
    assert f"\n{len(controls)} controls shown\n0 red\n" in summary
    assert f"\n{len(re.findall(r'^[|] V', missing, re.MULTILINE))} not provided" in summary


@contextmanager
def deployed(machine: Machine, project: Path, folder: Path) -> Iterator[Site]:
    """Export a release, start it as its README says, and put nginx with TLS before it."""
    readme, state, release = project / "README.md", folder / "state", folder / "release"
    state.mkdir()
    subprocess.run(["git", "checkout-index", "--all", f"--prefix={release}/"], cwd=project, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = production(release) | {
        "ALLOWED_HOSTS": "localhost",
        # Only since nobody but root may listen at HTTPS's own port.
        "CSRF_TRUSTED_ORIGINS": f"https://localhost:{port}",
        "MEDIA_ROOT": str(state / "media"),
        "REPORT_ADDRESS": "reports@example.com",
        **dict(re.findall(r"^\d\. `([A-Z_]+)=(\d+)`", readme.read_text(encoding="utf-8"), re.MULTILINE)),
    }
    *before, start = commands(readme, "Deploy")[:5]
    for line in before:
        machine.type(release, line, **environment)
    superuser = {"DJANGO_SUPERUSER_EMAIL": ADMIN, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    machine.type(release, "uv run --no-dev python manage.py createsuperuser --no-input", **environment | superuser)

    certificate, tls = certify(state)
    configuration = NGINX.format(
        user="user root;" if os.geteuid() == 0 else "",
        port=port,
        certificate=certificate,
        location=indent(block(readme, "nginx", "For nginx:"), " " * 8),
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
            while not answers(site):
                assert server.poll() is nginx.poll() is None, log.read_text(encoding="utf-8")
                assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
                time.sleep(0.1)
            yield site
        finally:
            try:
                end(nginx)
            finally:
                end(server)


def answers(site: Site) -> bool:
    """Tell whether proxy and server are both there."""
    with suppress(OSError):
        return site.visitor().get("/health/ready/").status == HTTPStatus.OK
    return False


def behaves(site: Site) -> None:
    """Visit the site as people and as somebody who lies about the address that they come from."""
    page = site.visitor().get("/")
    assert page.status == HTTPStatus.OK
    assert page.headers["Strict-Transport-Security"] == "max-age=3600; includeSubDomains"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")

    admin = site.visitor(ADMIN)
    assert admin.upload(encode(landscape(1, (320, 240))), title="First light").status == HTTPStatus.FOUND
    assert "First light" in admin.get("/photos/mine/").text
    assert "First light" in admin.get("/admin/uploads/photo/").text
    assert "First light" not in site.visitor().get("/").text
    # Over the site's limit, within nginx's: the site's own words. Over both: nginx does not pass it on.
    refused, stopped = (admin.upload(bytes(size * 1024**2 + 9999)) for size in (10, 12))
    assert (refused.status, stopped.status) == (HTTPStatus.CONTENT_TOO_LARGE,) * 2
    assert "This file is too large." in refused.text
    assert "nginx" in stopped.text

    form = {"username": ADMIN, "password": "wrong"}
    statuses = []
    for attempt in range(6):
        liar = site.visitor()
        body = {**form, "csrfmiddlewaretoken": liar.token("/accounts/login/")}
        text = "&".join(f"{key}={value}" for key, value in body.items()).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": f"192.0.2.{attempt}"}
        statuses.append(liar.request("POST", "/accounts/login/", text, headers).status)
    assert statuses[-1] == HTTPStatus.TOO_MANY_REQUESTS
    assert HTTPStatus.TOO_MANY_REQUESTS not in statuses[:4]


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run on Windows")
@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
def test_a_maintainers_day_by_the_documents_alone(
    template: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    origin = shutil.copytree(template, tmp_path / "repositories" / "secure-django.git")
    publish(origin)
    machine = Machine(tmp_path, origin.parent)

    project = generated_for_a_team(machine, tmp_path)
    assert f'version = "{RELEASE}"' in (project / "pyproject.toml").read_text(encoding="utf-8")
    updated(machine, project, origin)
    test, _, scan = commands(project / "README.md", "Test, check, scan")
    shown(project, machine.type(project, test))
    report = machine.type(project, scan)
    for name in ("bandit", "leaks", "sbom"):
        assert re.search(rf"^\| {name} +\| passed +\| reports/", report, re.MULTILINE), report
    commit(project, "Lock")
    with alone(tmp_path_factory.getbasetemp().parent), deployed(machine, project, tmp_path) as site:
        behaves(site)
