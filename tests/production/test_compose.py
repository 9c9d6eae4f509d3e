"""The image and compose.yaml: hardened as written, and run for real.

The run goes from an empty machine to a restored backup.
"""

import json
import os
import re
import secrets
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
import yaml

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    COMBINATIONS,
    ROOT,
    WITH_GALLERY,
    Answers,
    Project,
    commit,
    name,
    run,
)
from tests.support.containers import (
    PORT_TIMEOUT,
    Engine,
    engine,
    https_port,
    remove_digests,
)
from tests.support.images import encode, landscape
from tests.support.live import ADMIN, PASSWORD, Site, issue_certificate
from tests.support.postgresql import Database
from tests.support.publishing import is_published, publish
from tests.support.readme import section
from tests.support.releases import VENDOR
from tests.support.services import wait_until

pytestmark = pytest.mark.tier("whole")

DOCUMENT = Path("docs") / "containers.md"
posix = pytest.mark.skipif(os.name != "posix", reason="servers use Linux")
SUPERUSER = f"python manage.py createsuperuser --no-input --email {ADMIN}"
# What a process of a container may do: its user, its capabilities, and whether it can
# write to its root.
RIGHTS = """
import os
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\\t") for line in lines)
print(os.getuid(), status["CapBnd"], status["NoNewPrivs"])
for path in ("/app/x", "/venv/x", "/etc/x", "/x"):
    try:
        open(path, "w")
    except OSError:
        continue
    print("could write", path)
"""
# A column that the release before need not know.
# A release brings it with the package.
MIGRATIONS = "src/secure_django/migrations"
NEWEST = max(path.stem for path in (ROOT / MIGRATIONS).glob("0*.py"))
NOTE = f"{VENDOR}/{MIGRATIONS}/9999_note.py"
MIGRATION = f"""
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("secure_django", "{NEWEST}")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE secure_django_mail ADD note text NOT NULL DEFAULT ''"
        )
    ]
"""
SECRETS = {
    "database_password",
    "database_url",
    "email_url",
    "field_encryption_keys",
    "restic_password",
    "restic_repository",
    "secret_key",
}
FALLBACKS = "from config import settings; print(*settings.SECRET_KEY_FALLBACKS)"


def secrets_of(project: Path) -> None:
    """Make the project's secrets, as docs/containers.md says."""
    mail, cloud = (
        "submission://user:password@mail.example.com",
        "cloudinary://1234:secret@example",
    )
    run(project, "deploy/make-secrets", EMAIL_URL=mail, CLOUDINARY_URL=cloud)


@posix
@pytest.mark.parametrize(
    "answers",
    [
        it
        for it in COMBINATIONS
        if (it["ci_scanning"], it["deployment"]) == ("none", "server")
    ],
    ids=name,
)
def test_compose_file_is_valid_and_hardened(answers: Answers, project: Project) -> None:
    folder = project(answers)
    secrets_of(folder)
    run(
        folder,
        "check-jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        "compose.yaml",
    )
    if shutil.which("docker-compose"):  # it also finds names that nothing defines
        command = ("--profile=backup", "config", "--format", "json")
        config = json.loads(run(folder, "docker-compose", *command))
    else:
        config = yaml.safe_load((folder / "compose.yaml").read_text(encoding="utf-8"))
    services: dict[str, Any] = config["services"]
    assert set(services) == {
        "proxy",
        "site",
        "worker",
        "migrate",
        "database",
        "restic",
    }
    for key, service in services.items():
        assert service["read_only"], key
        assert service["cap_drop"] == ["ALL"], key
        assert service["security_opt"] == ["no-new-privileges:true"], key
        assert service["logging"]["options"]["max-size"], key
        assert service["mem_limit"], key
        once = key in {"migrate", "restic"}
        assert service["restart"] == ("no" if once else "unless-stopped")
        own = key in {"site", "worker", "migrate"}
        assert re.fullmatch(
            "my-secure-site:.*latest.*" if own else r"[\w/]+:\d.*", service["image"]
        ), key
        assert ("ports" in service) == (key == "proxy")
    assert set(services["proxy"]["networks"]).isdisjoint(services["site"]["networks"])
    assert (
        set(services["migrate"]["networks"])
        == set(services["database"]["networks"])
        == {"inside"}
    )
    assert config["networks"]["inside"]["internal"]
    assert config["networks"]["edge"]["enable_ipv6"], (
        "or all visitors by IPv6 have the IP address of Docker"
    )
    modes = {
        path.name: path.stat().st_mode & 0o777
        for path in [folder / "secrets", *(folder / "secrets").iterdir()]
    }
    assert modes.pop("secrets") == 0o700
    assert modes.pop("tls") == 0o755
    assert set(modes.values()) == {0o444}
    assert {Path(secret["file"]).name for secret in config["secrets"].values()} == set(
        modes
    )


