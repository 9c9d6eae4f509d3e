"""The image and compose.yaml: hardened as written, and run for real from an empty machine to a restored backup."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
import yaml

from tests.support.baking import ALL_OFF, ALL_ON, COMBINATIONS, WITH_GALLERY, Answers, Project, name, run
from tests.support.containers import Engine, engine, https_port
from tests.support.live import ADMIN, PASSWORD, Site, issue_certificate
from tests.support.postgresql import Database
from tests.support.publishing import is_published, publish
from tests.support.readme import commands

pytestmark = pytest.mark.slow

DOCUMENT = Path("docs") / "containers.md"
posix = pytest.mark.skipif(os.name != "posix", reason="servers use Linux")
SUPERUSER = f"createsuperuser --no-input --email {ADMIN}"
# What a process of a container may do: its user, its capabilities, and whether it can write to its root.
RIGHTS = """
import os
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines())
print(os.getuid(), status["CapBnd"], status["NoNewPrivs"])
for path in ("/app/x", "/venv/x", "/etc/x", "/x"):
    try:
        open(path, "w")
    except OSError:
        continue
    print("could write", path)
"""
FALLBACKS = "from config import settings; print(*settings.SECRET_KEY_FALLBACKS)"


def secrets_of(project: Path) -> None:
    """Make the project's secrets, as docs/containers.md says."""
    mail, cloud = "submission://user:password@mail.example.com", "cloudinary://1234:secret@example"
    run(project, "deploy/make-secrets", EMAIL_URL=mail, CLOUDINARY_URL=cloud)


@posix
@pytest.mark.parametrize("answers", [it for it in COMBINATIONS if it["ci_scanning"] == "none"], ids=name)
def test_compose_file_is_valid_and_hardened(answers: Answers, project: Project) -> None:
    folder = project(answers)
    secrets_of(folder)
    run(folder, "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")
    if shutil.which("docker-compose"):  # it also finds names that nothing defines
        config = json.loads(run(folder, "docker-compose", "config", "--format", "json"))
    else:
        config = yaml.safe_load((folder / "compose.yaml").read_text(encoding="utf-8"))
    services: dict[str, Any] = config["services"]
    assert set(services) == {"proxy", "site", "worker", "migrate", "database"}
    for key, service in services.items():
        assert service["read_only"], key
        assert service["cap_drop"] == ["ALL"], key
        assert service["security_opt"] == ["no-new-privileges:true"], key
        assert service["logging"]["options"]["max-size"], key
        assert service["mem_limit"], key
        assert service["restart"] == ("no" if key == "migrate" else "unless-stopped")
        assert service["image"] == "my-secure-site" or service["image"][-1].isdigit() or "-" in service["image"]
        assert ("ports" in service) == (key == "proxy")
    assert set(services["proxy"]["networks"]).isdisjoint(services["site"]["networks"])
    assert set(services["migrate"]["networks"]) == set(services["database"]["networks"]) == {"inside"}
    assert config["networks"]["inside"]["internal"]
    assert config["networks"]["edge"]["enable_ipv6"], "or all visitors by IPv6 have the IP address of Docker"
    modes = {path.name: path.stat().st_mode & 0o777 for path in [folder / "secrets", *(folder / "secrets").iterdir()]}
    assert modes.pop("secrets") == 0o700
    assert modes.pop("tls") == 0o755
    assert set(modes.values()) == {0o444}
    assert {Path(secret["file"]).name for secret in config["secrets"].values()} == set(modes)


