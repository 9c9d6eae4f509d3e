"""The pages of allauth that the site has."""

from django.urls import include, path, re_path
from django.views.generic import TemplateView

from secure_django.accounts.urls import select_pages

VIEW = TemplateView.as_view()


def test_pages_are_chosen_by_name_in_any_group() -> None:
    wanted = path("email/", VIEW, name="account_email")
    other = path("login/", VIEW, name="openid_connect_login")
    (group,) = select_pages([path("", include([wanted, other]))])
    assert [page.name for page in group.url_patterns] == ["account_email"]
    # That of a provider of single sign-on, whose pages a team includes by itself.
    assert select_pages([re_path(r"^(?P<provider>[^/]+)/", include([other]))]) == []
