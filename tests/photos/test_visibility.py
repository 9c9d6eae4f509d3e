"""Who sees which photo."""

import pytest
from django.core.files.storage import default_storage

from secure_django.photos.images import VARIANTS
from secure_django.photos.models import Photo, Status
from secure_django.testing import PRIVATE, HTTPSClient, Login, MakePhoto, MakeUser
from users.models import User


def urls(photo: Photo) -> list[str]:
    return [f"/photos/{photo.pk}/{variant}/" for variant in VARIANTS]


@pytest.mark.control("V8.2.2")
def test_hidden_photo_answers_like_a_missing_one(
    login: Login, other_user: User, make_photo: MakePhoto
) -> None:
    photos = [make_photo(), make_photo(status=Status.DELETED), Photo(title="missing")]
    for visitor in (HTTPSClient(), login(other_user)):
        visitor.get(PRIVATE)
        for responses in zip(
            *([visitor.get(url) for url in urls(photo)] for photo in photos),
            strict=True,
        ):
            headers = [dict(response.headers.items()) for response in responses]
            for varying in ("X-Request-ID", "Expires"):
                assert len({values.pop(varying, "") != "" for values in headers}) == 1
            assert headers[0] == headers[1] == headers[2]


@pytest.mark.control("V8.2.2")
def test_owner_and_reviewer_see_hidden_photo(
    login: Login, user: User, reviewer: User, make_photo: MakePhoto
) -> None:
    photo = make_photo()
    for person in (user, reviewer):
        client = login(person)
        for url in urls(photo):
            response = client.get(url)
            assert response.status_code == 200
            assert "no-store" in response.headers["Cache-Control"]
    Photo.objects.update(status=Status.REJECTED)
    for url in urls(photo):
        assert login(reviewer).get(url).status_code == 200
        assert login(user).get(url).status_code == 404
    Photo.objects.update(has_files=False)
    for url in urls(photo):
        assert login(reviewer).get(url).status_code == 404


@pytest.mark.control("V8.2.2")
def test_former_reviewer_does_not_see_hidden_photo(
    client: HTTPSClient, reviewer: User, make_user: MakeUser, make_photo: MakePhoto
) -> None:
    photo = make_photo()
    User.objects.filter(pk=reviewer.pk).update(is_staff=False)
    reviewer.refresh_from_db()
    for person in (reviewer, make_user("root@example.com", is_superuser=True)):
        client.force_login(person)
        assert [client.get(url).status_code for url in urls(photo)] == [404] * 2


@pytest.mark.control("V14.3.2")
def test_published_photo_is_visible_to_everyone(
    client: HTTPSClient, make_photo: MakePhoto
) -> None:
    photo = make_photo(status=Status.APPROVED)
    for url in urls(photo):
        assert client.get(url).status_code == 200
    assert client.get(f"/photos/{photo.pk}/original/").status_code == 404
    # Not for shared caches: the photo may be rejected or deleted later.
    response = client.get(urls(photo)[0])
    assert response.headers["Cache-Control"] == "private, max-age=600"
    default_storage.delete(photo.path("display"))
    photo_without_files = make_photo(status=Status.APPROVED)
    Photo.objects.filter(pk=photo_without_files.pk).update(has_files=False)
    for gone in Photo.objects.all():
        assert client.get(urls(gone)[0]).status_code == 404


@pytest.mark.control("V14.2.2")
def test_browser_asks_before_it_shows_a_file_again(
    client: HTTPSClient,
    login: Login,
    user: User,
    make_photo: MakePhoto,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo = make_photo(status=Status.APPROVED)
    url = urls(photo)[1]
    etag = client.get(url).headers["ETag"]
    response = client.get(urls(photo)[0])
    assert response.headers["ETag"] != etag
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
