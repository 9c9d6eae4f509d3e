"""Attacks on an API's tokens, requests and other users' objects.

Copied into a project with the recipe of an API.
"""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN401, ARG001, D102, D107, EM101, I001, INP001

import json
import logging
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from secure_django.models import Session
from secure_django.testing import HTTPSClient, Login, MakeImage, MakeUser, Travel
from notes.forms import NoteForm
from notes.models import Note
from tokens.models import Token
from secure_django.photos import images
from secure_django.photos.models import Photo, Status
from secure_django.web.links import absolute_url
from users.models import User

URL = "/api/notes"
LOCAL = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
FIELDS = {"title": "Milk", "text": "two bottles"}


class Caller:
    """A program with a token."""

    def __init__(self, owner: User, **fields: Any) -> None:
        self.client = HTTPSClient()
        self.token = Token(owner=owner, **{"may_write": True} | fields)
        self.secret = self.token.new_secret()
        self.token.save()

    def __call__(
        self, method: str, url: str = URL, data: Any = None, **options: Any
    ) -> Any:
        header = {"Authorization": f"Bearer {self.secret}"}
        kind = options.pop("content_type", "application/json")
        body = (
            data
            if isinstance(data, bytes | str)
            else ""
            if data is None
            else json.dumps(data)
        )
        self.client.raise_request_exception = False
        response = self.client.generic(
            method, url, body, kind, headers=header, **options
        )
        assert "no-store" in response.headers["Cache-Control"]
        assert not response.cookies
        if response.status_code >= 400:
            assert response.headers["Content-Type"].startswith("application/json")
            assert int(
                response.headers.get("Content-Length", len(response.content))
            ) == len(response.content)
            assert set(response.json()) == {"detail"}
        return response

    def upload(self, url: str, content: bytes, name: str = "a.jpg") -> Any:
        header = {"Authorization": f"Bearer {self.secret}"}
        return self.client.post(
            url,
            {"cover": SimpleUploadedFile(name, content, "image/jpeg")},
            headers=header,
        )


@pytest.fixture
def call(user: User) -> Caller:
    return Caller(user)


@pytest.fixture
def note(user: User) -> Note:
    return Note.objects.create(owner=user, **FIELDS)


def test_owner_lists_reads_adds_changes_and_deletes(call: Caller, user: User) -> None:
    made = call("POST", data=FIELDS)
    assert made.status_code == 201
    url = f"{URL}/{made.json()['id']}"
    assert call("GET", url).json() == made.json()
    assert {name: made.json()[name] for name in FIELDS} == FIELDS
    assert Note.objects.get().owner == user
    changed = call("PUT", url, {"title": "Bread"})
    assert changed.status_code == 200
    assert changed.json()["title"] == "Bread"
    assert changed.json()["text"] == FIELDS["text"]
    assert call("GET").json() == {"items": [changed.json()], "pages": 1}
    assert call("DELETE", url).status_code == 204
    assert call("GET", url).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    "named", [{}, {"title": "Bread"}, {"text": ""}, {"title": "Bread", "text": ""}]
)
def test_change_keeps_what_the_request_does_not_name(
    call: Caller, note: Note, method: str, named: dict[str, str]
) -> None:
    response = call(method, f"{URL}/{note.pk}", named)
    assert response.status_code == 200
    note.refresh_from_db()
    assert {"title": note.title, "text": note.text} == FIELDS | named


