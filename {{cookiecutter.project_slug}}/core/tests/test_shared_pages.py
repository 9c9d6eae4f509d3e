"""Pages that visitors without cookies share."""

import pytest
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.middleware.csp import get_nonce
from django.middleware.csrf import get_token
from django.urls import path
from pytest_django import Settings

from core import shared_pages
from core.shared_pages import shared_page
from core.testing import HTTPSClient


@pytest.fixture
def sharing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Share pages as in production."""
    settings.SHARED_PAGE_SECONDS = 10
    monkeypatch.setattr(shared_pages, "retry_at", 0.0)


@pytest.mark.control("V14.2.2")
@pytest.mark.usefixtures("sharing", "db")
@pytest.mark.parametrize("kind", ["nonce", "token", "message", "session", "cookie", "error", "private"])
def test_page_made_for_one_visitor_is_not_shared(kind: str, settings: Settings) -> None:
    made = []

    def page(request: HttpRequest) -> HttpResponse:
        made.append(kind)
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
        elif kind == "cookie":
            response.set_cookie("own", "own")
        elif kind == "private":
            response.headers["Cache-Control"] = "no-store"
        return response

    settings.ROOT_URLCONF = type("URLs", (), {"urlpatterns": [path("", login_not_required(shared_page(page)))]})
    first, second = HTTPSClient().get("/"), HTTPSClient().get("/")
    assert len(made) == 2
    assert "ETag" not in first.headers
    assert "ETag" not in second.headers
