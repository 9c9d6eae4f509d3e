"""Who sees which photo."""

import pytest
from django.contrib.messages import get_messages
from django.core.files.storage import default_storage
from django.core.management import call_command

from core.testing import HTTPSClient, Login, MakePhoto, MakeUser
from uploads.models import Photo, Status
from users.models import User


def urls(photo: Photo) -> list[str]:
    page = photo.get_absolute_url()
    return [page, f"{page}display/", f"{page}thumbnail/"]


@pytest.mark.control("V8.2.2")
@pytest.mark.parametrize("status", [Status.PENDING, Status.REVIEW, Status.REJECTED, Status.DELETED])
def test_hidden_photo_is_not_found_by_other_users(
    client: HTTPSClient,
    login: Login,
    other_user: User,
    make_photo: MakePhoto,
    status: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    photo = make_photo(status=status)
    for url in urls(photo):
        assert client.get(url).status_code == 404
    assert photo.title not in client.get("/").content.decode()
    login(other_user)
    for url in urls(photo):
        assert client.get(url).status_code == 404
    events = [record for record in caplog.records if record.getMessage() == "authz_fail"]
    expected = [("WARNING", person) for person in (None, other_user.pk) for _ in urls(photo)]
    assert [(event.levelname, event.__dict__["fields"]["user"]) for event in events] == expected
    assert client.post(f"{photo.get_absolute_url()}delete/").status_code == 404


@pytest.mark.control("V8.2.2")
def test_hidden_photo_answers_like_a_missing_one(login: Login, other_user: User, make_photo: MakePhoto) -> None:
    photos = [make_photo(), make_photo(status=Status.DELETED), Photo(title="missing")]
    for visitor in (HTTPSClient(), login(other_user)):
        visitor.get("/photos/mine/")
        for responses in zip(*([visitor.get(url) for url in urls(photo)] for photo in photos), strict=True):
            headers = [dict(response.headers.items()) for response in responses]
            for varying in ("X-Request-ID", "Expires"):
                assert len({it.pop(varying, "") != "" for it in headers}) == 1
            assert headers[0] == headers[1] == headers[2]


@pytest.mark.control("V8.2.2")
def test_owner_and_reviewer_see_hidden_photo(login: Login, user: User, reviewer: User, make_photo: MakePhoto) -> None:
    photo = make_photo()
    for person in (user, reviewer):
        client = login(person)
        for url in urls(photo):
            response = client.get(url)
            assert response.status_code == 200
            assert "no-store" in response.headers["Cache-Control"]
        page = client.get(photo.get_absolute_url()).content.decode()
        assert (f"{photo.pk}/delete/" in page) == (person == user)
    Photo.objects.update(status=Status.REJECTED)
    assert client.get(photo.get_absolute_url()).status_code == 200
    assert [login(user).get(url).status_code for url in urls(photo)] == [404] * 3
    login(reviewer)
    Photo.objects.update(has_files=False)
    assert client.get(photo.get_absolute_url()).status_code == 404


@pytest.mark.control("V8.2.2")
def test_former_reviewer_does_not_see_hidden_photo(
    client: HTTPSClient, reviewer: User, make_user: MakeUser, make_photo: MakePhoto
) -> None:
    photo = make_photo()
    User.objects.filter(pk=reviewer.pk).update(is_staff=False)
    reviewer.refresh_from_db()
    for person in (reviewer, make_user("root@example.com", is_superuser=True)):
        client.force_login(person)
        assert [client.get(url).status_code for url in urls(photo)] == [404] * 3


@pytest.mark.control("V14.3.2")
def test_published_photo_is_visible_to_everyone(client: HTTPSClient, make_photo: MakePhoto) -> None:
    photo = make_photo(status=Status.APPROVED)
    for url in urls(photo):
        assert client.get(url).status_code == 200
    card = f'<img src="{photo.get_absolute_url()}thumbnail/" alt="Teal" width="64" height="48">'
    assert card in client.get("/").content.decode()
    assert client.get(f"{photo.get_absolute_url()}original/").status_code == 404
    # Not for shared caches: the photo may be rejected or deleted later.
    assert client.get(f"{photo.get_absolute_url()}display/").headers["Cache-Control"] == "private, max-age=600"
    default_storage.delete(photo.path("display"))
    Photo.objects.filter(pk=make_photo(status=Status.APPROVED).pk).update(has_files=False)
    for gone in Photo.objects.all():
        assert client.get(f"{gone.get_absolute_url()}display/").status_code == 404


def test_pages_answer_only_the_methods_they_need(login: Login, user: User, make_photo: MakePhoto) -> None:
    client, upload = login(user), "/photos/upload/"
    for url in ("/", "/photos/mine/", *urls(make_photo())):
        assert client.post(url).status_code == 405
    for method, status in (("GET", 200), ("HEAD", 200), ("POST", 200), ("OPTIONS", 405)):
        assert client.generic(method, upload).status_code == status


@pytest.mark.control("V14.2.2")
def test_browser_asks_before_it_shows_a_file_again(
    client: HTTPSClient, login: Login, user: User, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = make_photo(status=Status.APPROVED)
    url = f"{photo.get_absolute_url()}thumbnail/"
    etag = client.get(url).headers["ETag"]
    assert etag != client.get(f"{photo.get_absolute_url()}display/").headers["ETag"]
    with monkeypatch.context() as patch:
        patch.setattr(default_storage, "open", None)  # the file is not opened
        for known in (etag, f'"other", W/{etag}', "*"):
            response = client.get(url, headers={"if-none-match": known})
            assert (response.status_code, response.content) == (304, b"")
            assert response.headers["Cache-Control"] == "private, max-age=600"
            assert response.headers["ETag"] == etag
    assert client.get(url, headers={"if-none-match": '"other"'}).status_code == 200
    for status in (Status.PENDING, Status.REVIEW, Status.REJECTED, Status.DELETED):
        Photo.objects.update(status=status)
        assert client.get(url, headers={"if-none-match": etag}).status_code == 404
    Photo.objects.update(status=Status.PENDING)
    hidden = login(user).get(url, headers={"if-none-match": etag})
    assert (hidden.status_code, hidden.headers["Cache-Control"]) == (200, "no-store")
    assert "ETag" not in hidden.headers


@pytest.mark.control("V3.2.1")
@pytest.mark.control("V5.3.1")
@pytest.mark.control("V5.4.1")
def test_served_file_cannot_run_as_a_page(client: HTTPSClient, make_photo: MakePhoto) -> None:
    photo = make_photo(status=Status.APPROVED)
    with default_storage.open(photo.path("display"), "wb") as file:
        file.write(b"<script>alert(1)</script>")
    response = client.get(f"{photo.get_absolute_url()}display/")
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response.headers["Content-Disposition"] == f'inline; filename="{photo.pk}-display.jpg"'


@pytest.mark.control("V8.3.1")
def test_my_photos_shows_own_photos_in_every_status(
    login: Login, user: User, other_user: User, make_photo: MakePhoto
) -> None:
    make_photo(status=Status.REJECTED, reason="Too blurred", has_files=False)
    make_photo(title="Waiting one")
    make_photo(status=Status.DELETED, title="Gone one")
    make_photo(owner=other_user, title="Another person")
    text = login(user).get("/photos/mine/").content.decode()
    assert "Too blurred" in text
    assert "Waiting one" in text
    assert "Gone one" not in text
    assert "Another person" not in text


@pytest.mark.control("escaping")
def test_title_is_escaped(client: HTTPSClient, make_photo: MakePhoto) -> None:
    make_photo(status=Status.APPROVED, title='"><script>alert(1)</script>')
    text = client.get("/").content.decode()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


@pytest.mark.control("V3.5.3")
def test_owner_deletes_a_photo_with_files_and_texts(login: Login, user: User, make_photo: MakePhoto) -> None:
    photo, kept = make_photo(status=Status.APPROVED), make_photo()
    assert login(user).get(f"{photo.get_absolute_url()}delete/").status_code == 405
    response = login(user).post(f"{photo.get_absolute_url()}delete/")
    assert (response.status_code, response.headers["Location"]) == (302, "/photos/mine/")
    assert [message.level_tag for message in get_messages(response.wsgi_request)] == ["success"]
    assert list(Photo.objects.not_deleted()) == [kept]
    photo.refresh_from_db()
    assert (photo.status, photo.title, photo.original_name) == (Status.DELETED, "", "")
    call_command("worker", "--once")
    assert not default_storage.exists(photo.path("display"))
