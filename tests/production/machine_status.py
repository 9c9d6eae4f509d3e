"""`manage.py status` on a Debian with systemd: a fault is named, and stops the calls.

The service that expects them is one of the test.
"""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

from tests.support.machine import Machine, blocks, follow
from tests.support.services import wait_until

PARTS = 15
STATUS = "runuser -u site -- current/.venv/bin/python current/manage.py status"
# A drop-in that ends a worker without signs sooner than the unit does.
SOON = """
folder=/etc/systemd/system/site-worker.service.d
mkdir --parents $folder
printf '[Service]\\nWatchdogSec=10\\n' > $folder/zz.conf
systemctl daemon-reload
systemctl restart site-worker
"""
CLOCK = """runuser -u site -- psql --quiet site --command="
    UPDATE secure_django_lastrun SET at = at {change} WHERE name LIKE '{name}%'" """
READ_ONLY = """
mount --bind /var/lib/site/media /var/lib/site/media
mount -o remount,bind,ro /var/lib/site/media
"""


class Expected(BaseHTTPRequestHandler):
    """Take a call of the heartbeat."""

    server: "Heartbeat"

    def do_GET(self) -> None:
        """Count the call."""
        self.server.calls.append(self.path)
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the output of the tests clean."""


class Heartbeat(ThreadingHTTPServer):
    """A service that expects calls by HTTPS."""

    daemon_threads = True

    def __init__(self, authority: trustme.CA) -> None:
        """Listen on a free local port, with a certificate of the authority."""
        super().__init__(("127.0.0.1", 0), Expected)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(tls)
        self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.calls: list[str] = []
        self.status = 200


@contextmanager
def expecting(authority: trustme.CA) -> Iterator[Heartbeat]:
    """Run the service."""
    with Heartbeat(authority) as heartbeat:
        thread = threading.Thread(target=heartbeat.serve_forever)
        thread.start()
        try:
            yield heartbeat
        finally:
            heartbeat.shutdown()
            thread.join()


class Watched:
    """A machine, and the service that expects its calls."""

    def __init__(self, machine: Machine, heartbeat: Heartbeat) -> None:
        """Take both."""
        self.machine = machine
        self.heartbeat = heartbeat

    def ask(self, command: str) -> list[str]:
        """Return the lines that a command prints, without those of the shell."""
        output = self.machine.run(command).splitlines()
        return [line for line in output if not line.startswith("+ ")]

    def bad_lines(self) -> list[str]:
        """Let the timer's unit look at the site; return what it has logged as bad."""
        calls = len(self.heartbeat.calls)
        # A unit that is started too often in ten seconds is not started again.
        self.machine.run("systemctl reset-failed 'site-status*'")
        code = self.ask("systemctl start site-status && echo 0 || echo 1")[-1]
        invocation = "systemctl show --property=InvocationID --value site-status"
        # The journal has a line a little later than the unit ends.
        self.machine.run("journalctl --sync")
        log = self.ask(
            f"journalctl --quiet --output=cat _SYSTEMD_INVOCATION_ID=$({invocation})"
        )
        bad = [line for line in log if line.startswith(("BAD ", "CommandError"))]
        called = len(self.heartbeat.calls) - calls
        # One call after a good run, and none after another one.
        assert (code, called) == (("1", 0) if bad else ("0", 1)), log
        return bad

    def expect(self, *sentences: str) -> None:
        """Wait until these lines are bad, and no other."""
        bad: list[str] = []

        def are_bad() -> bool:
            bad[:] = self.bad_lines()
            named = zip(bad, sentences, strict=False)
            return len(bad) == len(sentences) and all(
                sentence in line for line, sentence in named
            )

        wait_until(are_bad, f"not {sentences}: {bad}")

    def expect_fine(self) -> None:
        """Wait until all is fine again."""
        self.expect()


def hang(watched: Watched) -> None:
    """Stop the worker, and wait until it is another process."""
    show = "systemctl show --property=MainPID --value site-worker"
    hung, started = watched.ask(show), time.monotonic()
    watched.machine.run("systemctl kill --signal=STOP site-worker")
    wait_until(lambda: watched.ask(show) not in (["0"], hung), "the worker hangs")
    print(f"new worker after {time.monotonic() - started:.0f} s")  # noqa: T201


def use_certificate(machine: Machine, certificate: trustme.LeafCert) -> None:
    """Install a certificate, as certbot's hook does."""
    lineage = machine.root / "srv" / "lineage"
    certificate.cert_chain_pems[0].write_to_path(lineage / "fullchain.pem")
    certificate.private_key_pem.write_to_path(lineage / "privkey.pem")
    machine.run("RENEWED_LINEAGE=/srv/lineage deploy/install-certificate")


