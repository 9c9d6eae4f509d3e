"""The header by which deploy/release learns which release answers."""

import pytest
from django.conf import settings

from secure_django.testing import HTTPSClient


@pytest.mark.control("V13.4.5")
@pytest.mark.django_db
def test_ready_confirms_a_release_and_never_names_it(client: HTTPSClient) -> None:
    name = settings.BASE_DIR.name
    for name_sent, status in (
        (name, 200),
        ("another", 503),
        ("", 503),
        (name[:-1], 503),
    ):
        response = client.get("/health/ready/", headers={"x-release": name_sent})
        assert response.status_code == status, name_sent
        assert "X-Release" not in response.headers
