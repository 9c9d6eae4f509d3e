"""Routes: what a pattern of URLs is in the access table, and where a redirect leads."""

import pytest
from django.http import HttpResponseRedirect
from django.urls.resolvers import RegexPattern, RoutePattern

from secure_django.guard.access import outcome, route_of_pattern


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
