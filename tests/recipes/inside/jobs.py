"""Copied into a project with the recipe of reminders and the app `notes`."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: I001, INP001

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.forms import modelform_factory
from django.utils import timezone
from pytest_django import Settings

from secure_django.models import Mail
from secure_django.testing import Login, MakeUser, Travel
from secure_django.web.links import absolute_url
from notes.jobs import due, remind
from notes.models import Note
from users.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]
# Each of these is a line break for Python's emails or for a mail server.
INJECTED = "Milk\r\nBcc: evil@example.com\n\nX\v\f\x1c\x1d\x1e\x85\u2028\u2029Y"


def make(owner: User, title: str = "Milk") -> Note:
    """Return a note whose time has come."""
    return Note.objects.create(
        owner=owner, title=title, remind_at=timezone.now() - timedelta(minutes=1)
    )


def subjects(emails: list[Any]) -> list[str]:
    """Return the last word of each subject, in order."""
    return sorted(email.message()["Subject"].split()[-1] for email in emails)


def reminders() -> list[Any]:
    """Run the worker twice, and return the emails that it sent."""
    mail.outbox.clear()
    call_command("worker", "--once")
    call_command("worker", "--once")
    return mail.outbox


def test_owner_is_reminded_once_at_the_time_of_the_form(
    login: Login, user: User, travel: Travel
) -> None:
    client = login(user)
    data = {
        "title": "Milk",
        "text": "",
        "remind_at": f"{timezone.now():%Y-%m-%dT23:59}",
    }
    url = client.post("/notes/create/", data).headers["Location"]
    assert "Reminder:" in client.get(url).text
    assert f'value="{data["remind_at"]}"' in client.get(f"{url}edit/").text
    assert reminders() == []
    travel(timedelta(days=1))
    (email,) = reminders()
    assert email.to == [user.email]
    assert email.cc == []
    assert email.bcc == []
    assert subjects([email]) == ["Milk"]
    assert absolute_url(url) in email.message().get_content()
    login(user)  # the session has ended
    for change, number in (
        ({"text": "bottles"}, 0),
        ({"remind_at": "2020-01-01T10:00"}, 1),
        ({"remind_at": ""}, 0),
    ):
        assert client.post(f"{url}edit/", data | change).headers["Location"] == url
        assert len(reminders()) == number


def test_second_worker_finds_the_note_done_or_changed(user: User) -> None:
    done_note = make(user)
    moved_note = make(user)
    Note.objects.filter(pk=moved_note.pk).update(
        remind_at=timezone.now() + timedelta(days=1)
    )
    for pk in (done_note.pk, done_note.pk, moved_note.pk):
        remind(pk)
    assert Mail.objects.count() == 1


def test_nobody_sets_a_reminder_of_another_user(
    login: Login, user: User, other_user: User
) -> None:
    note = Note.objects.create(owner=user, title="Milk")
    past = {"title": "Spam", "remind_at": "2020-01-01T10:00"}
    client = login(other_user)
    assert client.post(f"{note.get_absolute_url()}edit/", past).status_code == 404
    assert reminders() == []
    more = {
        "owner": user.pk,
        "owner_id": user.pk,
        "reminded_for": "2020-01-01T10:00",
        "id": note.pk,
    }
    client.post("/notes/create/", past | more)
    (email,) = reminders()
    assert email.to == [other_user.email]


@pytest.mark.parametrize("way", ["form", "model"])
def test_title_adds_no_header(way: str, login: Login, user: User) -> None:
    if way == "form":
        login(user).post(
            "/notes/create/", {"title": INJECTED, "remind_at": "2020-01-01T10:00"}
        )
    else:
        make(user, INJECTED)
    (email,) = reminders()
    message = email.message()
    assert message.get_all("To") == [user.email]
    assert "Bcc" not in message
    assert "X" not in message
    assert message["Subject"].endswith("Milk Bcc: evil@example.com X Y")
    assert email.recipients() == [user.email]


def test_text_of_a_waiting_reminder_is_encrypted(user: User) -> None:
    remind(make(user, "Divorce").pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT content FROM secure_django_mail")
        ((stored,),) = cursor.fetchall()
    assert "Divorce" in Mail.objects.get().content
    assert "Divorce" not in stored


@pytest.mark.parametrize(
    "value",
    [
        "0001-01-01T00:00",
        "9999-12-31T23:59",
        "0001-01-01T00:00+14:00",
        "9999-12-31T23:59-12:00",
        "2026-13-01",
        "\0",
        "١٠",
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_odd_time_is_no_error_of_the_site(
    value: str, zone: str, login: Login, user: User, settings: Settings
) -> None:
    settings.TIME_ZONE = zone
    assert login(user).post(
        "/notes/create/", {"title": "Milk", "remind_at": value}
    ).status_code in {200, 302}
    assert login(user).get("/notes/").status_code == 200
    for note in Note.objects.all():
        assert login(user).get(note.get_absolute_url()).status_code == 200
        assert login(user).get(f"{note.get_absolute_url()}edit/").status_code == 200


def test_note_that_fails_is_tried_again_and_stops_no_other(
    user: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    notes = [make(user, title) for title in ("Bread", "Broken", "Butter")]
    send = EmailMessage.send

    def fail(self: EmailMessage) -> int:
        send(self)  # stored, and rolled back with the mark
        if "Broken" in self.subject:
            raise OSError
        return 1

    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", fail)
        assert subjects(reminders()) == ["Bread", "Butter"]
    assert f"no reminder of note {notes[1].pk}" in caplog.text
    assert subjects(reminders()) == ["Broken"]


def test_job_that_raises_stops_no_other_job(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    remind(make(user).pk)
    monkeypatch.delattr("notes.jobs.due")
    with pytest.raises(CommandError, match=r"Failed: notes\.jobs\.send_reminders\."):
        call_command("worker", "--once")
    assert len(mail.outbox) == 1


def test_deactivated_user_is_never_reminded(user: User) -> None:
    make(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert reminders() == []
    User.objects.filter(pk=user.pk).update(is_active=True)
    assert reminders() == []


def test_note_or_account_that_is_deleted_meanwhile_is_no_error(
    user: User, make_user: MakeUser
) -> None:
    gone = [make(user), make(make_user("gone@example.com"))]
    keys = list(due().values_list("pk", flat=True))
    gone[0].delete()
    gone[1].owner.delete()
    for pk in keys:
        remind(pk)
    assert len(keys) == 2
    assert reminders() == []


def test_form_that_was_open_meanwhile_does_not_take_the_mark_back(user: User) -> None:
    note = Note.objects.get(pk=make(user).pk)
    assert len(reminders()) == 1
    note.text = "two bottles"
    note.save()
    assert Note.objects.get().text == "two bottles"
    assert reminders() == []
    # Neither does the admin, which shows all fields that can be edited.
    fields = modelform_factory(Note, fields="__all__").base_fields
    assert "remind_at" in fields
    assert "reminded_for" not in fields


def test_worker_reads_the_waiting_notes_by_their_index() -> None:
    assert "notes_reminder_waits" in due().explain()
