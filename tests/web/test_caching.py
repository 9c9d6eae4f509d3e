"""Pages that visitors without cookies share for a second."""

import pytest
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.middleware.csp import get_nonce
from django.middleware.csrf import get_token
from django.template.response import TemplateResponse
from django.urls import path
from pytest_django import Settings

from secure_django.testing import HTTPSClient
from secure_django.web.caching import microcache

pytestmark = pytest.mark.django_db


def page(request: HttpRequest, kind: str) -> HttpResponse:
    response = HttpResponse("own", status=404 if kind == "error" else 200)
    if kind == "nonce":
        response.content = str(get_nonce(request))
    elif kind == "token":
        response.content = get_token(request)
    elif kind == "message":
        messages.info(request, "own")
        response.content = str(*messages.get_messages(request))
    elif kind == "session":
        request.session["own"] = "own"
    elif kind == "unrendered":
        return TemplateResponse(request, "error.html")
    if "cookie" in kind:
        response.set_cookie("own", "own")
    if "private" in kind:
        response.headers["Cache-Control"] = "private, max-age=9"
    return response


@pytest.fixture
def client(settings: Settings) -> HTTPSClient:
    pages = [path("<str:kind>/", login_not_required(microcache(page)))]
    settings.ROOT_URLCONF = type("URLs", (), {"urlpatterns": pages})
    return HTTPSClient()


def test_page_for_everyone_may_be_kept_for_a_second(client: HTTPSClient) -> None:
    for response in (client.get("/plain/"), client.head("/plain/")):
        assert response.headers["Cache-Control"] == "max-age=0, s-maxage=1"
        assert response.headers["Vary"] == "Cookie"


@pytest.mark.control("V14.2.2")
@pytest.mark.parametrize(
    "kind",
    [
        "nonce",
        "token",
        "message",
        "session",
        "cookie",
        "error",
        "private",
        "unrendered",
    ],
)
def test_page_made_for_one_visitor_is_not_shared(
    kind: str, client: HTTPSClient
) -> None:
    response = client.get(f"/{kind}/")
    assert "s-maxage" not in response.headers.get("Cache-Control", "")


@pytest.mark.control("V14.2.2")
def test_page_for_an_unusual_request_is_not_shared(client: HTTPSClient) -> None:
    for url, headers in (
        ("/plain/", {"cookie": "unknown=1"}),
        ("/plain/", {"authorization": "unknown"}),
        ("/plain/?a=1", {}),
    ):
        response = client.get(url, headers=headers)
        assert (response.status_code, response.headers["Cache-Control"]) == (
            200,
            "private, no-cache",
        )
    response = client.post("/plain/")
    assert (response.status_code, response.headers["Cache-Control"]) == (
        200,
        "private, no-cache",
    )


def test_view_keeps_its_own_caching(client: HTTPSClient) -> None:
    assert (
        client.get("/private-cookie/").headers["Cache-Control"] == "private, max-age=9"
    )
