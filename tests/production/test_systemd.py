"""The systemd units, and docs/deployment.md on a machine of its own: a Debian with systemd in its own namespaces."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, WITH_GALLERY, Answers, Project, commit, name, run
from tests.support.containers import BASE, https_port, make_base, need
from tests.support.images import encode, landscape
from tests.support.live import ADMIN, PASSWORD, START_SECONDS, Server, Site, issue_certificate
from tests.support.publishing import is_published, publish
from tests.support.readme import section

pytestmark = pytest.mark.slow

# pivot_root instead of chroot, which would forbid the units their user namespaces. A /dev/shm of its own, because
# RemoveIPC empties it for the user of a unit that ends, and that number is another user's on this machine.
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
exec env -i container=podman PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --log-target=console --show-status=false
"""
NAMESPACES = ["--mount", "--pid", "--cgroup", "--uts", "--ipc"]


class Machine:
    """A Debian that systemd runs. It shares the network with this machine."""

    def __init__(self, root: Path, server: Server) -> None:
        """Take the folder with its files, and the process that holds it."""
        self.root = root
        self.server = server

    def run(self, lines: str, **environment: str) -> str:
        """Run lines of a document as root in the project's folder, and return their output."""
        pid = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text(encoding="ascii").split()[0]
        settings = {
            "HOME": "/root",
            "PATH": "/usr/sbin:/usr/bin",
            "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
            **environment,
        }
        variables = [f"{key}={value}" for key, value in settings.items()]
        shell = ["env", "--ignore-environment", *variables, "bash", "-euxo", "pipefail", "-c"]
        enter = ["nsenter", "--target", pid, *NAMESPACES, "--root", "--wd"]
        return run(self.root, *enter, *shell, f"cd /srv/my-secure-site 2>/dev/null || cd /srv\n{lines}")


@contextmanager
def boot(folder: Path) -> Iterator[Machine]:
    """Boot a new machine."""
    need("mmdebstrap", "nsenter", "unshare")
    make_base()
    root = folder / "root"
    root.mkdir()
    run(folder, "tar", "--extract", f"--file={BASE}", f"--directory={root}")
    for path in ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt"):
        shutil.copy(path, root / path[1:])
    # The ports belong to the site.
    (root / "etc/nginx/sites-enabled/default").unlink()
    with (folder / "machine.log").open("wb") as log:
        server = subprocess.Popen(
            ["unshare", *NAMESPACES, "--fork", "--kill-child", "bash", "-c", BOOT, "boot", str(root)],
            stdout=log,
            stderr=log,
        )
    machine, deadline = Machine(root, server), time.monotonic() + START_SECONDS
    try:
        while True:
            try:
                machine.run("(timeout 20 systemctl is-system-running || true) | grep -E 'running|degraded'")
                break
            except (AssertionError, IndexError):
                if time.monotonic() > deadline:  # nothing of the project is in it yet
                    log_text = (folder / "machine.log").read_text(errors="replace")
                    pytest.skip(f"systemd does not start in namespaces here: {log_text[-2000:]}")
                time.sleep(0.5)
        yield machine
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()


def blocks(project: Path, heading: str) -> list[str]:
    """Return the shell blocks below a heading of docs/deployment.md."""
    text = section(project / "docs" / "deployment.md", heading)
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_units_are_valid_and_hardened(answers: Answers, pristine: Project, tmp_path: Path) -> None:
    for path in (pristine(answers) / "deploy").glob("site-*.*"):
        if path.is_dir():
            shutil.copytree(path, tmp_path / path.name)
        else:
            # The programs are not installed here.
            text = re.sub(r"/srv/my-secure-site/\S*\.venv/bin/\w+", "/bin/true", path.read_text(encoding="utf-8"))
            (tmp_path / path.name).write_text(text, encoding="utf-8")
    units = sorted(path.name for path in tmp_path.glob("*.service"))
    timers = sorted(path.name for path in tmp_path.glob("*.timer"))
    assert units == [f"site-{it}.service" for it in ("alarm@", "backup", "status", "web", "worker")]
    assert run(tmp_path, "systemd-analyze", "verify", *(f"./{unit}" for unit in [*units, *timers])) == ""
    for unit in units:
        run(tmp_path, "systemd-analyze", "security", "--offline=true", "--threshold=25", f"./{unit}")
    assert "\nKillMode=mixed\n" in (tmp_path / "site-web.service").read_text(encoding="utf-8")
    filters = (tmp_path / "site-.service.d" / "hardening.conf").read_text(encoding="utf-8")
    assert "@sandbox" in filters, "or the image decoder silently loses its own"