@posix
def test_kept_secrets_are_readable_only_in_their_folder(project: Project) -> None:
    folder = project(ALL_OFF)
    (folder / "secrets").mkdir(mode=0o755)
    kept = folder / "secrets" / "secret_key"
    kept.write_text("kept", encoding="utf-8")
    kept.chmod(0o600)
    secrets_of(folder)
    assert kept.read_text(encoding="utf-8") == "kept"
    assert (kept.parent.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (
        0o700,
        0o444,
    )


@pytest.mark.skipif(
    not shutil.which("docker-compose"), reason="docker-compose is not installed"
)
def test_commands_of_the_document_exist(pristine: Project) -> None:
    text = (pristine(ALL_OFF) / DOCUMENT).read_text(encoding="utf-8")
    found = re.findall(r"docker compose (\w+)([^`\n]*)", text)
    assert len(found) > 5
    for command, options in found:
        # It stops at an unknown option.
        run(Path.cwd(), "docker-compose", command, "--help", *options.split())


@posix
def test_secrets_are_never_overwritten(project: Project) -> None:
    folder = project(ALL_ON)
    secrets_of(folder)
    before = {
        path: path.read_bytes()
        for path in (folder / "secrets").rglob("*")
        if path.is_file()
    }
    (folder / "secrets" / "secret_key").unlink()
    secrets_of(folder)
    after = {
        path: path.read_bytes()
        for path in (folder / "secrets").rglob("*")
        if path.is_file()
    }
    assert [path.name for path in before if before[path] != after[path]] == [
        "secret_key"
    ]
    (folder / "secrets" / "email_url").unlink()
    with pytest.raises(AssertionError, match="EMAIL_URL"):
        run(folder, "deploy/make-secrets")  # no answer makes no file
    assert not (folder / "secrets" / "email_url").exists()


@posix
def test_certificate_that_failed_is_made_by_the_next_run(
    project: Project, tmp_path: Path
) -> None:
    folder = project(ALL_OFF)
    fails_at_req = tmp_path / "openssl"
    fails_at_req.write_text(
        f'#!/bin/sh\n[ "$1" != req ] && {shutil.which("openssl")} "$@"\n',
        encoding="utf-8",
    )
    fails_at_req.chmod(0o755)
    mail = "submission://user:password@mail.example.com"
    with pytest.raises(AssertionError):
        run(
            folder,
            "deploy/make-secrets",
            EMAIL_URL=mail,
            PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        )
    secrets_of(folder)
    names = {path.name for path in (folder / "secrets").rglob("*.pem")}
    assert names == {"fullchain.pem", "privkey.pem"}
    assert not (folder / "secrets" / "tls.new").exists()


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_dockerfile_has_no_findings(answers: Answers, pristine: Project) -> None:
    run(pristine(answers), "hadolint", "Dockerfile")


def test_role_of_the_site_may_create_databases_and_nothing_else(
    postgresql: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql()
    name, role = url.rpartition("/")[2], f"role{secrets.token_hex(4)}"
    text = (project(ALL_OFF) / "deploy" / "database.sql").read_text(encoding="utf-8")
    for old, new in (
        ("ROLE site", f"ROLE {role}"),
        ("DATABASE site", f"DATABASE {name}"),
        ("TO site", f"TO {role}"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    password = "it's \\ secret"  # noqa: S105
    with psycopg.connect(url, autocommit=True) as server:
        if not server.execute(
            "SELECT 1 FROM pg_roles WHERE rolname = 'postgres'"
        ).fetchone():
            server.execute("CREATE ROLE postgres SUPERUSER LOGIN PASSWORD 'a'")
        monkeypatch.setenv("POSTGRES_PASSWORD", password)
        psql = ["psql", "--set=ON_ERROR_STOP=1", "--no-psqlrc", f"--dbname={url}"]
        subprocess.run(psql, input=text, text=True, check=True)
        roles = (
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolpassword LIKE 'SCRAM%%' "
            "FROM pg_authid WHERE rolname = %s"
        )
        assert server.execute(roles, [role]).fetchone() == (False, False, True, True)
        assert server.execute(roles, ["postgres"]).fetchone() == (
            True,
            False,
            False,
            None,
        )
    with psycopg.connect(url, user=role, password=password, autocommit=True) as site:
        # What a restore does.
        site.execute(f"CREATE DATABASE {role} TEMPLATE template0")
        site.execute(f"DROP DATABASE {role}")
        site.execute("CREATE TABLE photo (id int)")
        for attack in (
            "COPY photo FROM PROGRAM 'echo 1'",
            "CREATE ROLE other",
            "COPY photo TO '/tmp/photo'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                site.execute(attack)


def check_image(podman: Engine, project: Path, image: str) -> None:
    """Check what the image holds, and what its processes may do."""
    files = podman.run(
        project, "podman", "run", "--rm", image, "find", "/app", "/venv", "-type", "f"
    )
    found = set(files.splitlines())
    assert {
        "/app/manage.py",
        "/app/staticfiles/staticfiles.json",
        "/venv/bin/gunicorn",
    } <= found
    for folder in ("config", f"{VENDOR}/src/secure_django"):
        compiled = f"/app/{folder}/__pycache__/"
        assert any(path.startswith(compiled) for path in found)
    unwanted = (
        "/tests/",
        "/.env",
        "/.git/",
        "/app/secrets/",
        "/app/scans/",
        "/app/deploy/",
        "/conftest.py",
    )
    assert not [
        path
        for path in found
        if path.startswith("/app/") and any(part in path for part in unwanted)
    ]
    assert not [
        path
        for path in found
        if "/site-packages/pytest/" in path or "/bin/ruff" in path
    ]
    writable = podman.run(
        project, "podman", "run", "--rm", image, "find", "/app", "/venv", "-writable"
    )
    assert not [path for path in writable.splitlines() if "/" in path]
    for service in ("site", "worker"):
        rights = podman.compose(project, "exec", "-T", service, "python", "-c", RIGHTS)
        assert rights.split() == ["10001", "0" * 16, "1"]


def check_proxy(site: Site) -> None:
    """Check the limits, the headers and the redirect of the proxy."""
    visitor = site.visitor(ADMIN)
    too_large = visitor.upload(bytes(11 * 1024**2))
    assert "This file is too large." in too_large.text, "the site's own page"
    page = site.visitor().get(
        "/", **{"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http"}
    )
    assert page.status == 200
    assert len(page.headers.get_all("Content-Security-Policy", [])) == 1
    assert page.headers["Strict-Transport-Security"].startswith("max-age=3600")
    assert page.headers["Server"] == "nginx"


def check_spoofed_address(site: Site) -> None:
    """Check that an attacker who invents IP addresses is limited like any other."""
    visitor = site.visitor()
    page = "/accounts/password/reset/"
    token = visitor.token(page)
    statuses: list[int] = []
    for attempt in range(22):  # twenty in a minute
        fields = {"csrfmiddlewaretoken": token, "email": f"a{attempt}@example.com"}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Forwarded-For": f"192.0.2.{attempt}",
        }
        body = urlencode(fields).encode()
        statuses.append(visitor.request("POST", page, body, headers).status)
    assert statuses == [302] * 20 + [429] * 2


class Commands:
    """The commands of docs/containers.md, on this machine with podman.

    Run as they are written, except for what a machine with a domain, a registry and a
    person has:
    - /srv and /etc/cron.d are folders of the test; the push goes to the
      first one, not over SSH.
    - apt-get and certbot are programs of the test. certbot gives the hook a
      certificate, as the real one does.
    - `docker` is podman. `docker compose build` takes stand-ins for the base images,
      and `pull` nothing.
    - curl finds the domain on this machine, and trusts the authority of the test.
    - What a person is asked for, an email URL and an administrator, is in the
      environment.
    """

    def __init__(
        self, podman: Engine, project: Path, folder: Path, certificate: Path
    ) -> None:
        """Make the programs and the folders."""
        self.podman, self.project, self.root = podman, project, folder / "root"
        self.site = self.root / "srv" / "my-secure-site"
        for path in ("srv", "etc/cron.d", "lineage"):
            (self.root / path).mkdir(parents=True)
        for file in ("fullchain.pem", "privkey.pem"):
            shutil.copy(certificate, self.root / "lineage" / file)
        hook = (
            f'[ "$7" = --deploy-hook ] && RENEWED_LINEAGE={self.root}/lineage exec "$8"'
        )
        for program, line in (("apt-get", "exit 0"), ("certbot", hook)):
            (podman.folder / program).write_text(
                f"#!/bin/sh\n{line}\n", encoding="utf-8"
            )
            (podman.folder / program).chmod(0o755)
        trusted = (
            f'connect-to = "::localhost:"\ncacert = "{folder / "authority.pem"}"\n'
        )
        (self.root / ".curlrc").write_text(trusted, encoding="utf-8")

    def blocks(self, heading: str) -> list[str]:
        """Return the shell blocks below a heading."""
        text = section(self.project / DOCUMENT, heading)
        return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)

    def run(self, lines: str) -> str:
        """Run lines of the document, and return what they print."""
        lines = re.sub("/(?=(srv|etc/cron.d)/)", f"{self.root}/", lines)
        account = (
            f"-T -e DJANGO_SUPERUSER_EMAIL={ADMIN} "
            f"-e 'DJANGO_SUPERUSER_PASSWORD={PASSWORD}'"
        )
        lines = lines.replace(
            "exec site python manage.py createsuperuser",
            f"exec {account} site {SUPERUSER}",
        )
        mail = "EMAIL_URL=submission://user:password@mail.example.com"
        folder = self.site if self.site.exists() else self.root
        shell = (
            "env",
            f"CURL_HOME={self.root}",
            mail,
            "bash",
            "-euo",
            "pipefail",
            "-c",
            lines,
        )
        return self.podman.run(folder, *shell, seconds=900)

    def push(self, target: str = "main") -> None:
        """Commit the project, and push it as from a developer's machine."""
        commit(self.project)
        repository = str(self.root / "srv" / "my-secure-site.git")
        run(self.project, "git", "push", "--quiet", "-f", repository, f"HEAD:{target}")

    def running(self) -> str:
        """Return the release whose container, worker and socket are in use."""
        socket = ("exec", "-T", "site", "readlink", "/run/site/gunicorn.sock")
        found = self.podman.compose(self.site, *socket).removesuffix(".sock\n")
        images = self.podman.compose(
            self.site, "ps", "--format", "{{.Image}}", "site", "worker"
        ).split()
        assert {image.partition(":")[2] for image in images} == {found}
        return found

    def release(self, *options: str) -> str:
        """Release, and return what the command prints."""
        return self.run(f"deploy/release-containers {' '.join(options)}")


def check_status(commands: Commands) -> None:
    """Check that all is fine, and that cron gets the same command.

    Without the line `https`: from a container here, the domain leads to no site.
    """
    (call,) = commands.blocks("Heartbeat")
    look = "manage.py status\n"
    assert call.count(look) == 1
    found = commands.run(call.replace(look, "manage.py status --skip https\n"))
    assert "ok   worker: " in found
    assert "BAD" not in found
    line = (commands.root / "etc" / "cron.d" / "site-status").read_text("utf-8")
    assert line.startswith("*/5 * * * * root cd ")
    assert line.strip().endswith("worker python manage.py status")


def check_restore(commands: Commands, site: Site) -> None:
    """Check that a backup restores a site on a machine that has only its secrets."""
    (backup,) = commands.blocks("Backup")
    assert "1 snapshots" in commands.run(backup)
    repository = commands.site / "backups"
    assert (repository.stat().st_uid, repository.stat().st_mode & 0o077) == (10001, 0)
    check_status(commands)
    commands.podman.compose(commands.site, "down", "--volumes")
    (commands.site / ".env").unlink()
    commands.release()
    assert not is_published(site)
    newer = "CREATE TABLE note (owner bigint REFERENCES users_user)"
    commands.podman.compose(
        commands.site,
        "exec",
        "-T",
        "database",
        "psql",
        "--username=site",
        "--command",
        newer,
    )
    (restore,) = commands.blocks("Restore")
    assert "is restored" in commands.run(restore)
    assert is_published(site)
    assert site.visitor(ADMIN).get("/photos/mine/").status == 200


@contextmanager
def visitors(site: Site) -> Iterator[None]:
    """Visit the site in parallel: no request may fail.

    The visitors send forms, and ask for the files of the page of before.
    """
    stop, style = (
        Event(),
        re.findall(r'href="(/static/[^"]+\.css)"', site.visitor().get("/").text)[0],
    )
    failed, answered, owner = [], Counter[str](), site.visitor(ADMIN)

    def upload() -> None:
        """Upload photos, at most as many as one account may."""
        while not stop.wait(20):
            answer = owner.upload(encode(landscape(1, (4000, 3000), 0.25), quality=90))
            # A busy site says so in this header.
            if answer.status != 302 and "Retry-After" not in answer.headers:
                failed.append(f"upload: {answer.text}")

    def visit(number: int) -> None:
        """Send requests that every release answers in the same way."""
        method, path, status = [
            ("GET", "/?not=kept", 200),
            ("GET", style, 200),
            ("POST", "/", 403),
        ][number % 3]
        while not stop.wait(0.2):  # six of them leave no gap, and time for the build
            try:
                answer = (
                    site.visitor()
                    .request(method, path, b"a" * 3000 if method == "POST" else b"")
                    .status
                )
            except OSError as error:
                failed.append(f"{method} {path}: {error!r}")
            else:
                answered[path] += 1
                if answer != status:
                    failed.append(f"{method} {path}: {answer}")

    with ThreadPoolExecutor(7) as threads:
        running = [
            threads.submit(upload),
            *(threads.submit(visit, number) for number in range(6)),
        ]
        try:
            yield
        finally:
            stop.set()
    assert [it.result() for it in running] == [None] * 7
    print("answered during releases:", dict(answered))  # noqa: T201
    assert failed == []
    assert all(count > 20 for count in answered.values())


def check_releases(commands: Commands, site: Site) -> None:
    """Release, fail to release, and go back, while people visit the site."""
    release, *rest = commands.blocks("Release")
    assert [len(rest), "--back" in rest[0], "pull" in rest[1]] == [2, True, True]
    files = {
        path: commands.project / path
        for path in (
            "static/site.css",
            "config/wsgi.py",
            "templates/base.html",
            "deploy/site.conf",
            NOTE,
        )
    }
    nginx = files["deploy/site.conf"].read_text(encoding="utf-8")
    first, proxy = (
        commands.running(),
        commands.podman.compose(commands.site, "ps", "--quiet", "proxy"),
    )
    with visitors(site):
        # It loads when it is checked, and ends when it is started.
        boot = "import sys\nif '--check-config' not in sys.argv:\n    sys.exit(1)\n"
        for path, broken, why in (
            (
                "config/wsgi.py",
                "raise ValueError('A secret')",
                "It does not load",
            ),
            ("config/wsgi.py", boot, "It does not answer"),
            ("templates/base.html", "{% load nothing_here %}", "Its start page"),
        ):
            original = files[path].read_text(encoding="utf-8")
            files[path].write_text(f"{original}\n{broken}\n", encoding="utf-8")
            commands.push("refs/tags/next")  # on no branch, and moved
            with pytest.raises(
                AssertionError, match=f"{why}.*\n{first} still answers"
            ) as failure:
                commands.release("next")
            assert "Traceback" not in str(failure.value)
            assert "A secret" not in str(failure.value)
            assert commands.running() == first
            files[path].write_text(original, encoding="utf-8")
        files["static/site.css"].write_text("body { color: black }", encoding="utf-8")
        files["deploy/site.conf"].write_text(
            nginx.replace("tokens off;", "tokens on;"), encoding="utf-8"
        )
        files[NOTE].write_text(MIGRATION, encoding="utf-8")
        commands.push()
        with pytest.raises(
            AssertionError, match=r"(?s)secure_django\.9999_note.*Nothing was migrated"
        ):
            commands.release("</dev/null")
        # A release truncates it once it has the lock.
        log = commands.site / "releases" / "log"
        before = log.stat().st_mtime_ns
        with ThreadPoolExecutor(1) as thread:
            slow = thread.submit(
                commands.run,
                release.replace("release-containers", "release-containers --yes"),
            )
            wait_until(lambda: log.stat().st_mtime_ns > before, "it does not begin")
            with pytest.raises(AssertionError, match="Another release is under way"):
                commands.release()
            assert (
                f"To roll back: deploy/release-containers --back {first}\n"
                in slow.result()
            )
        assert (
            commands.podman.compose(commands.site, "ps", "--quiet", "proxy") == proxy
        ), "or requests fail"
        second = commands.running()
        assert second != first
        assert "nginx/" in site.visitor().get("/").headers["Server"]
    # As after a reboot, or a person's own command. Compose may make containers anew,
    # for which visitors wait.
    commands.podman.compose(commands.site, "up", "--detach", "--wait")
    assert commands.running() == second
    with visitors(site):
        assert f"Going back to {first}." in commands.run(rest[0])
        assert commands.running() == first
        assert site.visitor().get("/").headers["Server"] == "nginx"
        assert f"{second} answers" in commands.release("--back", second)
        (commands.site / "README.md").write_text(
            "Changed on the server", encoding="utf-8"
        )
        with pytest.raises(
            AssertionError, match="Files of the repository were changed here"
        ):
            commands.release("HEAD~1")
        run(commands.site, "git", "checkout", "--quiet", "README.md")
    commands.run(rest[1])
    assert (
        len(
            commands.podman.compose(
                commands.site, "ps", "--all", "--quiet", "site"
            ).split()
        )
        == 1
    )


@PORT_TIMEOUT
def test_document_leads_to_a_restored_photo_and_releases_that_nobody_notices(
    locked_project: Project, tmp_path: Path
) -> None:
    folder, storage = locked_project(WITH_GALLERY), tmp_path / "containers"
    remove_digests(folder)
    storage.mkdir()
    compose = folder / "compose.yaml"
    text = compose.read_text(encoding="utf-8")
    compose.write_text(
        text.replace('HOSTS: "example.com"', 'HOSTS: "example.com,localhost"'),
        encoding="utf-8",
    )
    certificate, tls = issue_certificate(tmp_path, "example.com")
    with engine(storage) as podman, https_port():
        podman.make_stand_ins()
        Path("/var/www/acme").mkdir(parents=True, exist_ok=True)
        commands = Commands(podman, folder, tmp_path, certificate)
        prepare, clone = commands.blocks("Copy the project")
        commands.run(prepare)
        commands.push()
        assert commands.run(clone).endswith(" Change\n")
        (make,) = commands.blocks("Secrets")
        assert commands.run(make).split()[-8:] == sorted({*SECRETS, "tls"})
        fallback = "an-old-key-" + secrets.token_hex(32)
        optional = commands.site / "secrets" / "optional.env"
        optional.write_text(f"SECRET_KEY_FALLBACKS='{fallback}'\n", encoding="utf-8")
        try:
            (start,) = commands.blocks("Start")
            assert commands.run(start).endswith("ok")
            (tls_block,) = commands.blocks("Certificate")
            assert commands.run(tls_block).endswith("ok")
            site = Site(
                commands.site,
                "https://localhost",
                {},
                tls,
                podman.service,
                tmp_path / "log",
            )
            image = f"localhost/my-secure-site:{commands.running()}"
            check_image(podman, commands.site, image)
            found = podman.compose(
                commands.site, "exec", "-T", "site", "python", "-c", FALLBACKS
            )
            assert found.strip() == fallback
            publish(site)
            check_proxy(site)
            roles = (
                "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb FROM pg_roles "
                "WHERE rolcanlogin ORDER BY 1"
            )
            query = (
                "database",
                "psql",
                "--username=site",
                "--tuples-only",
                "--no-align",
                f"--command={roles}",
            )
            assert podman.compose(commands.site, "exec", "-T", *query).split() == [
                "postgres|t|t|t",
                "site|f|f|t",
            ]
            podman.compose(
                commands.site,
                "exec",
                "-T",
                "worker",
                "python",
                "manage.py",
                "status",
                "--worker",
            )

            check_restore(commands, site)
            check_releases(commands, site)
            assert is_published(site)
            check_spoofed_address(site)
        except AssertionError:
            print((commands.site / "releases" / "log").read_text(encoding="utf-8"))  # noqa: T201
            print(podman.compose(commands.site, "logs", "--no-color"))  # noqa: T201
            raise
        finally:
            podman.compose(commands.site, "down", "--volumes")
