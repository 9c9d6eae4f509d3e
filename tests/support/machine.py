"""A Debian that boots its own systemd in namespaces.

docs/deployment.md installs its site.
"""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from tests.support.baking import commit, run
from tests.support.containers import BASE, make_base, need
from tests.support.live import (
    ADMIN,
    HANG_SECONDS,
    PASSWORD,
    Server,
    Site,
    issue_certificate,
)
from tests.support.readme import section

# pivot_root instead of chroot, which would forbid the units their user namespaces. A
# /dev/shm of its own, because RemoveIPC empties it for the user of a unit that ends,
# and that number is another user's on this machine.
BOOT = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$1/run"
mount -t tmpfs tmpfs "$1/tmp"
cd "$1"
pivot_root . mnt
umount --lazy /mnt
exec env -i container=podman PATH=/usr/sbin:/usr/bin \\
    /lib/systemd/systemd --log-target=console --show-status=false
"""
NAMESPACES = ["--mount", "--pid", "--cgroup", "--uts", "--ipc"]


class Machine:
    """A Debian that systemd runs. It shares the network with this machine."""

    def __init__(self, root: Path, server: Server) -> None:
        """Take the folder with its files, and the process that holds it."""
        self.root = root
        self.server = server

    def run(self, lines: str, typed: str = "", **environment: str) -> str:
        """Run lines of a document as root in the project; return their output."""
        pid = (
            Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children")
            .read_text(encoding="ascii")
            .split()[0]
        )
        settings = {
            "HOME": "/root",
            "PATH": "/usr/sbin:/usr/bin",
            "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
            **environment,
        }
        variables = [f"{key}={value}" for key, value in settings.items()]
        shell = [
            "env",
            "--ignore-environment",
            *variables,
            "bash",
            "-euxo",
            "pipefail",
            "-c",
        ]
        enter = ["nsenter", "--target", pid, *NAMESPACES, "--root", "--wd"]
        return run(
            self.root,
            *enter,
            *shell,
            f"cd /srv/my-secure-site 2>/dev/null || cd /srv\n{lines}",
            typed=typed,
        )


@contextmanager
def boot(folder: Path) -> Iterator[Machine]:
    """Boot a new machine, or the folder's once more. The end cuts its power."""
    need("mmdebstrap", "nsenter", "unshare")
    root = folder / "root"
    is_new = not root.exists()
    if is_new:
        make_base()
        root.mkdir()
        run(folder, "tar", "--extract", f"--file={BASE}", f"--directory={root}")
        for path in (
            "/etc/resolv.conf",
            "/etc/hosts",
            "/etc/ssl/certs/ca-certificates.crt",
        ):
            shutil.copy(path, root / path[1:])
        # The ports belong to the site.
        (root / "etc/nginx/sites-enabled/default").unlink()
    with (folder / "machine.log").open("ab") as log:
        server = subprocess.Popen(
            [
                "unshare",
                *NAMESPACES,
                "--fork",
                "--kill-child",
                "bash",
                "-c",
                BOOT,
                "boot",
                str(root),
            ],
            stdout=log,
            stderr=log,
        )
    machine = Machine(root, server)
    deadline = time.monotonic() + HANG_SECONDS
    try:
        while True:
            try:
                machine.run(
                    "(timeout 20 systemctl is-system-running || true) "
                    "| grep -E 'running|degraded'"
                )
                break
            except (AssertionError, IndexError):
                if time.monotonic() > deadline:
                    log_text = (folder / "machine.log").read_text(errors="replace")
                    # Nothing of the project is in a new one yet.
                    (pytest.skip if is_new else pytest.fail)(
                        f"systemd does not start here: {log_text[-2000:]}"
                    )
                time.sleep(0.5)
        yield machine
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()


# Commands of docs/deployment.md that need what a test lacks: the world, a person.
CERTBOT = (
    "certbot certonly --webroot --webroot-path /var/www/acme "
    "--domain example.com --deploy-hook "
)
HOOK = "/srv/my-secure-site/deploy/install-certificate"
REPLACED = {
    # Certbot calls its hook once it has the certificate, which needs a public name.
    f"{CERTBOT}{HOOK}": f"RENEWED_LINEAGE=/srv/lineage {HOOK}",
    # It asks for these at a terminal.
    "runuser -u site -- .venv/bin/python manage.py createsuperuser": (
        f"DJANGO_SUPERUSER_EMAIL={ADMIN} DJANGO_SUPERUSER_PASSWORD='{PASSWORD}' "
        "runuser -u site -- .venv/bin/python manage.py createsuperuser --no-input"
    ),
}
# The developer's machine is this one.
PUSH = "git push root@example.com:/srv/my-secure-site.git HEAD:main"
# What deploy/make-secrets asks for.
TYPED = "submission://user:password@mail.example.com\n"


def blocks(project: Path, heading: str) -> list[str]:
    """Return the commands below a heading of docs/deployment.md, a block each."""
    text = section(project / "docs" / "deployment.md", heading)
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def follow(machine: Machine, project: Path, block: str) -> None:
    """Run a block of docs/deployment.md; its checks print what their comments say."""
    lines = []
    for line in block.splitlines():
        command, _, printed = line.partition("  # ")
        if command == PUSH:
            push(machine, project)
        elif printed:
            lines.append(f"[ \"$({command} | xargs)\" = '{printed}' ]")
        else:
            lines.append(REPLACED.get(command, command))
    machine.run("\n".join(lines), TYPED)


def push(machine: Machine, project: Path) -> None:
    """Push the project to the machine."""
    run(
        project,
        "git",
        "push",
        "--quiet",
        str(machine.root / "srv" / "my-secure-site.git"),
        "HEAD:main",
    )


def prepare(project: Path, **settings: str) -> None:
    """Change a locked project to one that a machine can have.

    It has a second name, since visitors on this machine call it localhost.
    """
    path = project / "deploy" / "production.env"
    text = path.read_text(encoding="utf-8").replace(
        "ALLOWED_HOSTS=example.com", "ALLOWED_HOSTS=example.com,localhost"
    )
    path.write_text(
        text + "".join(f"{key}={value}\n" for key, value in settings.items()),
        encoding="utf-8",
    )
    commit(project)


def install(
    machine: Machine, project: Path, folder: Path, authority: trustme.CA
) -> Site:
    """Follow docs/deployment.md up to the certificate, and return the site."""
    certificate, tls = issue_certificate(folder, authority=authority)
    lineage = machine.root / "srv" / "lineage"
    lineage.mkdir()
    for file in ("fullchain.pem", "privkey.pem"):
        shutil.copyfile(certificate, lineage / file)
    # As if the public name led here, and a known authority had issued the certificate.
    for path, text in (
        ("etc/hosts", "127.0.0.1 example.com\n"),
        (
            "etc/ssl/certs/ca-certificates.crt",
            (folder / "authority.pem").read_text(encoding="ascii"),
        ),
    ):
        with (machine.root / path).open("a", encoding="utf-8") as changed:
            changed.write(text)
    for heading in (
        "Prepare the machine",
        "Copy the project",
        "Install",
        "Certificate",
    ):
        for block in blocks(project, heading):
            follow(machine, project, block)
    return Site(
        project, "https://localhost", {}, tls, machine.server, folder / "machine.log"
    )
