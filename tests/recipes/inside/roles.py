"""Copied into a project with the recipe of two roles and the app `notes`."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN401, I001, INP001

import re
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core import mail
from django.core.management import call_command
from django.db import connection

from secure_django.testing import PASSWORD, HTTPSClient, Login, MakeUser, Travel
from notes.invitations import MemberForm
from notes.models import Member, Note
from notes.roles import digest
from users.models import User

pytestmark = pytest.mark.django_db

TOKEN = "t" * 43
PATH = f"/notes/invitations/{TOKEN}/"


@pytest.fixture
def made(user: User) -> Note:
    """Return an object of `user`."""
    return Note.objects.create(owner=user, title="Milk")


@pytest.fixture
def invited(made: Note) -> Member:
    """Return an invitation of a reader, by the link PATH."""
    return made.members.create(
        email="ann@example.org", role="reader", hash=digest(TOKEN)
    )


def invite(
    login: Login, made: Note, email: str = "ann@example.org", role: str = "reader"
) -> Any:
    """Let the owner invite somebody on the page of the members."""
    url = f"/notes/{made.pk}/members/"
    assert made.owner
    return login(made.owner).post(url, {"email": email, "role": role})


def test_answer_is_the_same_with_and_without_an_account(
    login: Login, other_user: User, made: Note
) -> None:
    answers = []
    for email in (other_user.email, "nobody@example.org"):
        response = invite(login, made, email)
        message = mail.outbox[-1]
        body = re.sub(r"invitations/[\w-]+", "", str(message.body))
        headers = [response.status_code, response.headers["Location"]]
        answers.append([*headers, message.subject, body])
        assert message.to == [email]
        assert "Milk" not in message.subject + body
    assert answers[0] == answers[1]


def test_token_and_email_are_not_in_the_database(login: Login, made: Note) -> None:
    invite(login, made)
    link = re.search(r"invitations/([\w-]{43})/", str(mail.outbox[-1].body))
    assert link, "the email has no link"
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            rows = repr(cursor.fetchall())
            assert link[1] not in rows, table
            assert "ann@example.org" not in rows, table
    assert Member.objects.get().hash == digest(link[1])


def test_link_alone_shows_and_changes_nothing(
    client: HTTPSClient, login: Login, other_user: User, invited: Member
) -> None:
    for method in ("get", "post"):
        response = getattr(client, method)(PATH)
        assert response.headers["Location"] == f"/accounts/login/?next={PATH}"
    for _ in range(2):
        page = login(other_user).get(PATH).text
        assert "Milk" not in page
        assert invited.email not in page
    for method in ("put", "patch", "delete"):
        assert getattr(login(other_user), method)(PATH).status_code == 405
    assert Member.objects.get().user is None


def test_guesses_find_nothing(login: Login, other_user: User, invited: Member) -> None:
    for guess in (invited.hash, TOKEN[:-1], TOKEN.upper(), "%00", "*", "0" * 5000):
        path = f"/notes/invitations/{guess}/"
        assert login(other_user).post(path).status_code in {400, 404, 429}, guess
    assert Member.objects.get().user is None


@pytest.mark.skipif(
    not apps.is_installed("secure_django.accounts"), reason="no sign-up"
)
@pytest.mark.usefixtures("invited")
def test_account_whose_email_is_not_verified_accepts_nothing() -> None:
    client = HTTPSClient()
    client.post("/accounts/signup/", {"email": "a@example.org", "password1": PASSWORD})
    assert User.objects.filter(email="a@example.org").exists()
    assert "/accounts/login/" in client.post(PATH).headers["Location"]
    client.post("/accounts/login/", {"login": "a@example.org", "password": PASSWORD})
    assert "/accounts/login/" in client.post(PATH).headers["Location"]
    assert Member.objects.get().user is None


def test_invitation_ends(
    login: Login, user: User, other_user: User, invited: Member
) -> None:
    assert login(user).post(PATH).status_code == 404
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert login(other_user).post(PATH).status_code == 404
    User.objects.filter(pk=user.pk).update(is_active=True)
    page = f"/notes/members/{invited.pk}/"
    assert login(user).post(page, {"role": "none"}).status_code == 302
    assert login(other_user).get(PATH).status_code == 404
    assert login(other_user).post(PATH).status_code == 404
    assert not Member.objects.exists()


def test_later_invitation_replaces_the_role(
    login: Login, user: User, other_user: User, made: Note, invited: Member
) -> None:
    made.members.create(user=other_user, role="editor", hash="1")
    edit = f"/notes/{made.pk}/edit/"
    assert login(other_user).get(edit).status_code == 200
    login(other_user).post(PATH)
    assert Member.objects.get() == invited
    assert login(other_user).get(edit).status_code == 404
    page = f"/notes/members/{invited.pk}/"
    for role, status in (("owner", 404), ("editor", 200), ("", 200), ("reader", 404)):
        login(user).post(page, {"role": role})
        assert login(other_user).get(edit).status_code == status, role


def test_members_are_limited(
    login: Login, made: Note, invited: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemberForm, "most", 1)
    page = invite(login, made)
    assert "You have reached the limit of 1" in page.text
    assert Member.objects.get() == invited
    assert not mail.outbox


def test_emails_are_limited_and_none_goes_to_a_malformed_address(
    login: Login, made: Note
) -> None:
    for email in ("a@b.example\nBcc: c@example.com", '"a"@example.com', "ann", ""):
        assert invite(login, made, email).status_code == 200
    assert invite(login, made, role="owner").status_code == 200
    assert not mail.outbox
    sent = [invite(login, made).status_code for _ in range(3)]
    assert sent == [302, 302, 200]
    assert "Too many invitations" in invite(login, made).text
    assert Member.objects.count() == len(mail.outbox) == 2


def test_nobody_else_reads_the_email_that_the_owner_typed(
    login: Login, user: User, other_user: User, made: Note, invited: Member
) -> None:
    login(other_user).post(PATH)
    for path in ("/notes/", made.get_absolute_url()):
        page = login(other_user).get(path).text
        assert invited.email not in page
        assert user.email not in page
        assert "/members/" not in page
        assert "/delete/" not in page
    page = login(user).get(f"/notes/{made.pk}/members/").text
    assert invited.email in page
    assert str(other_user) in page
    assert other_user.email not in page


def test_forms_need_a_token(
    user: User, other_user: User, made: Note, invited: Member
) -> None:
    client = HTTPSClient(enforce_csrf_checks=True)
    client.force_login(user)
    data = {"email": "ann@example.org", "role": "editor"}
    for page in (f"{made.pk}/members", f"members/{invited.pk}"):
        assert client.post(f"/notes/{page}/", data).status_code == 403
    client.force_login(other_user)
    assert client.post(PATH).status_code == 403
    assert Member.objects.get().role == "reader"


def test_worker_deletes_emails_of_invitations_that_have_ended(
    made: Note, other_user: User, invited: Member, travel: Travel
) -> None:
    joined = made.members.create(user=other_user, role="reader", hash="1")
    call_command("worker", "--once")
    assert Member.objects.count() == 2
    travel(timedelta(days=7, seconds=1))
    call_command("worker", "--once")
    assert Member.objects.get() == joined
    assert invited != joined


def test_member_goes_with_the_account(make_user: MakeUser, made: Note) -> None:
    friend = make_user("friend@example.com")
    made.members.create(user=friend, role="editor", hash="1")
    friend.delete()
    assert not Member.objects.exists()
    assert Note.objects.get() == made


@pytest.mark.skipif(
    not apps.is_installed("secure_django.accounts"), reason="no page deletes accounts"
)
@pytest.mark.usefixtures("invited")
def test_owner_who_deletes_the_account_takes_nothing_of_the_members(
    login: Login, user: User, make_user: MakeUser, made: Note
) -> None:
    friend = make_user("friend@example.com")
    made.members.create(user=friend, role="editor", hash="1")
    own = Note.objects.create(owner=user, title="Own")
    client = login(user)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert client.post("/accounts/delete/").status_code == 200
    assert not User.objects.filter(pk=user.pk).exists()
    assert not Note.objects.filter(pk=own.pk).exists()
    client, url = login(friend), made.get_absolute_url()
    for path in ("/notes/", url, f"{url}edit/"):
        assert "Milk" in client.get(path).text
    assert user.email not in client.get(url).text
    # Nobody else comes in any more, and nobody owns it by chance.
    assert client.get(PATH).status_code == 404
    for page in ("delete", "members"):
        assert client.post(f"{url}{page}/").status_code == 404
    friend.delete()
    assert not Note.objects.exists()
    assert not Member.objects.exists()
