"""Alarms: on a Debian with systemd, and what cron runs beside containers."""

import json
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from tests.support.accounts import Mailbox, plain_text
from tests.support.baking import ALL_OFF, Project, run
from tests.support.machine import Machine, boot
from tests.support.services import wait_until

pytestmark = pytest.mark.tier("whole")

# docs/deployment.md has the same steps, and test_systemd.py runs them as written.
INSTALL = """
adduser --quiet --system --group --home /var/lib/site --no-create-home site
runuser -u postgres -- createuser --createdb site
runuser -u postgres -- createdb --owner=site site
ln --symbolic . current
mkdir releases && ln --symbolic .. releases/test
chown site: secrets
install --owner=site --group=site --mode=0400 deploy/production.env .env
python3 -m venv /opt/uv
/opt/uv/bin/pip install --quiet uv
UV_PYTHON=/usr/bin/python3 /opt/uv/bin/uv sync --quiet --locked --no-dev \\
    --all-extras --compile-bytecode
install --directory --owner=site --group=site --mode=0700 /var/lib/site
runuser -u site -- .venv/bin/python manage.py migrate --no-input
.venv/bin/python manage.py collectstatic --no-input
cp --recursive deploy/site-* /etc/systemd/system/
mkdir /etc/systemd/system/site-worker.service.d
printf '[Service]\\nWatchdogSec=10\\n' \\
    > /etc/systemd/system/site-worker.service.d/zz.conf
systemctl daemon-reload
systemctl start site-worker {web}
systemctl start site-backup
"""
STATUS = "runuser -u site -- .venv/bin/python manage.py status"
AGE = "UPDATE core_lastrun SET at = at - interval '27 hours' WHERE name = 'backup'"
DOCKER = """#!/bin/sh
shift
case $1 in
    ps) cat "$0.ps" ;;
    *) echo "$*" >> "$0.log" ;;
esac
"""
TABLE = """\
NAME                     IMAGE          SERVICE CREATED STATUS              PORTS
my-secure-site-proxy-1   nginx:1.30     proxy   2 days  Up 2 days (healthy) 80/tcp
my-secure-site-site-1    my-secure-site site    2 days  {site}
my-secure-site-worker-1  my-secure-site worker  2 days  {worker}
my-secure-site-migrate-1 my-secure-site migrate 2 days  Exited (0) 2 days ago
"""


def ask(machine: Machine, command: str) -> list[str]:
    """Return the lines that a command prints, without those of the shell."""
    return [
        line for line in machine.run(command).splitlines() if not line.startswith("+ ")
    ]


def check_status(machine: Machine) -> None:
    """Check that all is fine, as text and as JSON, once the worker has left a sign."""
    wait_until(
        lambda: (
            "worker on"
            in machine.run("runuser -u site -- psql --command='TABLE core_lastrun'")
        ),
        "no sign",
    )
    lines = ask(machine, STATUS)
    assert [line for line in lines if not line.startswith("ok ")] == []
    assert len(lines) == len(json.loads(ask(machine, f"{STATUS} --json")[-1])) == 9


def is_active(machine: Machine, unit: str) -> bool:
    """Tell whether a unit runs, and has said so."""
    return ask(machine, f"systemctl is-active {unit} || true") == ["active"]


def hang(machine: Machine) -> None:
    """Stop the worker, and wait until it is another process."""
    show = "systemctl show --property=MainPID --value site-worker"
    wait_until(lambda: is_active(machine, "site-worker"), "no worker")
    hung, started = ask(machine, show), time.monotonic()
    machine.run("systemctl kill --signal=STOP site-worker")
    wait_until(lambda: ask(machine, show) not in (["0"], hung), "the worker hangs")
    print(f"new worker after {time.monotonic() - started:.0f} s")  # noqa: T201


