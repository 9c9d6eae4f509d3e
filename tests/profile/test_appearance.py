"""The colors that a person chooses for a browser."""

import pytest
from django.template.loader import render_to_string
from pytest_django import Settings

from secure_django.testing import HTTPSClient, Login
from secure_django.web.appearance import cookie_name
from users.models import User

pytestmark = pytest.mark.django_db

PAGE = "/accounts/profile/"
CHOOSE = "/accounts/profile/appearance/"


def test_pages_follow_the_device_at_first(visitor: HTTPSClient) -> None:
    page = visitor.get(PAGE).text
    assert "data-appearance" not in page
    assert '<meta name="color-scheme" content="light dark">' in page
    assert '<input type="radio" name="appearance" value="" checked>' in page


@pytest.mark.parametrize("chosen", ["light", "dark"])
def test_chosen_colors_are_on_every_page(visitor: HTTPSClient, chosen: str) -> None:
    response = visitor.post(CHOOSE, {"appearance": chosen}, follow=True)
    assert response.redirect_chain == [(PAGE, 302)]
    assert "Saved." in response.text
    assert f'value="{chosen}" checked>' in response.text
    for path in (PAGE, "/", "/no-such-page/"):
        page = visitor.get(path).text
        assert f'data-appearance="{chosen}"' in page
        assert f'<meta name="color-scheme" content="{chosen}">' in page


def test_admin_has_the_chosen_colors(login: Login, reviewer: User) -> None:
    client = login(reviewer)
    client.cookies[cookie_name()] = "dark"
    page = client.get("/admin/").text
    assert '<meta name="color-scheme" content="dark">' in page


@pytest.mark.parametrize("chosen", ["", "purple", None])
def test_other_choice_leaves_the_colors_to_the_device(
    visitor: HTTPSClient, chosen: str | None
) -> None:
    visitor.post(CHOOSE, {"appearance": "dark"})
    visitor.post(CHOOSE, {} if chosen is None else {"appearance": chosen})
    assert "data-appearance" not in visitor.get(PAGE).text


def test_forged_cookie_is_not_written_into_pages(visitor: HTTPSClient) -> None:
    visitor.cookies[cookie_name()] = "purple"
    assert "purple" not in visitor.get(PAGE).text


def test_cookie_is_bound_to_host_and_https(visitor: HTTPSClient) -> None:
    cookie = visitor.post(CHOOSE, {"appearance": "dark"}).cookies["__Host-appearance"]
    assert cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not cookie["domain"]


def test_development_has_a_cookie_without_https(settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = False
    assert cookie_name() == "appearance"


def test_colors_stay_after_the_log_out(visitor: HTTPSClient) -> None:
    visitor.post(CHOOSE, {"appearance": "dark"})
    visitor.post("/accounts/logout/")
    assert 'data-appearance="dark"' in visitor.get("/accounts/login/").text


def test_colors_are_chosen_by_post_alone(
    login: Login, user: User, client: HTTPSClient
) -> None:
    assert (
        client.post(CHOOSE, {"appearance": "dark"})
        .headers["Location"]
        .startswith("/accounts/login/")
    )
    assert login(user).get(CHOOSE, {"appearance": "dark"}).status_code == 405


def test_pages_without_a_request_follow_the_device() -> None:
    page = render_to_string("error.html", {"name": "500"})
    assert "data-appearance" not in page
    assert 'content="light dark"' in page
