"""Fixtures of the controls, and of tests that ask the same."""

from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import Permission
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from pytest_django import Settings

from secure_django.testing import LOGIN, PRIVATE, HTTPSClient, MakePhoto, MakeUser
from secure_django.user import User

HANDLERS = ("handler400", "handler403", "handler404", "handler500")


@login_not_required
def crash(request: object) -> HttpResponse:
    raise RuntimeError("secret detail")


@login_not_required
def suspect(request: object) -> HttpResponse:
    raise SuspiciousOperation("secret detail")


def plain(request: object) -> HttpResponse:
    return HttpResponse("A page without a form sets no cookie.")


@login_not_required
def with_cookie(request: object) -> HttpResponse:
    response = HttpResponse()
    response.set_cookie("theme", "dark")
    return response


def with_message(request: HttpRequest) -> HttpResponse:
    messages.info(request, "Saved.")
    return HttpResponse()


def add_views(urlconf: str) -> ModuleType:
    """Return the project's URLs, and views that fail."""
    project = import_module(urlconf)
    urls = ModuleType("urls_with_failures")
    for handler in HANDLERS:
        setattr(urls, handler, getattr(project, handler))
    views = [
        path("crash/", crash),
        path("suspect/", suspect),
        path("plain/", plain),
        path("cookie/", with_cookie),
        path("message/", with_message),
    ]
    vars(urls)["urlpatterns"] = [*project.urlpatterns, *views]
    return urls


@pytest.fixture
def urls_with_failures(settings: Settings) -> None:
    settings.ROOT_URLCONF = add_views(settings.ROOT_URLCONF)


@pytest.fixture
def site_responses(
    client: HTTPSClient,
    user: User,
    make_photo: MakePhoto,
    settings: Settings,
    urls_with_failures: None,
) -> dict[str, Any]:
    """Return a response of every kind, by name."""
    client.raise_request_exception = False
    client.defaults["HTTP_ORIGIN"] = "https://evil.example"
    owner = HTTPSClient(enforce_csrf_checks=True)
    owner.force_login(user)
    return {
        "log-in": client.get(LOGIN),
        "redirect": client.get(PRIVATE),
        "static": client.get(f"{settings.STATIC_URL}site.css"),
        "photo": client.get(
            reverse(
                "uploads:file", args=[make_photo(status="approved").pk, "thumbnail"]
            )
        ),
        "health": client.get("/health/live/"),
        "bad request": client.get("/suspect/"),
        "wrong host": client.get(LOGIN, headers={"host": "evil.example"}),
        "missing": client.get("/missing/"),
        "method": client.post("/health/live/"),
        "unused method": client.generic("TRACE", "/missing/"),
        "crash": client.get("/crash/"),
        "forged": owner.post(PRIVATE),
        "own page": owner.get(PRIVATE),
        "without a cookie": owner.get("/plain/"),
        "cookie": client.get("/cookie/"),
    }


@pytest.fixture
def powerful_staff(make_user: MakeUser) -> User:
    """Return a staff user with every permission who is not a superuser."""
    user = make_user("staff@example.com", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    return user
