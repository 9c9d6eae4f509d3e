"""Attacks on the files of the app `notes`.

Copied into a project with the recipe of documents.
"""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN401, ARG001, I001, INP001

import errno
from datetime import timedelta
from email.message import Message
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from pytest_django import Settings

from secure_django.testing import HTTPSClient, Login, MakeUser, Travel
from secure_django.web.error_pages import UnavailableError
from notes.files import clean_name
from notes.forms import NoteForm
from notes.jobs_files import delete_orphaned_files
from notes.models import Note
from users.models import User

# Each test commits, so that what happens after a commit does.
pytestmark = pytest.mark.django_db(transaction=True)

CREATE = "/notes/create/"
PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
HTML = b"<!DOCTYPE html><script>alert(document.domain)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
# A valid PDF for each reader, and a page for a browser that guesses.
POLYGLOT = b"%PDF-1.7\n" + HTML + PDF[9:]
LOCAL = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


@pytest.fixture(autouse=True)
def cache(settings: Settings) -> None:
    """Keep the cache out of the database, whose tables are emptied after each test."""
    settings.CACHES = LOCAL


@pytest.fixture
def owner(login: Login, user: User) -> HTTPSClient:
    return login(user)


@pytest.fixture
def made(user: User) -> Note:
    """Return an object of `user`, with a file."""
    return Note.objects.create(
        owner=user, title="Play", file=ContentFile(PDF, "a.pdf"), file_name="a.pdf"
    )


def send(
    client: HTTPSClient, content: bytes = PDF, url: str = CREATE, name: str = "a.pdf"
) -> Any:
    return client.post(
        url,
        {"title": "Play", "file": SimpleUploadedFile(name, content, "application/pdf")},
    )


def stored(media: Path) -> list[Path]:
    return [path for path in media.rglob("*") if path.is_file()]


def download(made: Note) -> str:
    return f"{made.get_absolute_url()}file/"


def body(response: Any) -> bytes:
    assert response.status_code == 200
    return b"".join(response.streaming_content)


def sweep() -> None:
    """Delete the orphaned files of all folders."""
    for number in range(256):
        delete_orphaned_files(f"{number:02x}")


def test_owner_uploads_downloads_replaces_and_deletes(
    owner: HTTPSClient, media: Path
) -> None:
    url = send(owner, name="Spring 2027.pdf").headers["Location"]
    page = owner.get(url).text
    assert f'<a href="{url}file/">Spring 2027.pdf</a>' in page
    assert body(owner.get(f"{url}file/")) == PDF
    (first,) = stored(media)
    assert first.stat().st_mode & 0o777 == 0o600
    assert first.name not in page + owner.get(f"{url}edit/").text
    send(owner, POLYGLOT, f"{url}edit/", "other.pdf")
    assert body(owner.get(f"{url}file/")) == POLYGLOT
    (second,) = stored(media)
    assert second.name != first.name
    owner.post(f"{url}edit/", {"title": "Renamed"})
    assert "other.pdf" in owner.get(url).text
    assert stored(media) == [second]
    owner.post(f"{url}delete/")
    assert not stored(media)


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize(
    "headers",
    [{}, {"Range": "bytes=9-60"}, {"Accept": "text/html", "Sec-Fetch-Dest": "iframe"}],
)
def test_download_is_never_shown_in_a_page(
    method: str, headers: Any, owner: HTTPSClient
) -> None:
    url = send(owner, POLYGLOT, name="page.html").headers["Location"]
    response = getattr(owner, method)(f"{url}file/", headers=headers)
    assert response.headers["Content-Disposition"] == 'attachment; filename="page.pdf"'
    Note.objects.update(file_name="page.html")  # whatever a name says
    response = getattr(owner, method)(f"{url}file/", headers=headers)
    assert (response.status_code, response.headers["Content-Type"]) == (
        200,
        "application/pdf",
    )
    assert response.headers["Content-Disposition"].startswith("attachment;")
    assert sorted(response.headers["Content-Security-Policy"].split("; ")) == [
        "default-src 'none'",
        "sandbox",
    ]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert int(response.headers["Content-Length"]) == len(POLYGLOT)


