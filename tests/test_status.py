"""What `manage.py status` finds, and the heartbeat that a good run sends."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ssl import SSLCertVerificationError
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from pytest_django import Settings

from example.tasks import greet
from secure_django import jobs
from secure_django.models import LastRun, Mail, QueuedTask
from secure_django.web.health import SERVICES

FULL = Mock(return_value=Mock(free=1024))
HEARTBEAT_URL = "https://heartbeat.example.com/ping/secret"
NAMES = {
    "database",
    "cache",
    "storage",
    "static files",
    "https",
    "worker",
    "jobs",
    "backup",
    "space",
    "emails",
    "tasks",
    "migrations",
    "proxies",
}
EXPIRED = SSLCertVerificationError()
EXPIRED.verify_message = "certificate has expired"


@pytest.fixture(autouse=True)
def server(outbox: None, monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Make a site on which everything is fine, and return what answers by HTTPS."""
    jobs.leave_sign()
    LastRun.objects.create(name="backup", at=timezone.now())
    server = Mock(hosts=Mock())
    server.sock.getpeercert.return_value = certificate(days=60)
    server.getresponse.return_value.status = 200
    server.hosts.return_value = server
    monkeypatch.setattr("secure_django.status.HTTPSConnection", server.hosts)
    return server


def certificate(**left: int) -> dict[str, str]:
    return {"notAfter": f"{timezone.now() + timedelta(**left):%b %d %H:%M:%S %Y} GMT"}


def visited(server: Mock) -> list[tuple[str, str]]:
    """Return the hosts and the paths that were asked for."""
    hosts = [call.args[0] for call in server.hosts.call_args_list]
    paths = [call.args[1] for call in server.request.call_args_list]
    return list(zip(hosts, paths, strict=True))


def bad_lines(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, str]:
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


def enqueue(**minutes: int) -> QueuedTask:
    """Enqueue a task, with fields whose times were some minutes ago."""
    now = timezone.now()
    key = greet.enqueue(1).id
    times = {name: now - timedelta(minutes=ago) for name, ago in minutes.items()}
    QueuedTask.objects.filter(pk=key).update(**times)
    return QueuedTask.objects.get(pk=key)


def give_up(hours: int = 23) -> None:
    row = enqueue(finished_at=hours * 60)
    QueuedTask.objects.filter(pk=row.pk).update(status="FAILED", due_at=None)


def start(name: str, moment: datetime) -> LastRun:
    """Record the start of a job that has not ended."""
    return LastRun.objects.create(name=f"job {name} on server", at=moment)


def fail(name: str, **period: int) -> LastRun:
    """Record the first failure of a job that has not succeeded since."""
    moment = timezone.now() - timedelta(**period)
    return LastRun.objects.create(name=f"failing job {name} on server", at=moment)


def test_tasks_that_wait_for_less_or_ended_before_are_fine(
    capsys: pytest.CaptureFixture[str],
) -> None:
    enqueue(due_at=59, unknown_since=59)
    enqueue(due_at=9)
    enqueue(due_at=-61)
    enqueue(due_at=90, claimed_until=-1)  # it runs
    give_up(hours=25)
    assert bad_lines(capsys) == {}