def test_change_takes_back_nothing_that_was_changed_meanwhile(
    call: Caller, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = NoteForm.full_clean

    def clean_late(form: NoteForm) -> None:
        Note.objects.update(title="Changed")
        clean(form)

    monkeypatch.setattr(NoteForm, "full_clean", clean_late)
    response = call("PATCH", f"{URL}/{note.pk}", {"text": "New"})
    assert response.status_code == 200
    assert response.json()["title"] == "Changed"
    note.refresh_from_db()
    assert (note.title, note.text) == ("Changed", "New")


@pytest.mark.parametrize("title", ["", "  ", None, 4711])
def test_change_to_no_title_is_refused(call: Caller, note: Note, title: Any) -> None:
    url = f"{URL}/{note.pk}"
    for method in ("PUT", "PATCH"):
        assert call(method, url, {"title": title}).status_code == 422
    note.refresh_from_db()
    assert note.title == "Milk"


def test_secret_is_shown_once_and_stored_nowhere(login: Login, user: User) -> None:
    client = login(user)
    page = client.post("/tokens/create/", {"title": "Script", "may_write": "on"})
    secret = page.text.partition("<code>")[2].partition("</code>")[0]
    token = Token.objects.get()
    assert len(secret) == 43
    assert token.hash == sha256(secret.encode()).hexdigest()
    assert token.may_write
    assert "no-store" in page.headers["Cache-Control"]
    for url in (
        "/tokens/",
        token.get_absolute_url(),
        f"{token.get_absolute_url()}edit/",
    ):
        text = client.get(url).text
        assert secret not in text
        assert token.hash not in text
    assert secret not in str(
        [session.get_decoded() for session in Session.objects.all()]
    )
    (email,) = mail.outbox
    assert email.to == [user.email]
    assert absolute_url(token.get_absolute_url()) in email.body
    assert secret not in email.body
    header = {"Authorization": f"Bearer {secret}"}
    assert HTTPSClient().get(URL, headers=header).status_code == 200


def test_refused_form_makes_no_token(login: Login, user: User) -> None:
    assert login(user).post("/tokens/create/", {"title": ""}).status_code == 200
    assert not Token.objects.exists()
    assert not mail.outbox


def test_form_sets_no_hash_expiry_or_owner(
    login: Login, user: User, other_user: User
) -> None:
    mine = {
        "hash": sha256(b"known").hexdigest(),
        "expires_at": "2099-01-01",
        "owner": other_user.pk,
        "used_on": "2000-01-01",
    }
    client = login(user)
    client.post("/tokens/create/", {"title": "Script"} | mine)
    token = Token.objects.get()
    client.post(f"{token.get_absolute_url()}edit/", {"title": "Script"} | mine)
    token.refresh_from_db()
    assert token.hash != mine["hash"]
    assert token.owner == user
    assert token.used_on is None
    assert timedelta(days=89) < token.expires_at - timezone.now() <= timedelta(days=90)
    assert Token.find("known") is None


def test_token_that_only_reads_changes_nothing(
    user: User, note: Note, make_image: MakeImage
) -> None:
    call = Caller(user, may_write=False)
    assert call("GET").status_code == call("GET", f"{URL}/{note.pk}").status_code == 200
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for url in (URL, f"{URL}/{note.pk}", f"{URL}/{note.pk}/cover"):
            response = call(method, url, FIELDS)
            assert (response.status_code, response.json()) == (
                403,
                {"detail": "Forbidden"},
            )
    for trick in (
        {"HTTP_X_HTTP_METHOD_OVERRIDE": "DELETE"},
        {"QUERY_STRING": "_method=DELETE"},
    ):
        call("GET", f"{URL}/{note.pk}", **trick)
    assert call.upload(f"{URL}/{note.pk}/cover", make_image()).status_code == 403
    assert Note.objects.get().title == "Milk"
    assert not Photo.objects.exists()


def test_other_users_objects_are_not_found(
    other_user: User, note: Note, make_image: MakeImage
) -> None:
    call = Caller(other_user)
    url = f"{URL}/{note.pk}"
    assert call("GET").json()["items"] == []
    missing = call("GET", f"{URL}/4711")
    for method, path in (
        ("GET", url),
        ("PUT", url),
        ("PATCH", url),
        ("DELETE", url),
        ("GET", f"{url}/cover"),
    ):
        response = call(method, path, FIELDS | {"title": "Taken"})
        assert (response.status_code, response.content) == (404, missing.content)
    assert call.upload(f"{url}/cover", make_image()).status_code == 404
    assert not Photo.objects.exists()
    assert Note.objects.get().title == "Milk"


def test_staff_and_superusers_find_no_more_than_their_own(
    make_user: MakeUser, note: Note
) -> None:
    call = Caller(make_user("admin@example.com", is_staff=True, is_superuser=True))
    assert call("GET").json()["items"] == []
    assert call("GET", f"{URL}/{note.pk}").status_code == 404


def test_expired_revoked_and_disabled_tokens_are_refused(
    call: Caller, user: User, travel: Travel
) -> None:
    assert call("GET").status_code == 200
    travel(timedelta(days=89, hours=23))
    assert call("GET").status_code == 200
    travel(timedelta(hours=2))
    assert call("GET").status_code == 401
    fresh = Caller(user)
    assert fresh("GET").status_code == 200
    User.objects.update(is_active=False)
    assert fresh("GET").status_code == 401
    User.objects.update(is_active=True)
    assert fresh("GET").status_code == 200
    HTTPSClient().post(f"{fresh.token.get_absolute_url()}delete/")
    assert fresh("GET").status_code == 200
    client = HTTPSClient()
    client.force_login(user)
    client.post(f"{fresh.token.get_absolute_url()}delete/")
    assert fresh("GET").status_code == 401


def test_deleted_account_has_no_tokens(call: Caller, user: User) -> None:
    user.delete()
    assert call("GET").status_code == 401


def test_forged_headers_are_refused(call: Caller, note: Note) -> None:
    secret = call.secret
    stored_hash = call.token.hash
    forged = [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer  {secret}",
        f"Token {secret}",
        f"Basic {secret}",
        secret,
    ]
    forged += [
        f"Bearer {secret[:-1]}",
        f"Bearer {secret}x",
        f"Bearer {secret}, Bearer {secret}",
        f"Bearer {stored_hash}",
    ]
    forged += [
        f"Bearer {secret.swapcase()}",
        "Bearer ' OR 1=1 --",
        "Bearer %",
        "Bearer \xff\xfe",
        "Bearer " + "x" * 8000,
    ]
    for header in forged:
        response = HTTPSClient().get(URL, headers={"Authorization": header})
        assert (response.status_code, response.json()) == (
            401,
            {"detail": "Unauthorized"},
        ), header
        assert response.headers["WWW-Authenticate"] == "Bearer"
    assert (
        HTTPSClient().get(URL, {"token": secret, "access_token": secret}).status_code
        == 401
    )
    client = HTTPSClient()
    client.cookies["Authorization"] = f"Bearer {secret}"
    assert client.get(URL).status_code == 401
    assert (
        HTTPSClient()
        .get(URL, headers={"Authorization": f"bearer {secret}"})
        .status_code
        == 200
    )


def test_session_is_no_token_and_token_is_no_session(
    call: Caller, login: Login, user: User, other_user: User
) -> None:
    session = login(user)
    for method in ("get", "post", "put", "delete"):
        assert getattr(session, method)(URL).status_code == 401
    call.client = login(other_user)
    header = {"Authorization": f"Bearer {call.secret}"}
    before = dict(call.client.session)
    made = call.client.post(
        URL, FIELDS, content_type="application/json", headers=header
    )
    assert made.status_code == 201
    assert Note.objects.get().owner == user, "of both, the token counts"
    assert dict(call.client.session) == before
    for url in ("/notes/", "/tokens/", "/admin/", "/tokens/create/"):
        assert HTTPSClient().get(url, headers=header).status_code == 302
    assert (
        HTTPSClient().post("/notes/create/", FIELDS, headers=header).status_code == 302
    )


def test_no_csrf_token_is_needed_since_no_cookie_counts(call: Caller) -> None:
    call.client = HTTPSClient(enforce_csrf_checks=True)
    assert (
        call("POST", data=FIELDS, HTTP_ORIGIN="https://elsewhere.example").status_code
        == 201
    )
    preflight = HTTPSClient().options(URL, HTTP_ORIGIN="https://elsewhere.example")
    assert not [
        name for name in preflight.headers if name.lower().startswith("access-control")
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 422),
        ("{", 400),
        ("null", 400),
        ("[]", 400),
        ('"text"', 400),
        ("1e400", 400),
        ('{"title": "a", "title": "b"}', 400),
        ("[" * 100_000, 400),
        ('{"title": ' * 50_000, 400),
        (b"\xff\xfe", 400),
        ('{"title": 4711}', 422),
        ('{"title": null}', 422),
        ('{"title": {"$ne": ""}}', 422),
        ('{"title": ""}', 422),
        ('{"title": "  "}', 422),
        ('{"title": "\\u0000"}', 400),
        ('{"title": "\\ud800"}', 400),
        (json.dumps({"title": "private" * 20}), 422),
        (json.dumps({"title": "a", "text": "private" * 400}), 422),
        (json.dumps({"title": "a", "text": "private" * 2**19}), 413),
        ("1" * 5000, 400),
    ],
)
def test_malformed_body_is_refused_without_details(
    call: Caller, body: Any, status: int
) -> None:
    response = call("POST", data=body)
    assert response.status_code == status
    for word in (
        "private",
        "4711",
        "$ne",
        "Traceback",
        "pydantic",
        "input",
        "line 1",
        "Expecting",
    ):
        assert word not in response.text
    assert not Note.objects.exists()


