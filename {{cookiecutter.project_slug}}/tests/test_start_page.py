"""What visitors see first. Add tests of the whole site here."""

from django.conf import settings
from django.utils.html import escape
from secure_django.testing import HTTPSClient


def test_start_page_has_the_name_of_the_site(client: HTTPSClient, db: None) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert escape(settings.SITE_NAME) in response.content.decode()
