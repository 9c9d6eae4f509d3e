"""Backups on a server that appends only, and their restoration.

Copied into a project with the recipe of restic.
"""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: F811, I001, INP001

import os
import re
import shlex
import shutil
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from core.tests.test_backup import Server, disk, server, site  # noqa: F401 - fixtures
from scripts.backups import Site, create, restore

UNIT = (settings.BASE_DIR / "deploy" / "site-restic.service").read_text("utf-8")
STORED = "/var/lib/site/backups"


def restic(folder: Path, *command: str, fails: bool = False) -> str:
    """Run restic with the unit's variables and the secrets given; return its output."""
    found = re.search(r"^Environment=(.+)$", UNIT, re.MULTILINE)
    assert found
    variables = dict(word.split("=", 1) for word in shlex.split(found[1]))
    done = subprocess.run(
        ["/usr/bin/restic", *command],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert bool(done.returncode) == fails, done.stderr
    return done.stdout + done.stderr


def back_up(folder: Path) -> None:
    """Run the command of the unit, for the backups in a folder."""
    found = re.search(r"^ExecStart=/usr/bin/restic (.+)$", UNIT, re.MULTILINE)
    assert found
    assert found[1].endswith(f" {STORED}")
    restic(folder, *shlex.split(found[1].replace(STORED, str(folder / "backups"))))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Path]:
    """Run the other machine's server; return a folder with the site's secrets."""
    other = tmp_path / "other"
    other.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["/usr/bin/restic-rest-server", "--append-only", "--private-repos"]
    command = [*words, "--path", str(other), "--listen", f"127.0.0.1:{port}"]
    subprocess.run(
        ["htpasswd", "-B", "-b", "-c", other / ".htpasswd", "site", "word"], check=True
    )
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "restic_password").write_text("a long password\n", "utf-8")
    (tmp_path / "secrets" / "restic_repository").write_text(
        f"rest:http://site:word@127.0.0.1:{port}/site/\n", "utf-8"
    )
    server = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield tmp_path
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def full_site(site: Site) -> Site:
    """Return a site with a row and a photo that takes space."""
    (site.media / "id" / "display.jpg").write_bytes(os.urandom(200_000))
    return site


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_copy_restores_a_site_that_is_gone(
    machine: Path, full_site: Site, server: Server
) -> None:
    photo = (full_site.media / "id" / "display.jpg").read_bytes()
    restic(machine, "init")
    create(full_site, machine / "backups")
    back_up(machine)
    before = size(machine / "other")
    time.sleep(1.1)  # a backup is named by its second
    create(full_site, machine / "backups")
    back_up(machine)
    assert size(machine / "other") - before < 50_000, "the same photo is stored once"
    shutil.rmtree(machine / "backups")
    shutil.rmtree(full_site.media / "id")
    server.databases.clear()

    restic(machine, "check", "--no-cache", "--read-data")
    folder = machine / "fetched"
    restic(
        machine,
        "restore",
        "--no-cache",
        "latest",
        "--tag",
        "site",
        "--target",
        str(folder),
    )
    newest = max(folder.glob(f"{machine / 'backups'}/*Z".lstrip("/")))
    restore(full_site, newest)
    assert (full_site.media / "id" / "display.jpg").read_bytes() == photo
    assert server.databases == {"site": {"photo": "Teal"}}


def test_the_site_can_neither_delete_nor_change_nor_hide_a_copy(
    machine: Path, full_site: Site
) -> None:
    restic(machine, "init")
    create(full_site, machine / "backups")
    back_up(machine)
    names = {
        path
        for path in (machine / "other").rglob("*")
        if path.is_file() and "locks" not in path.parts
    }
    stored = {path: path.read_bytes() for path in names}
    output = restic(
        machine,
        "forget",
        "--no-cache",
        "--unsafe-allow-remove-all",
        "--tag",
        "site",
        "--prune",
        fails=True,
    )
    assert "403" in output or "unable to" in output
    url = (
        (machine / "secrets" / "restic_repository")
        .read_text("utf-8")
        .strip()
        .removeprefix("rest:")
    )
    for path in names - {machine / "other" / ".htpasswd"}:
        part = path.relative_to(machine / "other" / "site").as_posix()
        part = f"data/{path.name}" if part.startswith("data/") else part
        for method in ("DELETE", "POST"):
            assert status(method, url, part) in {401, 403, 405}, (method, part)
    assert {path: path.read_bytes() for path in names} == stored
    assert status("GET", url.replace("/site/", "/another/"), "config") in {401, 403}
    assert status("GET", url.replace("site:word@", ""), "config") == 401
    # Nothing that somebody could read is stored there, and the next copy is made all
    # the same.
    assert not any(b"Teal" in text for text in stored.values())
    back_up(machine)


def test_failure_is_the_units_failure(machine: Path) -> None:
    """Without a repository or without its password, systemd sees it."""
    (machine / "backups").mkdir()
    with pytest.raises(AssertionError):
        back_up(machine)
    restic(machine, "init")
    (machine / "secrets" / "restic_password").write_text("another password", "utf-8")
    with pytest.raises(AssertionError, match="wrong password"):
        back_up(machine)


def test_unit_follows_the_backup_and_is_valid(tmp_path: Path) -> None:
    backup = (settings.BASE_DIR / "deploy" / "site-backup.service").read_text("utf-8")
    assert "\nOnSuccess=site-restic.service\n" in backup.partition("[Service]")[0]
    (tmp_path / "site-restic.service").write_text(UNIT, "utf-8")
    command = [
        "systemd-analyze",
        "verify",
        "--man=no",
        str(tmp_path / "site-restic.service"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "site-restic" not in done.stdout + done.stderr


def status(method: str, url: str, part: str) -> int:
    """Return the status of the server's answer."""
    address = urlsplit(url)
    headers = {}
    if address.username:
        words = b64encode(f"{address.username}:{address.password}".encode()).decode()
        headers["Authorization"] = f"Basic {words}"
    connection = HTTPConnection("127.0.0.1", address.port or 0, timeout=20)
    with closing(connection):
        connection.request(
            method,
            address.path + part,
            b"changed" if method == "POST" else None,
            headers,
        )
        return connection.getresponse().status