def test_unknown_fields_change_nothing(
    call: Caller, note: Note, other_user: User
) -> None:
    more = {
        "id": 4711,
        "pk": 4711,
        "owner": other_user.pk,
        "owner_id": other_user.pk,
        "created_at": "2000-01-01",
    }
    more |= {"cover": 1, "cover_id": 1, "cover-clear": "on"}
    call("POST", data=FIELDS | more)
    call("PUT", f"{URL}/{note.pk}", FIELDS | more)
    call("PATCH", f"{URL}/{note.pk}", more)
    assert (
        Note.objects.filter(
            owner=note.owner, pk__lt=4711, created_at__year__gt=2000, cover=None
        ).count()
        == 2
    )


def test_body_over_the_limit_is_refused(
    call: Caller, note: Note, settings: Settings
) -> None:
    assert call("POST", data=bytes(settings.BODY_MAX_BYTES + 1)).status_code == 413
    response = call.upload(
        f"{URL}/{note.pk}/cover", bytes(settings.UPLOAD_MAX_BYTES + 1)
    )
    assert response.status_code == 413
    assert list(response.json()["detail"]) == ["cover"]


def test_wrong_methods_and_unknown_urls_are_refused(call: Caller, note: Note) -> None:
    for method, url in [
        ("PUT", URL),
        ("PATCH", URL),
        ("DELETE", URL),
        ("POST", f"{URL}/{note.pk}"),
        ("PUT", f"{URL}/{note.pk}/cover"),
        ("PATCH", f"{URL}/{note.pk}/cover"),
        ("DELETE", f"{URL}/{note.pk}/cover"),
        ("POST", "/api/openapi.json"),
        ("TRACE", URL),
        ("CONNECT", URL),
        ("PROPFIND", "/api/nothing"),
    ]:
        response = call(method, url)
        assert (response.status_code, response.json()) == (
            405,
            {"detail": "Method Not Allowed"},
        )
    for url in (
        "/api/",
        "/api/docs",
        "/api/nothing",
        f"{URL}/x",
        f"{URL}/-1",
        f"{URL}/{'9' * 40}",
        "/api/../admin",
    ):
        assert call("GET", url).json() == {"detail": "Not Found"}
    assert call("GET", "/api/%00").status_code == 400
    assert (
        call(
            "POST", data=FIELDS, content_type="application/json; charset=utf-7"
        ).status_code
        == 400
    )
    assert Note.objects.get().title == "Milk"


