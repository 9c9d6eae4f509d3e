"""Routes: what a pattern of URLs is in the access table, and where a redirect leads."""

import pytest
from django.contrib.auth.views import LoginView
from django.http import HttpResponseRedirect
from django.urls import include, path
from django.urls.resolvers import RegexPattern, RoutePattern
from django.views.generic import DetailView

from secure_django.guard import access
from secure_django.guard.access import (
    app_of_view,
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