@pytest.mark.parametrize(
    "content",
    [
        HTML,
        SVG,
        b"PK\x03\x04" + PDF,
        HTML + PDF,
        b"\xef\xbb\xbf" + PDF,
        b"\n" + PDF,
        PDF + HTML,
        PDF + b"PK\x05\x06" + bytes(18),
        PDF.replace(b"%%EOF", b""),
        b"%pdf-1.7\n%%EOF",
        b"%PDF-",
        b" ",
        b"",
    ],
)
def test_other_file_is_refused_with_a_sentence(
    content: bytes, owner: HTTPSClient, media: Path
) -> None:
    response = send(owner, content)
    assert response.status_code == 200
    assert (
        "Only PDF files are accepted" if content else "The submitted file is empty"
    ) in response.text
    assert not Note.objects.exists()
    assert not stored(media)


def test_refused_file_replaces_nothing(
    owner: HTTPSClient, made: Note, media: Path
) -> None:
    assert "Only PDF files" in send(owner, HTML, f"{made.get_absolute_url()}edit/").text
    assert body(owner.get(download(made))) == PDF
    assert len(stored(media)) == 1


@pytest.mark.parametrize("limit", ["UPLOAD_MAX_BYTES", "BODY_MAX_BYTES"])
def test_too_large_file_is_refused(
    limit: str, owner: HTTPSClient, media: Path, settings: Settings
) -> None:
    setattr(settings, limit, 2000)
    assert send(owner, PDF.replace(b"\n", b"\n" * 700)).status_code == 413
    assert not stored(media)
    assert not Note.objects.exists()


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("../../../etc/cron.d/evil.pdf", "evil.pdf"),
        ("..\\..\\evil.pdf", "evil.pdf"),
        ("/etc/passwd", "passwd.pdf"),
        ("C:\\autoexec.bat", "autoexec.pdf"),
        ("invoice.pdf.exe", "invoice_pdf.pdf"),
        ("page.html", "page.pdf"),
        ("a%0d%0aSet-Cookie: b=c.pdf", "a%0d%0aSet-Cookie_ b=c.pdf"),
        (
            "*a%0D%0ASet-Cookie%3A%20b%3Dc%0D%0A%0D%0A%22%3Cscript%3E.pdf",
            "aSet-Cookie_ b=c_script_.pdf",
        ),
        ("&quot;; filename=evil.exe; x=&quot;.pdf", "_; filename=evil_exe; x=_.pdf"),
        ("evil\u202efdp.exe", "evilfdp.pdf"),
        ("a\u2028b\u0000c\u0085.pdf", "abc.pdf"),
        ("Frühling für 音楽.PDF", "Frühling für 音楽.pdf"),
        ("&#0;..", None),
        ("con.pdf", None),
        ("x" * 300 + ".pdf", "x" * 100 + ".pdf"),
    ],
)
def test_name_is_harmless(
    sent: str, name: str | None, owner: HTTPSClient, media: Path
) -> None:
    head = (
        b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nPlay\r\n'
        b"--x\r\nContent-Disposition: form-data; "
    )
    part = f"filename*=utf-8''{sent[1:]}" if sent[0] == "*" else f'filename="{sent}"'
    text = (
        head
        + f'name="file"; {part}\r\nContent-Type: text/html\r\n\r\n'.encode()
        + PDF
        + b"\r\n--x--\r\n"
    )
    response = owner.generic("POST", CREATE, text, "multipart/form-data; boundary=x")
    assert response.status_code == 302
    # Django takes nothing for a file that has no name at all.
    if not Note.objects.get().file:
        assert name is None
        return
    (path,) = stored(media)
    assert path.parts[-3] == "notes"
    assert len(path.stem) == 32
    response = owner.get(download(Note.objects.get()))
    header = response.headers["Content-Disposition"]
    assert not {"\r", "\n"} & set(header)
    assert not response.cookies
    parsed = Message()
    parsed["Content-Disposition"] = header
    found = parsed.get_filename()
    assert parsed.get_content_disposition() == "attachment"
    assert found, "the response names no file"
    assert found.isprintable()
    assert found.endswith(".pdf")
    assert not set('\\/:*?"<>|') & set(found)
    assert name in (None, found)


