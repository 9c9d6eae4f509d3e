"""The image alone, as a platform runs it: the commands of docs/platforms.md.

Each container has a read-only root and no capabilities. The network of the database is
that of all, as in a pod, so that nginx stands beside the site.
"""

import http.client
import json
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import ClassVar

import pytest
from cryptography.fernet import Fernet

from tests.support.baking import ALL_OFF, Project, run
from tests.support.containers import Engine, engine, remove_digests
from tests.support.images import encode, landscape
from tests.support.live import (
    ADMIN,
    HANG_SECONDS,
    PASSWORD,
    Response,
    Site,
    Visitor,
)
from tests.support.readme import section
from tests.support.services import free_port, wait_until

pytestmark = pytest.mark.tier("whole")

ANSWERS = ALL_OFF | {"gallery": True, "deployment": "platform"}
HARDENED = (
    *("--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp:size=1g"),
    *("--cap-drop=all", "--security-opt=no-new-privileges"),
)
# What a kernel without filters and without Landlock answers.
UNCONFINED = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [
        {
            "names": ["seccomp", "landlock_create_ruleset"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 38,
        },
        {
            "names": ["prctl"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 22,
            "args": [{"index": 0, "value": 22, "op": "SCMP_CMP_EQ"}],
        },
    ],
}


class Client(Visitor):
    """A client of the platform's proxy, which ends TLS and appends its IP address."""

    own_headers: ClassVar[dict[str, str]] = {
        "Host": "example.com",
        "Referer": "https://example.com/",
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Proto": "https",
    }

    def connection(self) -> http.client.HTTPConnection:
        """Return a new connection, without TLS."""
        return http.client.HTTPConnection(
            "127.0.0.1", self.site.port, timeout=HANG_SECONDS
        )


def commands(project: Path) -> dict[str, str]:
    """Return the commands of the document by their processes."""
    text = section(project / "docs" / "platforms.md", "Commands")
    rows = re.findall(r"^\| ([a-z ]+) \| `([^`]+)`", text, re.MULTILINE)
    return dict(rows)


class Platform:
    """Containers of the image, which share the network of the database."""

    def __init__(self, podman: Engine, project: Path, folder: Path) -> None:
        """Start the database, with the port of the platform."""
        self.podman, self.project = podman, project
        self.port = free_port()
        (folder / "password").write_text("a", encoding="utf-8")
        (folder / "none.sql").touch()
        (folder / "media").mkdir(mode=0o777)
        (folder / "media").chmod(0o777)
        self.media = f"--volume={folder / 'media'}:/media"
        self.podman.run(
            project,
            *("podman", "run", "--detach", "--name=database"),
            f"--publish=127.0.0.1:{self.port}:8080",
            *("--env=POSTGRES_DB=site", "--env=POSTGRES_PASSWORD_FILE=/password"),
            f"--volume={folder / 'password'}:/password:ro",
            f"--volume={folder / 'none.sql'}:/docker-entrypoint-initdb.d/none.sql:ro",
            *("--tmpfs=/var/run/postgresql", "--user=postgres"),
            *("docker.io/library/postgres:18-trixie", "postgres"),
        )
        self.variables = {
            "ALLOWED_HOSTS": "example.com",
            "DATABASE_URL": "postgres://postgres:a@127.0.0.1:5432/site",
            "DEFAULT_FROM_EMAIL": "site@example.com",
            "DJANGO_SUPERUSER_EMAIL": ADMIN,
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "EMAIL_URL": "submission://user:password@mail.example.com",
            "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            # Their folder is a volume.
            "MEDIA_ROOT_IS_PERSISTENT": "on",
            "SECRET_KEY": secrets.token_urlsafe(64),
            "TRUSTED_PROXY_COUNT": "1",
        }

    def run(self, command: str, *options: str, **changes: str) -> str:
        """Run a command of the document in a container, and return its output."""
        variables = [f"--env={it}={value}" for it, value in self.variables.items()]
        variables += [f"--env={it}={value}" for it, value in changes.items()]
        return self.podman.run(
            self.project,
            *("podman", "run", "--network=container:database", *HARDENED),
            *variables,
            *options,
            "localhost/site",
            *(["sh", "-c", f"exec {command}"] if command else []),
        )

    def client(self) -> Client:
        """Return a client of the platform."""
        url = f"https://example.com:{self.port}"
        site = Site(self.project, url, {}, None, None, Path())  # type: ignore[arg-type]
        return Client(site)

    def probe(self) -> bytes:
        """Return what the platform's probe reads, or nothing without an answer."""
        try:
            return self.client().get("/health/ready/").body
        except (OSError, http.client.HTTPException):
            return b""

    def log(self, name: str) -> str:
        """Return the lines of a container."""
        return self.podman.run(self.project, "podman", "logs", name)

    def remove(self, *names: str) -> None:
        """Stop and remove containers."""
        self.podman.run(self.project, "podman", "rm", "--force", "--time=5", *names)


@contextmanager
def built(pristine: Project, folder: Path) -> Iterator[Platform]:
    """Build the images, and migrate a database as the release command does."""
    with engine(folder) as podman:
        podman.make_stand_ins()
        project = shutil.copytree(pristine(ANSWERS), folder / "my-secure-site")
        remove_digests(project)
        run(project, "uv", "lock")
        podman.build(project, "localhost/site")
        podman.build(project / "nginx", "localhost/nginx-of-site")
        found = Platform(podman, project, folder)
        release = commands(project)["release"]

        def is_migrated() -> bool:
            try:
                found.run(release, "--rm")
            except AssertionError as error:
                if "connection" not in str(error):
                    raise
                return False  # the database still starts
            return True

        wait_until(is_migrated, "the release command fails")
        found.run(f"{commands(project)['first administrator']} --no-input", "--rm")
        yield found


def log_in(client: Client) -> None:
    """Log in as the first administrator."""
    fields = {"login": ADMIN, "password": PASSWORD}
    assert client.post("/accounts/login/", fields).status == 302


def upload(client: Client) -> Response:
    """Upload a photo as the first administrator."""
    log_in(client)
    return client.upload(encode(landscape(1, (320, 240))))


def check_release_without_confinement(platform: Platform, folder: Path) -> None:
    """Check that the release command stops where nothing confines the decoder."""
    profile = folder / "unconfined.json"
    profile.write_text(json.dumps(UNCONFINED), encoding="utf-8")
    release = commands(platform.project)["release"]
    with pytest.raises(AssertionError, match=r"secure_django\.W202"):
        platform.run(release, "--rm", f"--security-opt=seccomp={profile}")


def check_processes(platform: Platform) -> None:
    """Check that the site answers at the platform's port, and that all is fine."""
    table = commands(platform.project)
    platform.run("", "--detach", "--name=site", platform.media, PORT="8080")
    platform.run(table["worker"], "--detach", "--name=worker")
    try:
        wait_until(lambda: platform.probe() == b"ok", "the site does not become ready")
        client = platform.client()
        assert upload(client).location == "/photos/mine/"
        # In a container, the domain leads to no site.
        status = f"{table['status']} https"  # no line that it skips, nor this one
        found: list[str] = []

        def is_fine() -> bool:
            try:
                found[:] = platform.run(status, "--rm", platform.media).splitlines()
            except AssertionError as error:
                if "BAD  worker" not in str(error):
                    raise
                return False  # the worker leaves its sign later
            return True

        wait_until(is_fine, "the status stays bad")
        assert any(line.startswith("ok   worker: ") for line in found)
        assert not [line for line in found if "backup" in line]
        rotated = platform.run("python manage.py rotate_encryption", "--rm")
        assert "secure_django_photos.Photo.original_name: 0 re-encrypted" in rotated
        assert "Keep the old keys" in rotated
    except AssertionError:
        print(platform.log("site"), platform.log("worker"))  # noqa: T201
        raise
    finally:
        platform.remove("site", "worker")


def check_lost_storage(platform: Platform) -> None:
    """Check that a site without a place for photos is not ready."""
    # Fly's private network has IPv6 alone.
    platform.run("", "--detach", "--name=site", BIND="[::]:8080")
    try:
        wait_until(lambda: platform.probe() == b"not ready", "the probe is content")
        assert "not ready: storage" in platform.log("site")
    finally:
        platform.remove("site")


def check_slow_clients(platform: Platform) -> None:
    """Check that slow clients stop no site that has nginx beside it."""
    # gunicorn listens without PORT, nginx at the port of the platform.
    platform.run(
        "",
        *("--detach", "--name=site", platform.media),
        TRUSTED_PROXY_COUNT="2",
    )
    platform.podman.run(
        platform.project,
        *("podman", "run", "--detach", "--name=nginx", *HARDENED),
        *("--network=container:database", "localhost/nginx-of-site"),
    )
    try:
        wait_until(lambda: platform.probe() == b"ok", "nginx does not reach the site")
        assert upload(platform.client()).location == "/photos/mine/"
        with ExitStack() as stack:
            for _ in range(30):  # more than gunicorn has threads
                slow = socket.create_connection(("127.0.0.1", platform.port))
                stack.enter_context(slow)
                slow.sendall(
                    b"POST /accounts/login/ HTTP/1.1\r\nHost: example.com\r\n"
                    b"X-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.8\r\n"
                    b"Content-Length: 9000\r\n\r\na"
                )
            page = platform.client().get("/")
            assert page.status == 200
            assert page.headers["Server"] == "nginx"
    finally:
        platform.remove("site", "nginx")


def test_image_runs_as_a_platform_runs_it(pristine: Project, tmp_path: Path) -> None:
    """One journey, since the images take minutes to build."""
    folder = tmp_path / "platform"
    folder.mkdir()
    with built(pristine, folder) as platform:
        check_release_without_confinement(platform, tmp_path)
        check_processes(platform)
        check_lost_storage(platform)
        check_slow_clients(platform)
