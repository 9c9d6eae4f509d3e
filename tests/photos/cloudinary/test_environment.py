"""Invalid settings for Cloudinary stop the start; without it, staff review photos."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from secure_django.photos.cloudinary import environment
from secure_django.photos.cloudinary.backend import CloudinaryBackend
from secure_django.photos.moderation.backends import StaffReviewBackend
from secure_django.testing import in_environment, start


@pytest.mark.control("V13.2.3")
def test_start_without_cloudinary_url_fails() -> None:
    result = start(CLOUDINARY_URL="", CLOUDINARY_MODERATION="aws_rek|bad-value")
    assert result.returncode == 1
    assert "  CLOUDINARY_URL: " in result.stderr
    assert "  CLOUDINARY_MODERATION: " in result.stderr
    assert "bad-value" not in result.stderr


def test_cloudinary_moderates_and_its_images_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = in_environment(monkeypatch)
    assert issubclass(
        import_string(values["PHOTO_MODERATION_BACKEND"]), CloudinaryBackend
    )
    assert "https://res.cloudinary.com/cloud/" in values["SECURE_CSP"]["img-src"]
    without = in_environment(monkeypatch, DEBUG="on", CLOUDINARY_URL="")
    assert issubclass(
        import_string(without["PHOTO_MODERATION_BACKEND"]), StaffReviewBackend
    )


def test_debug_start_without_url_reports_staff_review() -> None:
    result = start(DEBUG="on", ALLOWED_HOSTS="localhost", CLOUDINARY_URL="")
    assert result.returncode == 0, result.stderr
    assert "photos wait for staff review" in result.stderr


@pytest.mark.parametrize(
    "url",
    [
        "key:secret@cloud",
        "k@cloud",
        "k:s@c?timeout=3",
        "k:s@c?upload_prefix=http://evil.example",
        "k:s@c?timeout=",
    ],
)
def test_malformed_url_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        environment.url(url if url.startswith("key") else f"cloudinary://{url}")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "signature_algorithm": "sha256",
            "upload_prefix": "https://api-eu.cloudinary.com",
        },
    ],
)
def test_valid_url_becomes_a_configuration(options: dict[str, str]) -> None:
    query = "&".join(f"{name}={value}" for name, value in options.items())
    expected = {"api_key": "k-1", "api_secret": "s_2", "cloud_name": "c", **options}
    assert environment.url(f"cloudinary://k-1:s_2@c?{query}") == expected


@pytest.mark.parametrize(
    "kinds",
    [
        "",
        "aws_rek|nsfw",
        "aws_rek|aws_rek",
        "manual|aws_rek",
        "duplicate:2",
        "duplicate:0.1|webpurify|duplicate:0.2",
    ],
)
def test_invalid_kinds_are_refused(kinds: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        environment.kinds(kinds)


@pytest.mark.parametrize(
    "kinds",
    [
        "manual",
        "aws_rek|webpurify|perception_point|duplicate:0.8|manual",
        "duplicate:1.0",
    ],
)
def test_valid_kinds_are_accepted(kinds: str) -> None:
    environment.kinds(kinds)