def test_name_is_cleaned_whoever_sends_it() -> None:
    """Django's parser of forms removes some of this before."""
    assert clean_name('../a\r\nSet-Cookie: b="c"\0.svg') == "aSet-Cookie_ b=_c_.pdf"
    assert clean_name("") == clean_name("\n") == "note.pdf"
    assert clean_name("\ud800.pdf") == "note.pdf"


def test_name_is_encrypted_in_the_database(made: Note) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT file_name, file FROM notes_note")
        name, path = cursor.fetchone()
    assert "a.pdf" not in name
    # The random name of a file can end in "a".
    assert Path(path).name != "a.pdf"


def test_others_find_nothing(
    client: HTTPSClient, made: Note, other_user: User, reviewer: User
) -> None:
    url = download(made)
    for method in ("get", "head"):
        assert (
            getattr(client, method)(url).headers["Location"]
            == f"/accounts/login/?next={url}"
        )
    for path in (
        f"/{made.file.name}",
        f"/media/{made.file.name}",
        f"/static/{made.file.name}",
    ):
        assert client.get(path).status_code == 404
    for person in (other_user, reviewer):
        client.force_login(person)
        missing = client.get("/notes/4711/file/")
        for method in ("get", "head"):
            response = getattr(client, method)(url)
            assert response.status_code == missing.status_code == 404
            assert "a.pdf" not in str(response.headers)
        assert send(client, url=f"{made.get_absolute_url()}edit/").status_code == 404
    assert client.post(url).status_code == 405
    made.refresh_from_db()
    assert made.file.read() == PDF


def test_row_without_a_file_has_no_download(owner: HTTPSClient, made: Note) -> None:
    empty = Note.objects.create(owner=made.owner, title="Play")
    assert owner.get(download(empty)).status_code == 404
    default_storage.delete(str(made.file))
    assert owner.get(download(made)).status_code == 404


def test_form_names_no_file_of_the_storage(
    login: Login, user: User, other_user: User, made: Note, media: Path
) -> None:
    client = login(other_user)
    text = {
        "title": "Taken",
        "file": made.file.name,
        "file_name": "evil.exe",
        "file-clear": "on",
    }
    client.post(CREATE, text)
    taken = Note.objects.get(owner=other_user)
    assert (taken.file.name, taken.file_name) == ("", "")
    client.force_login(user)
    client.post(f"{made.get_absolute_url()}edit/", text | {"file": "../../.env"})
    before = made.file.name
    made.refresh_from_db()
    assert made.title == "Taken"
    assert made.file.name == before
    assert made.file_name == "a.pdf"


def test_aborted_transaction_leaves_no_row_and_its_file_goes(
    owner: HTTPSClient,
    made: Note,
    media: Path,
    monkeypatch: pytest.MonkeyPatch,
    travel: Travel,
) -> None:
    owner.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr(
            "django.db.models.sql.compiler.SQLInsertCompiler.execute_sql",
            Mock(side_effect=RuntimeError),
        )
        assert send(owner).status_code == 500
        patch.setattr(
            "django.db.models.sql.compiler.SQLUpdateCompiler.execute_sql",
            Mock(side_effect=RuntimeError),
        )
        assert send(owner, url=f"{made.get_absolute_url()}edit/").status_code == 500
    assert Note.objects.get() == made
    assert body(owner.get(download(made))) == PDF
    assert len(stored(media)) == 3
    sweep()
    assert len(stored(media)) == 3, (
        "a new file may belong to a row that is about to be saved"
    )
    travel(timedelta(hours=1, seconds=1))
    sweep()
    assert stored(media) == [Path(made.file.path)]


def test_failing_storage_loses_nothing(
    owner: HTTPSClient,
    made: Note,
    media: Path,
    monkeypatch: pytest.MonkeyPatch,
    travel: Travel,
) -> None:
    full = Mock(side_effect=OSError(errno.ENOSPC, "full"))
    with monkeypatch.context() as patch:
        patch.setattr(FileSystemStorage, "_save", full)
        for url in (CREATE, f"{made.get_absolute_url()}edit/"):
            response = send(owner, url=url)
            assert (response.status_code, response.headers["Retry-After"]) == (
                503,
                "300",
            )
        patch.setattr(FileSystemStorage, "delete", full)
        assert Note.objects.get().file.read() == PDF
        assert owner.post(f"{made.get_absolute_url()}delete/").status_code == 302
    assert not Note.objects.exists()
    assert len(stored(media)) == 1
    travel(timedelta(hours=1, seconds=1))
    sweep()
    assert not stored(media)