def test_status_has_a_line_for_each_part(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("status")
    lines = dict(
        line.removeprefix("ok   ").split(": ", 1)
        for line in capsys.readouterr().out.splitlines()
    )
    assert lines.keys() >= NAMES
    assert bad_lines(capsys) == {}


@pytest.mark.control("status")
@pytest.mark.parametrize(
    ("name", "fault", "advice"),
    [
        ("worker", lambda: ago("worker", minutes=6), "log"),
        ("worker", lambda: ago("worker", minutes=-2), "a clock was wrong"),
        (
            "worker",
            lambda: LastRun.objects.filter(name__startswith="worker").delete(),
            "start it",
        ),
        (
            "jobs",
            lambda: start(
                "secure_django.jobs.send_mails", datetime(2026, 1, 31, 9, tzinfo=UTC)
            ),
            (
                "secure_django.jobs.send_mails on server has not ended since"
                " 2026-01-31 09:00 UTC."
            ),
        ),
        (
            "jobs",
            lambda: fail("secure_django.jobs.send_mails", minutes=11),
            "secure_django.jobs.send_mails on server fails each time since",
        ),
        (
            "jobs",
            lambda: fail("secure_django.jobs.delete_expired", minutes=16),
            "The worker's log says where it hangs or fails.",
        ),
        (
            "backup",
            lambda: LastRun.objects.filter(name="backup").delete(),
            "Make one now",
        ),
        ("backup", lambda: ago("backup", hours=27), "timer"),
        ("backup", lambda: ago("backup", hours=-1), "a clock was wrong"),
        ("tasks", lambda: enqueue(due_at=61), "1 of them for more than an hour"),
        (
            "tasks",
            lambda: enqueue(due_at=11),
            "none began for ten minutes in the queue default. The admin's",
        ),
        (
            "tasks",
            lambda: [enqueue(due_at=11), enqueue(last_attempted_at=-5)],
            "none began for ten minutes in the queue default",
        ),
        ("tasks", lambda: enqueue(unknown_since=61), "1 of them for code that has"),
        ("tasks", give_up, "1 were given up within a day. The admin's list of tasks"),
        ("emails", wait, "EMAIL_URL"),
        ("emails", lambda: [wait(attempts=2) for _ in range(10)], "EMAIL_URL"),
        (
            "migrations",
            lambda: MigrationRecorder.Migration.objects.filter(
                app="secure_django"
            ).delete(),
            "secure_django.0001_initial",
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
    bad = bad_lines(capsys)
    assert list(bad) == [name]
    assert advice in bad[name]
    assert bad_lines(capsys, "--skip", name) == {}


@pytest.mark.control("status")
@pytest.mark.parametrize(
    ("service", "advice"),
    [
        ("database", "DATABASE_URL"),
        ("cache", "CACHE_URL"),
        ("storage", "MEDIA_ROOT"),
        ("static files", "collectstatic"),
    ],
)
def test_service_that_fails_is_named_with_its_variable(
    service: str,
    advice: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusing = Mock(side_effect=OperationalError("password 'secret' refused"))
    monkeypatch.setitem(SERVICES, service, refusing)
    bad = bad_lines(capsys)
    assert list(bad) == [service]
    assert "failed with OperationalError" in bad[service]
    assert advice in bad[service]
    assert "secret" not in bad[service]


@pytest.mark.control("status")
@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (
            {"request.side_effect": ConnectionRefusedError},
            "does not answer by HTTPS (ConnectionRefusedError). Start the proxy",
        ),
        ({"request.side_effect": EXPIRED}, "(certificate has expired). Renew it"),
        ({"sock.getpeercert.return_value": certificate(days=9)}, "UTC. Renew it"),
        ({"getresponse.return_value.status": 502}, "has status 502. Look at the log"),
        ({"getresponse.return_value.status": 301}, "has status 301"),
    ],
)
def test_status_sees_what_a_visitor_sees(
    fault: dict[str, Any],
    advice: str,
    server: Mock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.configure_mock(**fault)
    bad = bad_lines(capsys)
    assert list(bad) == ["https"]
    assert advice in bad["https"]
    assert visited(server) == [("localhost", "/")]
    assert bad_lines(capsys, "--skip", "https") == {}


def test_start_page_is_that_of_the_sites_url(
    server: Mock, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    settings.SITE_URL = "https://staging.example.com:8443"
    assert bad_lines(capsys) == {}
    assert visited(server) == [("staging.example.com:8443", "/")]


def test_start_page_may_need_a_log_in_and_debug_has_none(
    server: Mock, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    server.getresponse.return_value.status = 302
    assert bad_lines(capsys) == {}
    server.request.side_effect = OSError
    settings.DEBUG = True
    assert bad_lines(capsys) == {}


@pytest.mark.control("status")
def test_heartbeat_is_sent_if_all_is_fine(
    server: Mock, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    settings.HEARTBEAT_URL = HEARTBEAT_URL
    sent = ("heartbeat.example.com", "/ping/secret")
    assert bad_lines(capsys) == {}
    assert visited(server) == [("localhost", "/"), sent]
    assert bad_lines(capsys, "--worker") == {}
    ago("worker", hours=1)
    assert bad_lines(capsys).keys() == {"worker"}
    assert visited(server).count(sent) == 1


@pytest.mark.control("status")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"request.side_effect": ConnectionRefusedError}, "ConnectionRefusedError"),
        ({"getresponse.return_value.status": 302}, "status 302"),
    ],
)
def test_heartbeat_that_does_not_arrive_is_an_error(
    fault: dict[str, Any], reason: str, server: Mock, settings: Settings
) -> None:
    settings.HEARTBEAT_URL = HEARTBEAT_URL
    server.configure_mock(**fault)
    with pytest.raises(CommandError) as failure:
        call_command("status", "--skip", "https")
    sentence = f"The heartbeat failed ({reason}). Check HEARTBEAT_URL."
    assert str(failure.value) == sentence
    assert len(visited(server)) == 1


@pytest.mark.control("status")
def test_job_within_its_limit_or_of_an_older_release_is_fine(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start("secure_django.jobs.send_mails", timezone.now() - timedelta(minutes=1))
    start("secure_django.jobs.delete_expired", timezone.now() - timedelta(minutes=14))
    start("removed.jobs.work", timezone.now() - timedelta(hours=1))
    fail("secure_django.jobs.send_mails", minutes=9)
    fail("secure_django.jobs.delete_expired", minutes=14)  # its next turn may succeed
    fail("removed.jobs.work", hours=1)
    assert bad_lines(capsys) == {}


@pytest.mark.control("status")
def test_one_email_that_its_recipient_puts_off_is_fine(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wait(attempts=3)
    for _ in range(20):  # anyone can cause them
        wait(Mail.Kind.UNKNOWN, attempts=3)
    assert bad_lines(capsys) == {}


@pytest.mark.control("status")
def test_full_disk_is_bad(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", FULL)
    assert bad_lines(capsys).keys() == {"storage", "space"}


def test_health_check_of_a_container_looks_at_its_own_worker(
    capsys: pytest.CaptureFixture[str],
) -> None:
    LastRun.objects.create(
        name="worker on another", at=timezone.now() - timedelta(hours=1)
    )
    assert "worker on another last seen" in bad_lines(capsys)["worker"]
    assert bad_lines(capsys, "--worker") == {}
    LastRun.objects.filter(name=jobs.WORKER_HERE).delete()
    assert "none was" in bad_lines(capsys, "--worker")["worker"]


def test_machine_that_was_taken_away_is_forgotten_after_a_day(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, hours in (("kept", 23), ("another", 25)):
        LastRun.objects.create(
            name=f"worker on {name}", at=timezone.now() - timedelta(hours=hours)
        )
    start("secure_django.jobs.send_mails", timezone.now() - timedelta(hours=25))
    ahead = timezone.now() + timedelta(days=1)
    LastRun.objects.create(name="worker on one with a wrong clock", at=ahead)
    ago("worker", days=2)
    jobs.delete_expired()
    assert "worker last seen" in bad_lines(capsys)["worker"], "the row of all stays"
    names = set(LastRun.objects.values_list("name", flat=True))
    assert names == {"worker", jobs.WORKER_HERE, "worker on kept", "backup"}


def test_machine_that_runs_keeps_the_rows_of_what_hangs_or_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    LastRun.objects.create(name="worker on server", at=timezone.now())
    fail("secure_django.jobs.send_mails", hours=25)
    jobs.delete_expired()
    assert "fails each time since" in bad_lines(capsys)["jobs"]
