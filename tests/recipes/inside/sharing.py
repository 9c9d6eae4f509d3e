"""Copied into a project with the recipe of a shared link and the app `notes`."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: I001, INP001

import html
import logging
import re
from datetime import timedelta

import pytest
from django.db import connection

from secure_django.logging import JSONFormatter
from secure_django.testing import HTTPSClient, Login, Travel
from secure_django.web.links import absolute_url
from notes.models import Link, Note
from users.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(user: User) -> Note:
    """Return an object of `user`."""
    return Note.objects.create(owner=user, title="Milk", text="<b>two bottles</b>")


def share(client: HTTPSClient, made: Note) -> str:
    """Make a link on the object's page, and return the link's path."""
    page = client.post(f"/notes/{made.pk}/share/")
    assert page.status_code == 200
    (url,) = re.findall(r"<code>(.+?)</code>", page.text)
    path = html.unescape(url).removeprefix(absolute_url())
    assert re.fullmatch(r"/notes/shared/[\w-]{43}/", path)
    return path


def test_anyone_with_the_link_reads_and_changes_nothing(
    login: Login, user: User, made: Note
) -> None:
    path = share(login(user), made)
    visitor = HTTPSClient()
    page = visitor.get(path)
    assert "&lt;b&gt;two bottles" in page.text
    assert user.email not in page.text
    assert f"/notes/{made.pk}/" not in page.text
    for method in ("post", "put", "patch", "delete"):
        assert getattr(visitor, method)(path).status_code == 405
    assert visitor.get(f"/notes/{made.pk}/").status_code == 302
    assert Note.objects.get().title == "Milk"


def test_page_leaks_no_link(login: Login, user: User, made: Note) -> None:
    path = share(login(user), made)
    for client in (HTTPSClient(), login(user)):
        for method in ("get", "head"):
            headers = getattr(client, method)(path).headers
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["X-Robots-Tag"] == "noindex, nofollow"
            assert headers["Cache-Control"] == "private, no-store"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "script-src 'self'" in headers["Content-Security-Policy"]


def test_token_is_neither_in_the_database_nor_in_the_log(
    login: Login, user: User, made: Note, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = share(login(user), made)
    token = path.split("/")[3]
    for _ in range(61):
        HTTPSClient().get(path)
    HTTPSClient(REMOTE_ADDR="192.0.2.1").get(f"{path[:-2]}/")
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            assert token not in repr(cursor.fetchall()), table
    assert caplog.records
    lines = [JSONFormatter().format(record) for record in caplog.records]
    assert not [line for line in lines if token[:-2] in line]


def test_link_ends(login: Login, user: User, made: Note, travel: Travel) -> None:
    client = login(user)
    visitor = HTTPSClient()
    first = share(client, made)
    second = share(client, made)
    assert [visitor.get(it).status_code for it in (first, second)] == [404, 200]
    assert Link.objects.count() == 1
    client.post(f"/notes/{made.pk}/withdraw/")
    assert visitor.get(second).status_code == 404
    third = share(client, made)
    User.objects.update(is_active=False)
    assert visitor.get(third).status_code == 404
    User.objects.update(is_active=True)
    assert visitor.get(third).status_code == 200
    travel(timedelta(days=7, seconds=1))
    assert visitor.get(third).status_code == 404


def test_link_ends_with_the_note_and_the_account(made: Note, other_user: User) -> None:
    mine = Link.renew(made)
    theirs = Link.renew(Note.objects.create(owner=other_user, title="Bread"))
    made.delete()
    other_user.delete()
    for token in (mine, theirs):
        assert HTTPSClient().get(f"/notes/shared/{token}/").status_code == 404
    assert not Link.objects.exists()


def test_another_user_neither_shares_nor_withdraws(
    login: Login, other_user: User, made: Note
) -> None:
    path = f"/notes/shared/{Link.renew(made)}/"
    client = login(other_user)
    for step in ("share", "withdraw"):
        assert client.post(f"/notes/{made.pk}/{step}/").status_code == 404
        assert client.get(f"/notes/{made.pk}/{step}/").status_code == 405
        anonymous = HTTPSClient().post(f"/notes/{made.pk}/{step}/")
        assert anonymous.headers["Location"].startswith("/accounts/login/")
    assert HTTPSClient().get(path).status_code == 200


def test_form_needs_a_token(user: User, made: Note) -> None:
    client = HTTPSClient(enforce_csrf_checks=True)
    client.force_login(user)
    for step in ("share", "withdraw"):
        assert client.post(f"/notes/{made.pk}/{step}/").status_code == 403
    assert not Link.objects.exists()


def test_guesses_find_nothing_and_are_limited(made: Note) -> None:
    token = Link.renew(made)
    link = Link.objects.get()
    guesses = [link.hash, token[:-1], token.swapcase(), "%00", "*", "%25", "0" * 5000]
    visitor = HTTPSClient(REMOTE_ADDR="192.0.2.1")
    for guess in guesses:
        assert visitor.get(f"/notes/shared/{guess}/").status_code in {400, 404}, guess
    answers = {visitor.get("/notes/shared/x/").status_code for _ in range(60)}
    assert answers == {404, 429}
    assert visitor.get(f"/notes/shared/{token}/").status_code == 429
    other = HTTPSClient(REMOTE_ADDR="192.0.2.2")
    assert other.get(f"/notes/shared/{token}/").status_code == 200