@posix
def test_kept_secrets_are_readable_only_in_their_folder(project: Project) -> None:
    folder = project(ALL_OFF)
    (folder / "secrets").mkdir(mode=0o755)
    kept = folder / "secrets" / "secret_key"
    kept.write_text("kept", encoding="utf-8")
    kept.chmod(0o600)
    secrets_of(folder)
    assert kept.read_text(encoding="utf-8") == "kept"
    assert (kept.parent.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (0o700, 0o444)


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")
def test_commands_of_the_document_exist(pristine: Project) -> None:
    text = (pristine(ALL_OFF) / DOCUMENT).read_text(encoding="utf-8")
    found = re.findall(r"docker compose (\w+)([^`\n]*)", text)
    assert len(found) > 8
    for command, options in found:
        run(Path.cwd(), "docker-compose", command, "--help", *options.split())  # stops at an unknown option


@posix
def test_secrets_are_never_overwritten(project: Project) -> None:
    folder = project(ALL_ON)
    secrets_of(folder)
    before = {path: path.read_bytes() for path in (folder / "secrets").rglob("*") if path.is_file()}
    (folder / "secrets" / "secret_key").unlink()
    secrets_of(folder)
    after = {path: path.read_bytes() for path in (folder / "secrets").rglob("*") if path.is_file()}
    assert [path.name for path in before if before[path] != after[path]] == ["secret_key"]
    (folder / "secrets" / "email_url").unlink()
    with pytest.raises(AssertionError, match="EMAIL_URL"):
        run(folder, "deploy/make-secrets")  # no answer makes no file
    assert not (folder / "secrets" / "email_url").exists()


@posix
def test_certificate_that_failed_is_made_by_the_next_run(project: Project, tmp_path: Path) -> None:
    folder = project(ALL_OFF)
    fails_at_req = tmp_path / "openssl"
    fails_at_req.write_text(f'#!/bin/sh\n[ "$1" != req ] && {shutil.which("openssl")} "$@"\n', encoding="utf-8")
    fails_at_req.chmod(0o755)
    mail = "submission://user:password@mail.example.com"
    with pytest.raises(AssertionError):
        run(folder, "deploy/make-secrets", EMAIL_URL=mail, PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
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
    for old, new in (("ROLE site", f"ROLE {role}"), ("DATABASE site", f"DATABASE {name}"), ("TO site", f"TO {role}")):
        assert text.count(old) == 1
        text = text.replace(old, new)
    password = "it's \\ secret"  # noqa: S105
    with psycopg.connect(url, autocommit=True) as server:
        if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = 'postgres'").fetchone():
            server.execute("CREATE ROLE postgres SUPERUSER LOGIN PASSWORD 'a'")
        monkeypatch.setenv("POSTGRES_PASSWORD", password)
        psql = ["psql", "--set=ON_ERROR_STOP=1", "--no-psqlrc", f"--dbname={url}"]
        subprocess.run(psql, input=text, text=True, check=True)
        roles = (
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolpassword LIKE 'SCRAM%%' FROM pg_authid WHERE rolname = %s"
        )
        assert server.execute(roles, [role]).fetchone() == (False, False, True, True)
        assert server.execute(roles, ["postgres"]).fetchone() == (True, False, False, None)
    with psycopg.connect(url, user=role, password=password, autocommit=True) as site:
        # What a restore does.
        site.execute(f"CREATE DATABASE {role} TEMPLATE template0")
        site.execute(f"DROP DATABASE {role}")
        site.execute("CREATE TABLE photo (id int)")
        for attack in ("COPY photo FROM PROGRAM 'echo 1'", "CREATE ROLE other", "COPY photo TO '/tmp/photo'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                site.execute(attack)


def check_image(podman: Engine, project: Path) -> None:
    """Check what the image holds, and what its processes may do."""
    files = podman.run(project, "podman", "run", "--rm", "my-secure-site", "find", "/app", "/venv", "-type", "f")
    found = set(files.splitlines())
    assert {"/app/manage.py", "/app/staticfiles/staticfiles.json", "/venv/bin/gunicorn"} <= found
    assert any(path.startswith("/app/core/__pycache__/") for path in found)
    unwanted = ("/tests/", "/.env", "/.git/", "/app/secrets/", "/app/scripts/", "/app/deploy/", "/conftest.py")
    assert not [path for path in found if path.startswith("/app/") and any(part in path for part in unwanted)]
    assert not [path for path in found if "/site-packages/pytest/" in path or "/bin/ruff" in path]
    writable = podman.run(project, "podman", "run", "--rm", "my-secure-site", "find", "/app", "/venv", "-writable")
    assert not [path for path in writable.splitlines() if "/" in path]
    for service in ("site", "worker"):
        rights = podman.compose(project, "exec", "-T", service, "python", "-c", RIGHTS)
        assert rights.split() == ["10001", "0" * 16, "1"]


def check_proxy(site: Site) -> None:
    """Check the limits, the headers and the redirect of the proxy."""
    visitor = site.visitor(ADMIN)
    too_large = visitor.upload(bytes(11 * 1024**2))
    assert "This file is too large." in too_large.text, "the site's own page"
    page = site.visitor().get("/", **{"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http"})
    assert page.status == 200
    assert len(page.headers.get_all("Content-Security-Policy", [])) == 1
    assert page.headers["Strict-Transport-Security"].startswith("max-age=3600")
    assert page.headers["Server"] == "nginx"


def check_spoofed_address(site: Site) -> None:
    """Check that an attacker who invents IP addresses is locked out like any other."""
    visitor, blocked = site.visitor(), []
    token = visitor.token("/accounts/login/")
    for attempt in range(12):
        # One guess for each account, so that only the limit of an IP address is left: ten in a minute.
        email, password = (f"someone{attempt}@example.com", "wrong") if attempt < 11 else (ADMIN, PASSWORD)
        body = urlencode({"csrfmiddlewaretoken": token, "login": email, "password": password}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": f"192.0.2.{attempt}"}
        page = visitor.request("POST", "/accounts/login/", body, headers)
        assert page.status == 200
        blocked.append("Too many failed login attempts" in page.text)
    assert blocked == [False] * 10 + [True] * 2


def check_update(podman: Engine, project: Path, site: Site) -> None:
    """Check that an update reaches the proxy, whose files a container holds even if they were replaced."""
    page = project / "deploy" / "error-pages" / "unavailable.html"
    text = page.read_text(encoding="utf-8")
    page.unlink()  # as Git does
    page.write_text(text.replace("Please try", "Do try"), encoding="utf-8")
    pull, build, *rest = [it for it in commands(project / DOCUMENT, "Update") if it.startswith("docker ")]
    assert ["pull" in pull, "build" in build] == [True, True], "neither of them works without a registry"
    for command in rest:
        podman.run(project, *command.split())
    podman.compose(project, "stop", "site")
    assert "Do try again" in site.visitor().get("/").text


def test_site_runs_from_compose_up_to_a_restored_backup(
    project: Project, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, storage = project(WITH_GALLERY), tmp_path / "containers"
    storage.mkdir()
    with engine(storage) as podman, https_port(tmp_path_factory.getbasetemp().parent):
        podman.make_stand_ins()
        run(folder, "uv", "lock")
        secrets_of(folder)
        certificate, tls = issue_certificate(tmp_path)
        for file in ("fullchain.pem", "privkey.pem"):
            (folder / "secrets" / "tls" / file).unlink()
            shutil.copy(certificate, folder / "secrets" / "tls" / file)
            (folder / "secrets" / "tls" / file).chmod(0o444)
        fallback = "an-old-key-" + secrets.token_hex(32)
        (folder / "secrets" / "optional.env").write_text(f"SECRET_KEY_FALLBACKS='{fallback}'\n", encoding="utf-8")
        override = {"services": {"site": {"environment": {"ALLOWED_HOSTS": "localhost"}}}}
        (folder / "compose.override.yaml").write_text(json.dumps(override), encoding="utf-8")
        Path("/var/www/acme").mkdir(parents=True, exist_ok=True)
        print("image built in seconds:", podman.build(folder, "docker.io/library/my-secure-site"))  # noqa: T201
        podman.run(folder, "podman", "tag", "docker.io/library/my-secure-site", "localhost/my-secure-site")
        try:
            podman.compose(folder, "up", "--detach", "--wait")
            password = f"DJANGO_SUPERUSER_PASSWORD={PASSWORD}"
            podman.compose(folder, "exec", "-T", "-e", password, "site", "python", "manage.py", *SUPERUSER.split())
            site = Site(folder, "https://localhost", {}, tls, podman.service, tmp_path / "log")
            check_image(podman, folder)
            assert podman.compose(folder, "exec", "-T", "site", "python", "-c", FALLBACKS).strip() == fallback
            publish(site)
            check_proxy(site)
            roles = "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolcanlogin ORDER BY 1"
            query = ("database", "psql", "--username=site", "--tuples-only", "--no-align", f"--command={roles}")
            assert podman.compose(folder, "exec", "-T", *query).split() == ["postgres|t|t|t", "site|f|f|t"]
            podman.compose(folder, "exec", "-T", "worker", "python", "manage.py", "status", "--worker")

            backups = tmp_path / "backups"
            command = (sys.executable, "-m", "scripts.backups")
            backup = podman.run(folder, *command, "create", "--compose", str(backups)).splitlines()[-1]
            assert sorted(path.name for path in Path(backup).iterdir()) == ["database", "keys", "photos.tar"]
            podman.compose(folder, "down", "--volumes")
            podman.compose(folder, "up", "--detach", "--wait")
            assert not is_published(site)
            newer = "CREATE TABLE note (owner bigint REFERENCES users_user)"
            podman.compose(folder, "exec", "-T", "database", "psql", "--username=site", "--command", newer)
            podman.run(folder, *command, "restore", "--compose", backup)
            assert is_published(site)
            assert site.visitor(ADMIN).get("/photos/mine/").status == 200
            check_spoofed_address(site)
            check_update(podman, folder, site)
        except AssertionError:
            print(podman.compose(folder, "logs", "--no-color"))  # noqa: T201
            raise
        finally:
            podman.compose(folder, "down", "--volumes")
