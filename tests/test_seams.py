"""What docs/seams.md says: a project changes the package without an edit of it."""

from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from pytest_django import Settings

from secure_django.accounts.adapters import AccountAdapter
from secure_django.accounts.forms import SignupForm
from secure_django.conf import number
from secure_django.conf.environment import Environment
from secure_django.login.forms import LoginForm
from secure_django.photos.checks import check_variants
from secure_django.photos.form_fields import PhotoInput
from secure_django.photos.images import VARIANTS
from secure_django.photos.models import Photo, PhotoQuerySet
from secure_django.photos.moderation import get_moderation_backend
from secure_django.photos.moderation.backends import StaffReviewBackend
from secure_django.testing import PASSWORD, HTTPSClient, MakePhoto
from users.models import User

HERE = "tests.test_seams"


class TermsSignupForm(SignupForm):
    terms = forms.BooleanField(label="I agree to the terms")


class NoticeLoginForm(LoginForm):
    field_order = ("login", "password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].help_text = "Your work email"


class ClosedAdapter(AccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class AgencyBackend(StaffReviewBackend):
    def kinds(self) -> tuple[str, ...]:
        return ("manual", "agency")

    def deletable(self, photos: PhotoQuerySet) -> PhotoQuerySet:
        return photos.none()


def greet(get_response: Any) -> Any:
    """Return a middleware of a team's own."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response: HttpResponse = get_response(request)
        response["X-Greeting"] = "hello"
        return response

    return middleware


@pytest.mark.django_db
def test_sign_up_takes_a_field_of_the_user(
    client: HTTPSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(User, "signup_fields", ("name",))
    answers = {"email": "new@example.com", "password1": PASSWORD, "name": "Museum"}
    client.post("/accounts/signup/", answers)
    assert User.objects.get().name == "Museum"


@pytest.mark.django_db
def test_form_of_the_sign_up_is_replaced(
    client: HTTPSClient, settings: Settings
) -> None:
    form = f"{HERE}.TermsSignupForm"
    settings.ACCOUNT_FORMS = settings.ACCOUNT_FORMS | {"signup": form}
    answers = {"email": "new@example.com", "password1": PASSWORD}
    page = client.post("/accounts/signup/", answers)
    assert page.context["form"].errors.keys() == {"terms"}
    client.post("/accounts/signup/", answers | {"terms": "on"})
    assert User.objects.exists()


@pytest.mark.django_db
def test_form_of_the_log_in_is_replaced(
    client: HTTPSClient, settings: Settings
) -> None:
    form = f"{HERE}.NoticeLoginForm"
    settings.ACCOUNT_FORMS = settings.ACCOUNT_FORMS | {"login": form}
    assert "Your work email" in client.get("/accounts/login/").text


@pytest.mark.django_db
def test_adapter_closes_the_sign_up(client: HTTPSClient, settings: Settings) -> None:
    settings.ACCOUNT_ADAPTER = f"{HERE}.ClosedAdapter"
    answers = {"email": "new@example.com", "password1": PASSWORD}
    client.post("/accounts/signup/", answers)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_limit_is_a_setting(client: HTTPSClient, settings: Settings) -> None:
    limits = settings.ACCOUNT_RATE_LIMITS | {"signup": "1/m/ip"}
    settings.ACCOUNT_RATE_LIMITS = limits
    statuses = [
        client.post("/accounts/signup/", {"email": f"{number}@example.com"}).status_code
        for number in range(2)
    ]
    assert statuses == [200, 429]


def test_template_of_a_widget_is_replaced(settings: Settings, tmp_path: Path) -> None:
    assert "Choose a picture" not in PhotoInput().render("photo", None)
    template = tmp_path / PhotoInput.template_name
    template.parent.mkdir(parents=True)
    template.write_text("Choose a picture", encoding="utf-8")
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [engine | {"DIRS": [tmp_path]}]
    assert PhotoInput().render("photo", None) == "Choose a picture"


@pytest.mark.django_db
def test_page_is_replaced(
    client: HTTPSClient, settings: Settings, tmp_path: Path
) -> None:
    template = tmp_path / "account" / "login.html"
    template.parent.mkdir()
    template.write_text("Welcome to the museum", encoding="utf-8")
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [engine | {"DIRS": [tmp_path, *engine["DIRS"]]}]
    assert client.get("/accounts/login/").content == b"Welcome to the museum"


@pytest.mark.django_db
def test_middleware_of_ones_own_runs(client: HTTPSClient, settings: Settings) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{HERE}.greet"]
    assert client.get("/")["X-Greeting"] == "hello"


def test_moderation_backend_is_a_setting(
    make_photo: MakePhoto, settings: Settings
) -> None:
    settings.PHOTO_MODERATION_BACKEND = f"{HERE}.AgencyBackend"
    assert isinstance(get_moderation_backend(), AgencyBackend)
    photo = make_photo()
    kinds = {verdict.kind for verdict in photo.verdicts.all()}
    assert kinds == {"manual", "agency"}
    assert not get_moderation_backend().deletable(Photo.objects.all()).exists()


def test_third_size_of_photos_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_variants() == []
    monkeypatch.setitem(VARIANTS, "large", 4000)
    (message,) = check_variants()
    assert isinstance(message, Error)
    assert message.id == "secure_django.E202"


def test_variable_of_ones_own_is_read_and_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEATS", "12")
    monkeypatch.setenv("ROOMS", "many")
    env = Environment()
    assert env.read("SEATS", number(1, 100)) == 12
    env.read("ROOMS", number(1, 100))
    env.read("PAYMENT_URL", str)
    with pytest.raises(ImproperlyConfigured) as stopped:
        env.stop_on_problems()
    assert "PAYMENT_URL: Is not set." in str(stopped.value)
    assert "ROOMS: Must be a whole number from 1 to 100." in str(stopped.value)
    assert "many" not in str(stopped.value)
