"""What `manage.py status` finds, and the alarms that reach a person."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from socket import gethostname
from unittest.mock import MagicMock, Mock

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from pytest_django import Settings

from core import jobs
from core.models import LastRun, Mail

FULL = Mock(return_value=Mock(free=1024))
NAMES = {
    "database",
    "cache",
    "storage",
    "static files",
    "worker",
    "backup",
    "space",
    "emails",
    "migrations",
}


@pytest.fixture(autouse=True)
def site(outbox: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a site on which everything is fine."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    jobs.leave_sign()
    LastRun.objects.create(name="backup", at=timezone.now(), room=9)


def found(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, str]:
    """Return the texts of the bad lines, by name."""
    capsys.readouterr()
    try:
        call_command("status", "--json", *options)
        code = 0
    except SystemExit as error:
        code = int(error.code or 0)
    lines = json.loads(capsys.readouterr().out)
    bad = {line["name"]: line["text"] for line in lines if not line["fine"]}
    assert code == bool(bad)
    return bad


def ago(name: str, **period: int) -> int:
    return LastRun.objects.filter(name=name).update(
        at=timezone.now() - timedelta(**period)
    )


def wait(kind: Mail.Kind = Mail.Kind.NORMAL, **fields: int) -> int:
    now = timezone.now()
    late = Mail.objects.create(
        kind=kind, content="[]", expires_at=now, due_at=now, **fields
    )
    return Mail.objects.filter(pk=late.pk).update(
        created_at=now - timedelta(minutes=11)
    )


def test_status_has_a_line_for_each_part(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("status")
    lines = dict(
        line.removeprefix("ok   ").split(": ", 1)
        for line in capsys.readouterr().out.splitlines()
    )
    assert lines.keys() >= NAMES
    assert found(capsys) == {}


@pytest.mark.control("alarms")
@pytest.mark.parametrize(
    ("name", "fault", "advice"),
    [
        ("worker", lambda: ago("worker", minutes=18), "log"),
        (
            "worker",
            lambda: LastRun.objects.filter(name__startswith="worker").delete(),
            "start it",
        ),
        (
            "backup",
            lambda: LastRun.objects.filter(name="backup").delete(),
            "Make one now",
        ),
        ("backup", lambda: ago("backup", hours=27), "timer"),
        (
            "backup",
            lambda: LastRun.objects.filter(name="backup").update(room=1),
            "delete",
        ),
        ("emails", wait, "mail server"),
        ("emails", lambda: [wait(attempts=2) for _ in range(10)], "mail server"),
        (
            "migrations",
            lambda: MigrationRecorder.Migration.objects.filter(app="core").delete(),
            "core.0001_initial",
        ),
    ],
)
def test_status_says_what_is_bad_and_what_to_do(
    name: str,
    fault: Callable[[], object],
    advice: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fault()
    bad = found(capsys)
    assert list(bad) == [name]
    assert advice in bad[name]
    assert found(capsys, "--skip", name) == {}


@pytest.mark.control("alarms")
def test_one_email_that_its_recipient_puts_off_is_fine(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wait(attempts=3)
    for _ in range(20):  # anyone can cause them
        wait(Mail.Kind.UNKNOWN, attempts=3)
    assert found(capsys) == {}


@pytest.mark.control("alarms")
def test_full_disk_is_bad(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", FULL)
    assert found(capsys).keys() == {"storage", "space"}


def test_health_check_of_a_container_looks_at_its_own_worker(
    capsys: pytest.CaptureFixture[str],
) -> None:
    LastRun.objects.create(
        name="worker on another", at=timezone.now() - timedelta(hours=1)
    )
    assert "worker on another last seen" in found(capsys)["worker"]
    assert found(capsys, "--worker") == {}
    LastRun.objects.filter(name=jobs.WORKER_HERE).delete()
    assert "none was" in found(capsys, "--worker")["worker"]


def test_machine_that_was_taken_away_is_forgotten_after_a_day(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, hours in (("kept", 23), ("another", 25)):
        LastRun.objects.create(
            name=f"worker on {name}", at=timezone.now() - timedelta(hours=hours)
        )
    ago("backup", days=2)
    jobs.delete_expired()
    assert found(capsys).keys() == {"backup", "worker"}
    assert not LastRun.objects.filter(name="worker on another").exists()


@pytest.mark.control("alarms")
def test_person_is_told_once_and_when_it_is_fine_again() -> None:
    for room in (9, 1, 1, 9, 9, 1):
        LastRun.objects.filter(name="backup").update(room=room)
        call_command("status", "--alarm")
    assert [it.subject.partition("] ")[2] for it in mail.outbox] == [
        "backup is bad",
        "backup is fine again",
        "backup is bad",
    ]
    assert {recipient for it in mail.outbox for recipient in it.to} == {
        "operator@example.com"
    }
    assert "BAD  backup: made at" in str(mail.outbox[0].body)
    assert f"\n\n{gethostname()}, 20" in str(mail.outbox[0].body)
    assert not Mail.objects.exists(), "sent without the worker"


@pytest.mark.control("alarms")
def test_alarm_that_could_not_be_sent_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = MagicMock()
    server.__getitem__.side_effect = OSError("host.internal refused")
    with monkeypatch.context() as away:
        away.setattr("core.management.commands.status.mailers", server)
        with pytest.raises(CommandError, match=r"not arrive: OSError\. The next call"):
            call_command("status", "--alarm", "site-web.service")
    for _ in range(2):
        call_command("status", "--alarm")
    assert ["site-web.service is bad" in it.subject for it in mail.outbox] == [True]


@pytest.mark.control("alarms")
def test_alarm_needs_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    ago("worker", minutes=18)
    call_command("status", "--alarm")
    with monkeypatch.context() as down:
        refusing = Mock(side_effect=OperationalError("password 'secret' refused"))
        down.setattr(
            "django.db.backends.base.base.BaseDatabaseWrapper.cursor", refusing
        )
        call_command("status", "--alarm")
        call_command("status", "--alarm", "site-web.service")
    subjects = [it.subject.partition("] ")[2] for it in mail.outbox]
    assert subjects[0] == "worker is bad"
    assert "database is bad" in subjects[1]
    assert subjects[2:] == ["site-web.service is bad"]
    assert not [it for it in mail.outbox if "secret" in str(it.body)]
    call_command("status", "--alarm")
    assert "database is fine again" in mail.outbox[3].subject
    assert "worker" not in mail.outbox[3].subject


@pytest.mark.control("alarms")
def test_unit_that_fails_again_is_told_once(tmp_path: Path) -> None:
    for _ in range(3):
        call_command("status", "--alarm", "site-web.service", "site-backup.service")
        call_command("status", "--alarm")
    assert len(mail.outbox) == 1
    for path in (tmp_path / "alarms").iterdir():
        os.utime(path, (0, 0))
    LastRun.objects.all().delete()
    jobs.leave_sign()
    call_command("status", "--alarm")
    assert (
        mail.outbox[1].subject.partition("] ")[2]
        == "backup is bad, site-web.service is fine again"
    )
    LastRun.objects.create(name="backup", at=timezone.now(), room=9)
    call_command("status", "--alarm")
    assert (
        mail.outbox[2].subject.partition("] ")[2]
        == "backup is fine again, site-backup.service is fine again"
    )


def test_command_of_the_operator_gets_the_text(
    settings: Settings, tmp_path: Path
) -> None:
    settings.ALARM_COMMAND = ["tee", str(tmp_path / "text")]
    call_command("status", "--alarm", "site-web.service")
    text = (tmp_path / "text").read_text(encoding="utf-8")
    assert "site-web.service is bad\n\nBAD  site-web.service: failed." in text
    assert mail.outbox == list[EmailMessage]()
    settings.ALARM_COMMAND = ["false"]
    with pytest.raises(CommandError, match="not arrive"):
        call_command("status", "--alarm", "site-worker.service")


@pytest.mark.control("alarms")
def test_alarms_are_remembered_where_only_the_site_writes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    call_command("status", "--alarm", "../../site-web.service")
    assert [path.name for path in (tmp_path / "alarms").iterdir()] == [
        "site-web.service"
    ]
    assert (tmp_path / "alarms").stat().st_mode & 0o077 == 0
    monkeypatch.delenv("STATE_DIRECTORY")
    with pytest.raises(CommandError, match="Set STATE_DIRECTORY"):
        call_command("status", "--alarm")
