"""Links that no request asks for have the site's own URL, and links end."""

from datetime import timedelta

import pytest
from pytest_django import Settings

from secure_django.web.links import absolute_url, link_term, own_host


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


def test_term_of_a_link_is_bounded() -> None:
    assert link_term(days=7) == timedelta(days=7)
    assert link_term(days=90) == timedelta(days=90)
    for days in (0, -1, 90.5, 36_500):
        with pytest.raises(ValueError, match="ends within 90 days"):
            link_term(days=days)
