"""Copied into a project that has the code of docs/seams.md."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: I001, INP001

import re
from importlib import import_module

import pytest
from django.core import mail
from secure_django.jobs import AROUND
from secure_django.photos.signals import photo_decided
from secure_django.testing import PASSWORD, HTTPSClient, MakeUser, is_logged_in

from users.models import User

pytestmark = pytest.mark.django_db
SIGN_UP = "/accounts/signup/"
ANSWERS = {"email": "new@example.com", "password1": PASSWORD, "terms": "on"}
COMPANY = "The Museum"


def test_sign_up_stores_the_company(client: HTTPSClient) -> None:
    assert 'name="company"' in client.get(SIGN_UP).content.decode()
    response = client.post(SIGN_UP, ANSWERS | {"company": COMPANY})
    code = re.search(r"^[A-Z]{4}-[A-Z]{4}$", str(mail.outbox[-1].body), re.MULTILINE)
    assert code
    assert not is_logged_in(client)
    client.post(response.headers["Location"], {"code": code[0]})
    assert is_logged_in(client)
    # Only a project with the field has it in the type.
    assert vars(User.objects.get())["company"] == COMPANY


def test_sign_up_without_the_company_is_refused(client: HTTPSClient) -> None:
    page = client.post(SIGN_UP, ANSWERS).content.decode()
    assert "This field is required." in page
    assert not User.objects.exists()


def test_company_is_on_the_profile_and_in_the_admin(
    client: HTTPSClient, make_user: MakeUser
) -> None:
    user = make_user(is_staff=True, is_superuser=True)
    client.force_login(user)
    for page in ("/accounts/profile/", f"/admin/users/user/{user.pk}/change/"):
        assert 'name="company"' in client.get(page).content.decode()
    client.post("/accounts/profile/", {"company": COMPANY})
    assert vars(User.objects.get())["company"] == COMPANY
    assert COMPANY.encode() in client.post("/accounts/profile/export/").getvalue()


def test_middleware_runs(client: HTTPSClient) -> None:
    assert client.get("/").headers["X-Served-By"] == "the museum"


def test_start_connects_receivers_and_jobs() -> None:
    assert import_module("users.jobs").measure in AROUND
    receiver = import_module("users.receivers").tell_the_author
    assert photo_decided.disconnect(receiver)
    photo_decided.connect(receiver)
