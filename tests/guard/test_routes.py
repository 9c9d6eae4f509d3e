"""Routes: what a pattern of URLs is in the access table, and where a redirect leads."""

from typing import Any

import pytest
from django.contrib.auth.views import LoginView
from django.http import HttpResponseRedirect
from django.urls import include, path
from django.urls.resolvers import RegexPattern, RoutePattern
from django.views.generic import DetailView

from secure_django.guard import access
from secure_django.guard.access import (
    app_of_view,
    is_in_another_format,
    outcome,
    route_of_pattern,
    routes,
)
from secure_django.photos.models import Photo


@pytest.mark.parametrize(
    ("pattern", "route"),
    [
        (r"^feeds/", "feeds/"),
        (r"^tickets/(?P<pk>[^/.]+)/$", "tickets/<pk>/"),
        (r"^tickets\.(?P<format>[a-z0-9]+)/?$", "tickets.<format>"),
        (r"^lists/(?P<query>(?:[a-z]{4})*(?:[a-z]{2})?)$", "lists/<query>"),
        (r"^years/([0-9]{4})/$", "years/<_0>/"),
        (r"^100%/$", "100%/"),
    ],
)
def test_regular_expression_is_read_as_a_path(pattern: str, route: str) -> None:
    assert route_of_pattern(RegexPattern(pattern)) == route


def test_converters_of_a_path_are_left_out() -> None:
    assert route_of_pattern(RoutePattern("<int:pk>/<slug>/")) == "<pk>/<slug>/"


def test_generic_view_is_of_the_app_whose_urls_make_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pages = [
        path("notes/<int:pk>/", DetailView.as_view(model=Photo)),
        path("enter/", LoginView.as_view()),
    ]
    found = routes([path("shop/", include(pages))], urls="secure_django.photos.urls")
    monkeypatch.setattr(access, "VIEWS", dict(found))
    assert app_of_view("/shop/notes/<pk>/") == "secure_django.photos"
    assert app_of_view("/shop/enter/") == "django.contrib.auth"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/accounts/login/", "log-in"),
        ("/accounts/login/?next=/notes/", "log-in"),
        ("/admin/login/?next=/admin/", "log-in"),
        ("/help/login/", "away"),
        ("/notes/", "away"),
    ],
)
def test_redirect_to_the_log_in_is_a_refusal(target: str, expected: str) -> None:
    assert outcome(HttpResponseRedirect(target)) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [("/?next=/notes/", "log-in"), ("/?next=/others/", "away"), ("/", "away")],
)
def test_redirect_that_leads_back_to_the_page_is_a_log_in(
    target: str, expected: str
) -> None:
    response: Any = HttpResponseRedirect(target)
    response.request = {"PATH_INFO": "/notes/"}
    assert outcome(response) == expected


class Notes:
    """A view of REST framework."""


def show_notes() -> None: ...


def show_other_notes() -> None: ...


def test_page_in_another_format_is_no_page_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    show_notes.cls = Notes  # type: ignore[attr-defined]
    notes = access.View(show_notes, (), "", "")
    others = access.View(show_other_notes, (), "", "")
    views = {
        "/notes/": notes,
        "/notes.<format>": notes,
        "/notes/<pk>/": notes,
        "/notes/<pk><format>": notes,
        "/books/": others,
        "/books.<format>": others,
    }
    monkeypatch.setattr(access, "VIEWS", views)
    assert [route for route in views if is_in_another_format(route)] == [
        "/notes.<format>",
        "/notes/<pk><format>",
    ]
