"""Where the links in emails lead."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.core import mail
from django.urls import reverse
from pytest_django import Settings

from secure_django.testing import HTTPSClient
from secure_django.user import User

SITE = "https://site.example"
OTHER_HOST = "www.site.example"  # the site answers for it too
HOST = re.compile(r"\b(?:[a-z0-9-]+\.)*site\.example\b|testserver")
pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor(settings: Settings) -> HTTPSClient:
    """Return a visitor who names another host of the site than SITE_URL does."""
    settings.SITE_URL = SITE
    settings.ALLOWED_HOSTS = ["site.example", OTHER_HOST]
    return HTTPSClient(SERVER_NAME=OTHER_HOST)


@pytest.mark.control("host")
def test_links_in_emails_begin_with_the_url_of_the_site(
    visitor: HTTPSClient, user: User
) -> None:
    EmailAddress.objects.create(user=user, email=user.email, verified=True)
    reset_page = reverse("account_reset_password")
    visitor.post(reset_page, {"email": user.email})
    emails = 1
    if apps.is_installed("secure_django.accounts"):
        visitor.post(reset_page, {"email": "nobody@example.com"})
        emails = 2
    assert len(mail.outbox) == emails
    for message in mail.outbox:
        hosts = set(HOST.findall(f"{message.subject}\n{message.body}"))
        assert hosts == {"site.example"}, message.subject
        assert f"{SITE}/" in str(message.body)


@pytest.mark.control("host")
def test_absolute_urls_of_a_request_begin_with_the_url_of_the_site(
    visitor: HTTPSClient,
) -> None:
    """An app can write them into an email, or on a page that a proxy keeps."""
    request = visitor.get(reverse("account_login"), {"a": "b"}).wsgi_request
    assert request.build_absolute_uri() == f"{SITE}{reverse('account_login')}?a=b"
    assert request.build_absolute_uri("/a/") == f"{SITE}/a/"