def restart_during_uploads(machine: Machine, site: Site) -> None:
    """Restart the site while ten people upload: each photo is stored, or its owner is asked to try again."""
    create = f"[User.objects.create_user(f'{{number}}@example.com', '{PASSWORD}') for number in range(10)]"
    shell = "runuser -u site -- .venv/bin/python manage.py shell --verbosity=0"
    machine.run(f'{shell} --command="{create}"')
    visitors = [site.visitor(f"{number}@example.com") for number in range(10)]
    pairs = [(visitor, visitor.token("/photos/upload/")) for visitor in visitors]
    photo = encode(landscape(1, (4000, 3000), 0.25), quality=90)
    with ThreadPoolExecutor(10) as threads:
        uploads = [threads.submit(visitor.upload, photo, token=token) for visitor, token in pairs]
        time.sleep(1)
        machine.run("systemctl restart site-web")
        responses = [upload.result() for upload in uploads]
    refused = [response for response in responses if response.status != 302]
    assert all("Retry-After" in response.headers or "try again" in response.text for response in refused)
    count = "print(Photo.objects.filter(title='A photo').count())"
    stored = machine.run(f'{shell} --command="{count}"').split()[-1]
    assert int(stored) == 10 - len(refused) > 0
    assert "the decoder ended" not in machine.run("journalctl --unit=site-web")


def test_deployment_document_leads_to_a_restored_photo(
    project: Project, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = project(WITH_GALLERY)
    settings = folder / "deploy" / "production.env"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("ALLOWED_HOSTS=example.com", "ALLOWED_HOSTS=localhost"), encoding="utf-8")
    run(folder, "uv", "lock")
    commit(folder)
    certificate, tls = issue_certificate(tmp_path)
    with https_port(tmp_path_factory.getbasetemp().parent), boot(tmp_path) as machine:
        prepare, clone = blocks(folder, "Copy the project")
        machine.run(prepare)
        run(folder, "git", "push", "--quiet", str(machine.root / "srv" / "my-secure-site.git"), "HEAD:main")
        machine.run(clone)
        (make,) = blocks(folder, "Secrets")
        machine.run(make, EMAIL_URL="submission://user:password@mail.example.com")
        for file in ("fullchain.pem", "privkey.pem"):
            shutil.copyfile(certificate, machine.root / "srv" / "my-secure-site" / "secrets" / "tls" / file)
        *start, superuser = blocks(folder, "Install")
        for block in start:
            machine.run(block)
        # nginx is in the group of the site for its socket, and .env may hold secrets.
        machine.run("! runuser -u www-data -- cat .env 2>/dev/null")
        machine.run("! runuser -u site -- cat secrets/tls/privkey.pem 2>/dev/null")
        environment = {"DJANGO_SUPERUSER_EMAIL": ADMIN, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
        machine.run(f"{superuser.strip()} --no-input", **environment)
        site = Site(folder, "https://localhost", {}, tls, machine.server, tmp_path / "machine.log")
        publish(site)
        restart_during_uploads(machine, site)

        machine.run(blocks(folder, "Backup")[0])
        machine.run("systemctl stop site-web site-worker && rm -r /var/lib/site/media")
        # What the migration of a new app makes.
        newer = "CREATE TABLE note (owner bigint REFERENCES users_user)"
        machine.run(f"runuser -u site -- psql --command='{newer}' site")
        assert site.visitor().get("/").status == 502
        assert "Please try again" in site.visitor().get("/").text
        machine.run(blocks(folder, "Restore")[0])
        assert is_published(site)
        assert "note" not in machine.run("runuser -u site -- psql --command='\\dt' site")

        pull, update, roll_back = blocks(folder, "Update")
        page = folder / "deploy" / "error-pages" / "unavailable.html"
        page.write_text(page.read_text(encoding="utf-8").replace("Please try", "Do try"), encoding="utf-8")
        commit(folder)
        run(folder, "git", "push", "--quiet", str(machine.root / "srv" / "my-secure-site.git"), "HEAD:main")
        for block, shown in ((pull, "Do try"), (roll_back, "Please try"), (pull, "Do try")):
            machine.run(block)
            machine.run(update)
            assert is_published(site)
            assert shown in machine.run("cat /srv/error-pages/unavailable.html")
        assert "active" in machine.run("systemctl is-active site-web site-worker site-backup.timer")
