"""What each page adds to notes stays the owner's, whom else the owner invites.

Copied into a project with all recipes on one app.
"""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: I001, INP001

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from secure_django.jobs import JOBS
from secure_django.testing import Login
from notes.models import Link, Note
from users.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(user: User) -> Note:
    """Return a note with all that the pages add."""
    made = Note.objects.create(
        owner=user,
        title="Milk",
        text="two **bottles**",
        file=ContentFile(b"%PDF-", "a.pdf"),
        file_name="secret.pdf",
        remind_at=timezone.now() + timedelta(days=1),
    )
    Link.renew(made)
    return made


def test_owner_sees_all_of_it(login: Login, user: User, made: Note) -> None:
    page = login(user).get(made.get_absolute_url()).text
    for text in ("<strong>bottles", "secret.pdf", "Reminder:", "/share/", "/withdraw/"):
        assert text in page, text
    form = login(user).get(f"{made.get_absolute_url()}edit/").text
    for name in ("title", "text", "cover", "remind_at", "file"):
        assert f'name="{name}"' in form, name
    assert 'type="datetime-local"' in form
    assert 'accept="application/pdf"' in form
    assert "/delete/" in login(user).get("/notes/").text


@pytest.mark.parametrize("role", ["reader", "editor"])
def test_member_sees_the_text_alone(
    role: str, login: Login, other_user: User, made: Note
) -> None:
    made.members.create(user=other_user, role=role, hash="1")
    client = login(other_user)
    url = made.get_absolute_url()
    page = client.get(url).text
    assert "<strong>bottles" in page
    for text in ("secret.pdf", "Reminder:", "/share/", "/withdraw/", "/delete/"):
        assert text not in page, text
    assert ("/edit/" in page) == (role == "editor")
    for path, method in (("file", "get"), ("share", "post"), ("withdraw", "post")):
        assert getattr(client, method)(f"{url}{path}/").status_code == 404
    for query in ("", "?q=milk"):
        index = client.get(f"/notes/{query}").text
        assert "Milk" in index
        assert "/delete/" not in index
    assert "Milk" not in client.get("/notes/?q=bread").text


def test_editor_changes_nothing_but_the_text(
    login: Login, other_user: User, made: Note
) -> None:
    made.members.create(user=other_user, role="editor", hash="1")
    url = f"{made.get_absolute_url()}edit/"
    page = login(other_user).get(url).text
    for name in ("cover", "remind_at", "file"):
        assert f'name="{name}"' not in page
    data = {
        "title": "Bread",
        "remind_at": "2020-01-01T10:00",
        "file": ContentFile(b"%PDF-1.7\n%%EOF\n", "b.pdf"),
    }
    assert login(other_user).post(url, data).status_code == 302
    before = (made.remind_at, made.file.name, made.file_name, made.owner)
    made.refresh_from_db()
    assert (made.remind_at, made.file.name, made.file_name, made.owner) == before
    assert made.title == "Bread"


def test_worker_has_the_jobs_of_all_pages() -> None:
    assert {
        "notes.jobs.send_reminders",
        "notes.jobs_files.delete_orphaned_files",
        "notes.jobs_invitations.delete_expired_invitations",
    } <= set(map(str, JOBS))
