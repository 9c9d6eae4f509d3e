"""Links that no request asks for have the site's own URL."""

import pytest
from pytest_django import Settings

from secure_django.web.links import absolute_url, own_host


@pytest.mark.parametrize(
    ("url", "hosts", "expected"),
    [
        ("", ["www.example.com", "example.com"], "https://example.com"),
        ("", [".example.com"], "https://example.com"),
        # A copy of the site that nobody has told its name.
        ("", ["staging.example.net", "example.net"], "https://staging.example.net"),
        ("", [".staging.example.net"], "https://staging.example.net"),
        ("", [], "https://example.com"),  # as in a project that is being developed
        ("https://a.example:8443", ["example.com"], "https://a.example:8443"),
    ],
)
def test_copy_of_the_site_never_names_the_original(
    url: str, hosts: list[str], expected: str, settings: Settings
) -> None:
    settings.DOMAIN_NAME = "example.com"
    settings.SITE_URL, settings.ALLOWED_HOSTS = url, hosts
    assert absolute_url("/a/") == f"{expected}/a/"
    assert f"https://{own_host()}" == expected
