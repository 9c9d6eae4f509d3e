"""The language that a person has chosen, on pages and in emails."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import get_language
from pytest_django import Settings

from secure_django.photos.models import Photo
from secure_django.photos.notices import send_due_notices
from secure_django.photos.services import review_photo
from secure_django.testing import PASSWORD, HTTPSClient, MakePhoto, log_in
from secure_django.testing.people import verify_email
from secure_django.web.languages import in_language_of
from users.models import User

pytestmark = pytest.mark.django_db

PAGE = "/accounts/profile/"
GERMAN_DATE = re.compile(r"\d+\. \w+ \d{4}")


def test_one_language_is_no_choice(visitor: HTTPSClient, settings: Settings) -> None:
    settings.LANGUAGES = [("en", "English"), ("de", "German")]
    assert 'name="language"' not in visitor.get(PAGE).text  # no LocaleMiddleware


@pytest.mark.usefixtures("two_languages")
def test_language_is_chosen_on_the_profile(visitor: HTTPSClient, user: User) -> None:
    page = visitor.get(PAGE).text
    assert '<option value="de">' in page
    visitor.post(PAGE, {"language": "de"})
    user.refresh_from_db()
    assert user.language == "de"
    response = visitor.get(PAGE)
    assert response.headers["Content-Language"] == "de"
    assert '<html lang="de"' in response.text
    visitor.post(PAGE, {"language": ""})
    assert visitor.get(PAGE).headers["Content-Language"] == "en"


@pytest.mark.usefixtures("two_languages")
def test_unknown_language_is_refused(visitor: HTTPSClient, user: User) -> None:
    response = visitor.post(PAGE, {"language": "xx"})
    assert response.context["form"].errors.keys() == {"language"}


@pytest.mark.usefixtures("two_languages")
def test_log_in_brings_the_language_back(client: HTTPSClient, user: User) -> None:
    verify_email(user)
    User.objects.update(language="de")
    assert client.get("/").headers["Content-Language"] == "en"
    log_in(client, user.email)
    assert client.get("/").headers["Content-Language"] == "de"


@pytest.mark.usefixtures("two_languages")
@pytest.mark.parametrize("domain", [None, "testserver"])
def test_language_of_a_person_ends_with_the_log_out(
    domain: str | None, client: HTTPSClient, user: User, settings: Settings
) -> None:
    settings.LANGUAGE_COOKIE_DOMAIN = domain
    settings.LANGUAGE_COOKIE_PATH = "/accounts/" if domain else "/"
    verify_email(user)
    User.objects.update(language="de")
    set_cookie = log_in(client, user.email).cookies[settings.LANGUAGE_COOKIE_NAME]
    deleted = client.post("/accounts/logout/").cookies[settings.LANGUAGE_COOKIE_NAME]
    assert (set_cookie.value, deleted.value, deleted["max-age"]) == ("de", "", 0)
    for attribute in ("domain", "path"):
        assert deleted[attribute] == set_cookie[attribute]


@pytest.mark.usefixtures("two_languages")
def test_next_person_in_a_browser_does_not_get_the_language_of_the_last(
    client: HTTPSClient, user: User, settings: Settings
) -> None:
    verify_email(user)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"  # a session that has expired
    assert client.get("/").headers["Content-Language"] == "de"
    log_in(client, user.email)
    assert client.get("/").headers["Content-Language"] == "en"


@pytest.mark.usefixtures("two_languages")
def test_email_of_the_worker_has_the_language_of_its_reader(
    user: User,
    reviewer: User,
    make_photo: MakePhoto,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def render(*args: Any) -> str:
        seen.append(get_language())
        return render_to_string(*args)

    monkeypatch.setattr("secure_django.photos.notices.render_to_string", render)
    for language in ("de", "", "fr"):  # the site no longer has French
        User.objects.filter(pk=user.pk).update(language=language)
        review_photo(make_photo(), reviewer, "approved")
        decided = Photo.objects.filter(notify_at__isnull=False)
        decided.update(notify_at=timezone.now() - timedelta(seconds=1))
        send_due_notices()
    assert seen == ["de", "en", "en"]
    assert get_language() == "en"


@pytest.mark.usefixtures("two_languages")
def test_notice_of_a_change_has_the_language_of_its_reader(
    visitor: HTTPSClient, user: User
) -> None:
    new = {"password1": "a harbor at noon", "password2": "a harbor at noon"}
    User.objects.update(language="de")
    visitor.post("/accounts/password/change/", {"oldpassword": PASSWORD, **new})
    assert GERMAN_DATE.search(str(mail.outbox[-1].body))


@pytest.mark.usefixtures("two_languages")
def test_reset_link_has_the_language_of_its_reader(
    client: HTTPSClient, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def subject(self: Any, text: str) -> str:
        seen.append(get_language())
        return text

    path = "secure_django.login.adapters.AccountAdapter.format_email_subject"
    monkeypatch.setattr(path, subject)
    User.objects.update(language="de")
    client.post("/accounts/password/reset/", {"email": user.email})
    assert seen == ["de"]


def test_language_of_a_site_with_one_is_its_own(user: User) -> None:
    user.language = "de"
    with in_language_of(user):
        assert get_language() == "en"
    with in_language_of(None):
        assert get_language() == "en"