def form(made: Note, content: bytes | None = None) -> NoteForm:
    """Return a valid form of an object that was read at this moment."""
    files = {"file": SimpleUploadedFile("b.pdf", content)} if content else None
    instance = Note.objects.get(pk=made.pk)
    result = NoteForm({"title": "Renamed"}, files, instance=instance, owner=made.owner)
    assert result.is_valid()
    return result


def test_requests_at_the_same_time_lose_no_file(
    owner: HTTPSClient, made: Note, media: Path
) -> None:
    form_without_file = form(made)
    first_form = form(made, POLYGLOT)
    second_form = form(made, PDF + b"\n")
    for late in (first_form, second_form, form_without_file):
        late.save()
    assert body(owner.get(download(made))) == PDF + b"\n"
    assert len(stored(media)) == 1
    form_without_file = form(made)
    first_form = form(made, POLYGLOT)
    made.delete()
    for late in (form_without_file, first_form):
        with pytest.raises(UnavailableError, match="deleted"):
            late.save()
    assert not Note.objects.exists()


def test_staff_see_and_change_no_file(
    client: HTTPSClient, made: Note, make_user: MakeUser, media: Path
) -> None:
    staff = make_user("staff@example.com", is_staff=True)
    staff.user_permissions.set(
        Permission.objects.filter(content_type__app_label="notes")
    )
    url = f"/admin/notes/note/{made.pk}/change/"
    for person in (
        staff,
        make_user("admin@example.com", is_staff=True, is_superuser=True),
    ):
        client.force_login(person)
        page = client.get(url).text
        assert str(made.file) not in page
        assert "a.pdf" not in page
        assert client.get(download(made)).status_code == 404
        assert send(client, HTML, url).status_code == 302
    made.refresh_from_db()
    assert made.title == "Play"
    assert made.file.read() == PDF
    client.post(
        "/admin/notes/note/",
        {"action": "delete_selected", "_selected_action": made.pk, "post": "1"},
    )
    assert not Note.objects.exists()
    assert not stored(media)


def test_admin_brings_no_replaced_file_back(
    client: HTTPSClient,
    made: Note,
    make_user: MakeUser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.force_login(make_user("admin@example.com", is_staff=True, is_superuser=True))
    late = form(made, POLYGLOT)
    read = admin.ModelAdmin.get_object

    def read_too_early(*args: Any) -> Any:
        instance = read(*args)
        late.save()
        return instance

    monkeypatch.setattr(admin.ModelAdmin, "get_object", read_too_early)
    client.post(f"/admin/notes/note/{made.pk}/change/", {"title": "Admin"})
    made.refresh_from_db()
    assert made.title == "Admin"
    assert made.file.read() == POLYGLOT


def test_files_go_with_the_account(user: User, made: Note, media: Path) -> None:
    user.delete()
    assert not stored(media)


def test_storage_without_folders_and_paths(
    owner: HTTPSClient, settings: Settings, travel: Travel
) -> None:
    """As object storage: no redirect leads there, even where photos have one."""
    memory = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    settings.STORAGES = settings.STORAGES | {"default": memory}
    settings.BUCKET_URL = "https://s3.example.com/photos/"
    url = send(owner).headers["Location"]
    assert body(owner.get(f"{url}file/")) == PDF
    assert "s3.example.com" not in owner.get(url).text + owner.get(f"{url}edit/").text
    name = str(Note.objects.get().file)
    travel(timedelta(hours=2))
    sweep()
    assert default_storage.exists(name)
    Note.objects.all().delete()
    assert not default_storage.exists(name)
    sweep()


def test_number_of_uploads_in_an_hour_is_limited(
    owner: HTTPSClient, made: Note
) -> None:
    for url in (CREATE, f"{made.get_absolute_url()}edit/"):
        found = [send(owner, HTML, url).status_code for _ in range(31)]
        assert found == [200] * 30 + [429]
