"""What the project does with untrusted files, and who sees photos."""

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from secure_django.photos.images import VARIANTS
from secure_django.photos.models import Photo, Status
from secure_django.testing import LOGIN, PRIVATE, HTTPSClient, Login, MakePhoto
from secure_django.user import User


def urls(photo: Photo) -> list[str]:
    return [f"/photos/{photo.pk}/{variant}/" for variant in VARIANTS]


@pytest.mark.control("V8.2.1")
def test_upload_of_an_anonymous_visitor_is_not_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Parsing would fail.
    monkeypatch.delattr("django.http.multipartparser.MultiPartParser.parse")
    file = SimpleUploadedFile("photo.jpg", b"\xff\xd8")
    response = HTTPSClient(enforce_csrf_checks=True).post(PRIVATE, {"file": file})
    assert response.status_code == 302
    assert response.headers["Location"].startswith(LOGIN)


@pytest.mark.control("V8.2.2")
@pytest.mark.parametrize(
    "status", [Status.PENDING, Status.REVIEW, Status.REJECTED, Status.DELETED]
)
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
    login(other_user)
    for url in urls(photo):
        assert client.get(url).status_code == 404
    events = [
        record for record in caplog.records if record.getMessage() == "authz_fail"
    ]
    expected = [
        ("WARNING", person) for person in (None, other_user.pk) for _ in urls(photo)
    ]
    assert [
        (event.levelname, event.__dict__["fields"]["user"]) for event in events
    ] == expected


@pytest.mark.control("V3.2.1")
@pytest.mark.control("V5.3.1")
@pytest.mark.control("V5.4.1")
def test_served_file_cannot_run_as_a_page(
    client: HTTPSClient, make_photo: MakePhoto
) -> None:
    photo = make_photo(status=Status.APPROVED)
    with default_storage.open(photo.path("display"), "wb") as file:
        file.write(b"<script>alert(1)</script>")
    Photo.objects.update(display_size=len(b"<script>alert(1)</script>"))
    response = client.get(urls(photo)[0])
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert (
        response.headers["Content-Disposition"]
        == f'inline; filename="{photo.pk}-display.jpg"'
    )