def test_person_learns_what_fails_on_a_machine(
    project: Project, tmp_path: Path
) -> None:
    folder = project(ALL_OFF)
    run(folder, "uv", "lock")
    with Mailbox() as mailbox, boot(tmp_path) as machine:
        threading.Thread(target=mailbox.serve_forever, daemon=True).start()
        run(
            folder,
            "deploy/make-secrets",
            EMAIL_URL=f"smtp://127.0.0.1:{mailbox.server_address[1]}",
        )
        shutil.copytree(folder, machine.root / "srv" / "my-secure-site", symlinks=True)
        web = (
            "site-web@test.service"
            if (folder / "deploy" / "site-web@.service").exists()
            else "site-web.service"
        )
        machine.run(INSTALL.format(web=web))
        check_status(machine)
        told: list[str] = []

        def is_told(*names: str) -> None:
            """Wait for one email with these names, and no other."""
            wait_until(
                lambda: len(mailbox.messages) > len(told), f"nobody was told of {names}"
            )
            subject, text = (
                str(mailbox.messages[-1]["Subject"]),
                plain_text(mailbox.messages[-1]),
            )
            told.append(subject)
            assert [name for name in names if name not in subject] == [], (
                subject,
                text,
            )
            assert len(mailbox.messages) == len(told), [
                str(it["Subject"]) for it in mailbox.messages
            ]

        machine.run("systemctl start site-status")
        assert mailbox.messages == []

        # A worker that hangs is started again.
        for _ in range(2):
            hang(machine)
        is_told("site-worker.service is bad")
        # And a server that is killed.
        machine.run(f"systemctl kill --signal=KILL --kill-whom=main {web}")
        is_told(f"{web} is bad")
        wait_until(
            lambda: is_active(machine, web) and is_active(machine, "site-worker"),
            "one stays away",
        )

        # A backup that fails, and one that is too old.
        machine.run(
            "mv /var/lib/site/backups /var/lib/site/kept && touch /var/lib/site/backups"
        )
        machine.run("! systemctl start site-backup")
        is_told("site-backup.service is bad")
        machine.run(f'runuser -u site -- psql --command="{AGE}"')
        for _ in range(2):
            machine.run("systemctl start site-status")
        is_told("backup is bad")
        assert "BAD  backup: made at" in machine.run(f"! {STATUS}")
        machine.run(
            "rm /var/lib/site/backups && mv /var/lib/site/kept /var/lib/site/backups"
        )
        machine.run("systemctl start site-backup && systemctl start site-status")
        is_told("backup is fine again", "site-backup.service is fine again")

        # Without a database.
        machine.run("systemctl stop postgresql")
        assert "BAD  database: failed with OperationalError" in machine.run(
            f"! {STATUS}"
        )
        machine.run("systemctl start site-status")
        is_told("database is bad")
        machine.run("systemctl start postgresql && systemctl start site-status")
        is_told("database is fine again")


def test_cron_tells_of_containers_that_failed(project: Project, tmp_path: Path) -> None:
    folder = project(ALL_OFF)
    docker = tmp_path / "docker"
    docker.write_text(DOCKER, encoding="utf-8")
    docker.chmod(0o755)

    def calls(site: str, worker: str) -> list[str]:
        (tmp_path / "docker.ps").write_text(
            TABLE.format(site=site, worker=worker), encoding="utf-8"
        )
        (tmp_path / "docker.log").write_text("", encoding="utf-8")
        run(
            tmp_path,
            str(folder / "deploy" / "watch"),
            PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        )
        return (tmp_path / "docker.log").read_text(encoding="utf-8").splitlines()

    look = "run --rm --no-deps -T worker python manage.py status --alarm"
    assert calls("Up 2 days (healthy)", "Up 2 days (healthy)") == [look]
    assert calls("Restarting (1) 2 seconds ago", "Up 2 days (healthy)") == [
        f"{look} my-secure-site-site-1",
        look,
    ]
    names = "my-secure-site-site-1 my-secure-site-worker-1"
    assert calls("Exited (137) a minute ago", "Up 2 minutes (unhealthy)") == [
        f"{look} {names}",
        look,
    ]
