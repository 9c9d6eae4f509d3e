"""The lists of the user model: what the sign-up asks for, and what no list may name."""

from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import NOT_PROVIDED

from secure_django.login.checks import check_lists_of_fields
from secure_django.testing import PASSWORD, HTTPSClient, MakeUser
from secure_django.testing.people import verify_email
from users.models import User

SIGNUP = "/accounts/signup/"


@pytest.fixture
def ask_for_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(User, "signup_fields", ("name",))


def sign_up(client: HTTPSClient, **fields: str) -> Any:
    fields = {"email": "new@example.com", "password1": PASSWORD, **fields}
    return client.post(SIGNUP, fields)


def ids() -> set[str]:
    return {str(error.id) for error in check_lists_of_fields()}


@pytest.mark.django_db
@pytest.mark.usefixtures("ask_for_name")
def test_sign_up_asks_for_the_fields_of_the_list(client: HTTPSClient) -> None:
    page = client.get(SIGNUP)
    assert list(page.context["form"].fields)[:3] == ["email", "name", "password1"]
    assert '<input type="text" name="name"' in page.text
    assert 'autocomplete="name"' in page.text
    assert sign_up(client, name="Ann Harbor", language="de").status_code == 302
    user = User.objects.get()
    assert (user.name, user.language) == ("Ann Harbor", "")


@pytest.mark.django_db
def test_sign_up_takes_no_other_field(client: HTTPSClient) -> None:
    assert 'name="name"' not in client.get(SIGNUP).text
    sign_up(client, name="Ann Harbor")
    assert not User.objects.get().name


@pytest.mark.django_db
@pytest.mark.usefixtures("ask_for_name")
@pytest.mark.parametrize("name", ["\0", "x" * 101, "a\nb", "a\x1b[0m"])
def test_odd_value_is_an_error_of_the_field(client: HTTPSClient, name: str) -> None:
    response = sign_up(client, name=name)
    assert response.status_code == 200
    assert response.context["form"].errors.keys() == {"name"}
    assert not User.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("ask_for_name")
def test_half_a_character_is_replaced(client: HTTPSClient) -> None:
    body = f"email=new@example.com&password1={PASSWORD}&name=a%ED%A0%80b"
    form = "application/x-www-form-urlencoded"
    assert client.generic("POST", SIGNUP, body, form).status_code == 302
    assert User.objects.get().name == "a\ufffd\ufffd\ufffdb"


@pytest.mark.django_db
@pytest.mark.usefixtures("ask_for_name")
def test_model_decides_about_values_of_the_sign_up(
    client: HTTPSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clean(user: User) -> None:
        if user.name == "Admin":
            raise ValidationError({"name": "taken", "company": "of no field"})

    monkeypatch.setattr(User, "clean", clean)
    form = sign_up(client, name="Admin").context["form"]
    assert form.errors.keys() == {"name", "__all__"}
    assert not User.objects.exists()


@pytest.mark.control("V6.3.8")
@pytest.mark.django_db
@pytest.mark.usefixtures("ask_for_name")
def test_fields_do_not_reveal_accounts(
    client: HTTPSClient, make_user: MakeUser
) -> None:
    user = make_user(name="Ann")
    verify_email(user)
    answers = set()
    for email in (user.email, "new@example.com"):
        refused = sign_up(HTTPSClient(), email=email, name="\0")
        page = sign_up(HTTPSClient(), email=email, name="Eve")
        errors = refused.context["form"].errors.as_json()
        answers.add((errors, page.status_code, page.headers["Location"]))
    assert len(answers) == 1
    user.refresh_from_db()
    assert user.name == "Ann"
    assert not [message for message in mail.outbox if "Eve" in str(message.body)]


@pytest.mark.django_db
@pytest.mark.usefixtures("ask_for_name")
def test_value_that_a_parallel_sign_up_has_taken_is_no_error_of_the_server(
    client: HTTPSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(*args: Any, **kwargs: Any) -> None:
        raise IntegrityError

    monkeypatch.setattr(User, "save", save)
    assert sign_up(client, name="Ann").status_code == 503
    assert not mail.outbox


@pytest.mark.control("V15.3.3")
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("name", "picture"), set()),
        (("company",), {"secure_django.E434"}),
        (("photos",), {"secure_django.E434"}),  # the rows that refer to a user
        (("is_staff",), {"secure_django.E435"}),
        (("password",), {"secure_django.E435"}),
        (("user_permissions",), {"secure_django.E435"}),
        (("date_joined",), {"secure_django.E435"}),
        (("id",), {"secure_django.E435"}),
    ],
)
def test_list_of_the_profile_is_checked(
    names: tuple[str, ...], expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(User, "profile_fields", names)
    assert ids() == expected


def test_photo_in_the_sign_up_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(User, "signup_fields", ("picture",))
    assert ids() == {"secure_django.E436"}


def test_required_field_must_be_in_the_sign_up(monkeypatch: pytest.MonkeyPatch) -> None:
    name = User._meta.get_field("name")
    monkeypatch.setattr(name, "blank", False)
    assert ids() == set()  # it has a default
    monkeypatch.setattr(name, "default", NOT_PROVIDED)
    assert ids() == {"secure_django.E437"}
    monkeypatch.setattr(User, "signup_fields", ("name",))
    assert ids() == set()


@pytest.mark.django_db
def test_admin_shows_the_fields_of_the_project(
    client: HTTPSClient, make_user: MakeUser
) -> None:
    admin = make_user("admin@example.com", is_staff=True, is_superuser=True)
    client.force_login(admin)
    page = client.get(f"/admin/users/user/{admin.pk}/change/").text
    assert "field-picture" in page
    assert 'name="picture"' not in page  # the admin's forms store no photos
    assert "field-language" not in page
    page = client.get("/admin/users/user/add/").text
    assert "field-name" in page
    assert "field-picture" not in page


@pytest.mark.django_db
def test_staff_disable_an_account_without_a_required_field(
    client: HTTPSClient, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(User._meta.get_field("name"), "blank", False)
    monkeypatch.setattr(User, "signup_fields", ("name",))
    user = make_user()
    admin = make_user("admin@example.com", is_staff=True, is_superuser=True)
    client.force_login(admin)
    fields = {"email": user.email, "name": "", "is_active": ""}
    response = client.post(f"/admin/users/user/{user.pk}/change/", fields)
    assert response.status_code == 302
    assert not User.objects.get(pk=user.pk).is_active


@pytest.mark.django_db
def test_command_makes_an_account_without_the_fields_of_the_sign_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(User._meta.get_field("name"), "blank", False)
    with pytest.raises(ValidationError):
        User.objects.create_user("new@example.com")
    monkeypatch.setattr(User, "signup_fields", ("name",))
    assert not User.objects.create_user("new@example.com").name