def test_error_shows_nothing_of_itself(
    call: Caller, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("private")

    for debug in (False, True):
        settings.DEBUG = debug
        monkeypatch.setattr("notes.api.own", fail)
        response = call("GET")
        assert (response.status_code, response.json()) == (
            500,
            {"detail": "Internal Server Error"},
        )


def test_pages_are_bounded(
    call: Caller,
    user: User,
    settings: Settings,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    settings.CACHES = LOCAL
    Note.objects.bulk_create(
        Note(owner=user, title=str(number)) for number in range(30)
    )
    call("GET")
    with django_assert_num_queries(3):
        first = call("GET", f"{URL}?page_size=1000&limit=1000").json()
    assert len(first["items"]) == 20
    assert first["pages"] == 2
    for page in ("2", "3", "9" * 30, "0", "-1"):
        assert len(call("GET", f"{URL}?page={page}").json()["items"]) == 10
    for page in ("x", "", "1.5", "9" * 5000, "1 OR 1=1"):
        assert call("GET", f"{URL}?page={page}").status_code == 422


def test_requests_and_new_notes_are_limited(
    call: Caller, user: User, other_user: User
) -> None:
    answers = [call("POST", data=FIELDS) for _ in range(31)]
    assert [answer.status_code for answer in answers] == [201] * 30 + [429]
    assert answers[30].json() == {"detail": "Too Many Requests"}
    assert int(answers[30].headers["Retry-After"]) <= 3600
    again = Caller(user)
    assert again("POST", data=FIELDS).status_code == 429, (
        "another token is the same user"
    )
    assert again("PUT", f"{URL}/{answers[0].json()['id']}", FIELDS).status_code == 429
    assert again("GET").status_code == 200
    assert Caller(other_user)("POST", data=FIELDS).status_code == 201
    statuses = [call("GET", "/api/notes/0").status_code for _ in range(121)]
    assert statuses[-1] == 429
    assert statuses[80] == 404
    assert Caller(other_user)("GET").status_code == 200


def test_nothing_passes_uncounted_while_the_cache_is_down(
    call: Caller, settings: Settings
) -> None:
    settings.CACHES = {"default": {"BACKEND": "tests.login.test_login.DeadCache"}}
    for method in ("GET", "POST"):
        response = call(method, data=FIELDS)
        assert (response.status_code, response.json()) == (
            503,
            {"detail": "Service Unavailable"},
        )
    assert not Note.objects.exists()


def test_cover_is_reencoded_reviewed_and_read_with_the_token(
    call: Caller, note: Note, other_user: User, make_image: MakeImage
) -> None:
    url = f"{URL}/{note.pk}/cover"
    sent = make_image() + b"<script>"
    assert call.upload(url, sent, "../../<script>.html").status_code == 200
    photo = Photo.objects.get()
    assert photo.status != Status.APPROVED
    assert photo.owner == note.owner
    answer: Any = call.client.get(
        url, headers={"Authorization": f"Bearer {call.secret}"}
    )
    content = b"".join(answer.streaming_content)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert "no-store" in answer.headers["Cache-Control"]
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert b"<script>" not in content
    assert content[:2] == b"\xff\xd8"
    Photo.objects.update(status=Status.APPROVED)
    assert Caller(other_user)("GET", url).status_code == 404
    assert call("PUT", f"{URL}/{note.pk}", FIELDS).status_code == 200
    note.refresh_from_db()
    assert note.cover == photo, "a change of the text keeps the cover"
    assert call.upload(url, make_image(size=(32, 32))).status_code == 200
    note.refresh_from_db()
    assert note.cover != photo
    assert {"title": note.title, "text": note.text} == FIELDS


def test_cover_takes_back_no_text_that_was_changed_meanwhile(
    call: Caller,
    note: Note,
    make_image: MakeImage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decode = images.validate_and_reencode

    def decode_late(*arguments: Any) -> Any:
        Note.objects.update(title="Changed")
        return decode(*arguments)

    monkeypatch.setattr("secure_django.photos.forms.validate_and_reencode", decode_late)
    response = call.upload(f"{URL}/{note.pk}/cover", make_image())
    assert response.status_code == 200
    assert response.json()["title"] == "Changed"
    assert Note.objects.get().title == "Changed"


@pytest.mark.parametrize(
    "content", [b"", b"<svg onload=alert(1)>", b"\xff\xd8\xff junk", b"%!PS"]
)
def test_file_that_is_no_photo_is_refused(
    call: Caller, note: Note, content: bytes
) -> None:
    response = call.upload(f"{URL}/{note.pk}/cover", content)
    assert response.status_code == 422
    assert list(response.json()["detail"]) == ["cover"]
    assert not Photo.objects.exists()


def test_cover_must_be_a_file(call: Caller, note: Note) -> None:
    url = f"{URL}/{note.pk}/cover"
    assert call("POST", url, {"cover": "../../etc/passwd"}).status_code == 422
    form = "application/x-www-form-urlencoded"
    assert (
        call("POST", url, "cover=a.jpg&cover-clear=on", content_type=form).status_code
        == 422
    )
    broken = "multipart/form-data; boundary=" + "x" * 300
    assert call("POST", url, "--x", content_type=broken).status_code == 400
    assert call("GET", url).status_code == 404


def test_photos_in_an_hour_are_limited(
    call: Caller, note: Note, settings: Settings, make_image: MakeImage
) -> None:
    settings.UPLOADS_PER_HOUR = 1
    url = f"{URL}/{note.pk}/cover"
    assert call.upload(url, make_image()).status_code == 200
    assert call.upload(url, make_image()).status_code == 429


def test_description_needs_a_token_and_loads_nothing(call: Caller) -> None:
    assert HTTPSClient().get("/api/openapi.json").status_code == 401
    found = call("GET", "/api/openapi.json")
    assert found.headers["Content-Type"] == "application/json"
    assert sorted(found.json()["paths"]) == [
        URL,
        f"{URL}/{{pk}}",
        f"{URL}/{{pk}}/cover",
    ]
    assert "default-src 'none'" in found.headers["Content-Security-Policy"]


def test_last_use_is_stored_once_a_day(
    call: Caller, travel: Travel, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    call("GET", "/api/openapi.json")
    call.token.refresh_from_db()
    assert call.token.used_on == timezone.localdate()
    with django_assert_num_queries(1):
        call("GET", "/api/openapi.json")
    travel(timedelta(days=1))
    call("GET", "/api/openapi.json")
    call.token.refresh_from_db()
    assert call.token.used_on == timezone.localdate()


def test_logs_hold_no_secret(
    call: Caller, user: User, login: Login, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    call("POST", data=FIELDS)
    call("POST", data="{")
    secret = call.secret
    Token.objects.update(may_write=False)
    call("POST", data=FIELDS)
    call.secret = "wrong" * 9
    call("POST", data=FIELDS)
    page = login(user).post("/tokens/create/", {"title": "Script"}).text
    shown = page.partition("<code>")[2].partition("</code>")[0]
    logged = " ".join(
        f"{record.getMessage()} {vars(record)}" for record in caplog.records
    )
    events = [
        record.getMessage() for record in caplog.records if record.name == "security"
    ]
    assert {"authz_fail", "authn_token_created"} <= set(events)
    for word in (secret, shown, call.secret, call.token.hash, "Milk"):
        assert word not in logged


def test_token_sent_by_plain_http_reaches_no_view(call: Caller) -> None:
    response = Client().get(URL, headers={"Authorization": f"Bearer {call.secret}"})
    assert response.status_code == 301
    assert call.token.used_on is None


def test_staff_change_no_rights_of_a_token(call: Caller, make_user: MakeUser) -> None:
    client = HTTPSClient()
    client.force_login(make_user("admin@example.com", is_staff=True, is_superuser=True))
    Token.objects.update(may_write=False)
    url = f"/admin/tokens/token/{call.token.pk}/change/"
    page = client.get(url)
    assert call.token.hash not in page.text
    client.post(url, {"title": "Renamed", "text": "", "may_write": "on"})
    token = Token.objects.get()
    assert token.title == "Renamed"
    assert token.may_write is False
    assert token.hash == call.token.hash
    assert client.get("/admin/tokens/token/?hash__startswith=a").status_code in {
        302,
        400,
    }