def check_calls(watched: Watched) -> None:
    """Check that all is fine, as text and as JSON, and that no call is lost unsaid."""
    lines = watched.ask(STATUS)
    assert len(lines) == PARTS
    assert [line for line in lines if not line.startswith("ok ")] == []
    assert len(json.loads(watched.ask(f"{STATUS} --json")[-1])) == PARTS
    watched.heartbeat.status = 302
    sentence = "The heartbeat failed (status 302). Check HEARTBEAT_URL."
    assert f"CommandError: {sentence}" in watched.machine.run(f"! {STATUS}")
    assert "/elsewhere" not in watched.heartbeat.calls
    watched.heartbeat.status = 200
    watched.expect_fine()


def check_visitors(watched: Watched, authority: trustme.CA) -> None:
    """Check what a visitor meets: no nginx, no site, bad certificates."""
    machine = watched.machine
    machine.run("systemctl stop nginx")
    watched.expect("https: example.com does not answer by HTTPS (Conn")
    machine.run("systemctl start nginx")
    machine.run("systemctl stop 'site-web@*'")
    watched.expect("https: the start page of example.com has status 502")
    machine.run("systemctl start site-web@$(basename $(readlink current))")
    watched.expect_fine()
    now = datetime.now(UTC)
    soon = authority.issue_cert("example.com", not_after=now + timedelta(days=9))
    past = authority.issue_cert("example.com", not_after=now - timedelta(days=1))
    for certificate, sentence in (
        (soon, "example.com answers, its certificate ends at"),
        (past, "(certificate has expired). Renew it"),
        (authority.issue_cert("www.example.com"), "(Hostname mismatch"),
        (trustme.CA().issue_cert("example.com"), "(unable to get local issuer"),
    ):
        use_certificate(machine, certificate)
        watched.expect(sentence)
    # Visitors of the test call the machine localhost.
    use_certificate(machine, authority.issue_cert("example.com", "localhost"))
    watched.expect_fine()


def check_worker(watched: Watched) -> None:
    """Check that a worker that hangs is started again, and one that is gone named."""
    machine = watched.machine
    machine.run(SOON)
    for _ in range(2):
        hang(watched)
    watched.expect_fine()
    machine.run("systemctl stop site-worker")
    # A clock that was ahead hides nothing.
    for change in ("- interval '6 minutes'", "+ interval '1 day'"):
        machine.run(CLOCK.format(change=change, name="worker"))
        watched.expect("worker: worker last seen at")
    machine.run("systemctl start site-worker")
    watched.expect_fine()


def check_backup(watched: Watched) -> None:
    """Check that a backup that failed is named once the last one is too old."""
    machine = watched.machine
    # restic tries again for a quarter of an hour where a repository cannot be reached.
    machine.run("mv secrets/restic_password password")
    machine.run("! systemctl start site-backup")
    machine.run(CLOCK.format(change="- interval '27 hours'", name="backup"))
    watched.expect("backup: made at")
    machine.run("mv password secrets/restic_password")
    machine.run("systemctl start site-backup")
    watched.expect_fine()


def check_services(watched: Watched) -> None:
    """Check that a disk that takes no photos is named, and a database that is away."""
    machine = watched.machine
    machine.run(READ_ONLY)
    watched.expect("storage: failed with OSError. The disk of MEDIA_ROOT")
    machine.run("umount /var/lib/site/media")
    watched.expect_fine()
    machine.run("systemctl stop postgresql")
    # The cache is in the database.
    watched.expect(
        "database: failed with OperationalError. Start PostgreSQL, or check",
        "cache: failed with OperationalError. Start Redis, or check CACHE_URL",
    )
    machine.run("systemctl start postgresql")
    watched.expect_fine()


def check_faults_are_named(
    machine: Machine, project: Path, authority: trustme.CA
) -> None:
    """Check that each fault of a machine is named, and ends the calls."""
    with expecting(authority) as heartbeat:
        watched = Watched(machine, heartbeat)
        assert watched.ask("systemctl is-active site-status.timer") == ["active"]
        machine.run("systemctl stop site-status.timer")
        backup, _ = blocks(project, "Backup and restore")
        follow(machine, project, backup)
        wait_until(lambda: "worker on" in machine.run(f"{STATUS} || true"), "no sign")

        # As the document says.
        url = f"https://localhost:{heartbeat.server_address[1]}/ping/secret"
        machine.run(f"echo HEARTBEAT_URL={url} >> .env")
        (call,) = blocks(project, "Heartbeat")
        follow(machine, project, call)
        assert heartbeat.calls == ["/ping/secret"]

        check_calls(watched)
        check_visitors(watched, authority)
        check_worker(watched)
        check_backup(watched)
        check_services(watched)
        machine.run("sed --in-place '/^HEARTBEAT_URL=/d' .env")
