"""Copied into a generated project: attacks on two apps that `poe app` has made."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN401, I001, INP001, PLR0913, PLR0917

import re
from datetime import date
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from secure_django.testing import HTTPSClient, Login, MakeUser
from secure_django.photos.forms import PhotoModelForm
from users.models import User

APPS = {"notes": "note", "shopping_lists": "shoppinglist"}
VALUES = {
    "title": "Milk",
    "due": "2026-02-03",
    "seats": "3",
    "price": "12.50",
    "rating": "5",
    "discount": "99.90",
    "opens": "10:30",
    "ends": "2026-02-03T10:30",
    "urgent": "on",
    "level": "very_hard",
    "email": "ann@example.com",
    "website": "https://example.com/",
}


def model_of(app: str) -> Any:
    return apps.get_model(app, APPS[app])


@pytest.fixture(params=APPS)
def app(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def model(app: str) -> Any:
    return model_of(app)


@pytest.fixture
def made(model: Any, user: User) -> Any:
    return model.objects.create(owner=user, title="Private", text="Private")


def unchanged(model: Any, user: User) -> bool:
    return list(model.objects.values_list("owner", "title", "text")) == [
        (user.pk, "Private", "Private")
    ]


def test_limit_holds_for_all_sessions_and_ip_addresses(
    model: Any, user: User, app: str
) -> None:
    for number in range(40):
        client = HTTPSClient(REMOTE_ADDR=f"192.0.2.{number}")
        client.force_login(user)
        client.post(
            f"/{app}/create/?n={number}",
            {"title": "Flood"},
            headers={"host": f"testserver:{number + 1}"},
        )
    assert model.objects.count() == 30


def test_object_deleted_in_another_tab_stays_deleted(
    login: Login,
    user: User,
    app: str,
    model: Any,
    made: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = login(user)
    save = PhotoModelForm.save

    def delete_first(form: PhotoModelForm) -> Any:
        model.objects.all().delete()
        return save(form)

    monkeypatch.setattr(PhotoModelForm, "save", delete_first)
    response = client.post(f"/{app}/{made.pk}/edit/", {"title": "Late"})
    assert response.status_code == 503
    assert "Temporarily unavailable" in response.content.decode()
    assert not model.objects.exists()


def test_date_is_asked_for_by_a_calendar_in_any_language(
    login: Login, user: User
) -> None:
    app, name = list(APPS.items())[1]
    model: Any = apps.get_model(app, name)
    stored = model.objects.create(owner=user, title="Milk", due=date(2026, 2, 3))
    with override("de"):
        page = login(user).get(f"/shopping_lists/{stored.pk}/edit/").content.decode()
    assert re.search('<input type="date"[^>]* value="2026-02-03"', page)


def test_each_kind_is_shown_and_edited_as_it_was_entered(
    login: Login, user: User
) -> None:
    client = login(user)
    note = model_of("notes").objects.create(owner=user, title="Parent")
    data = VALUES | {"note": note.pk}
    url = client.post("/shopping_lists/create/", data).headers["Location"]
    parent = f'<a href="{note.get_absolute_url()}">Parent</a>'
    page = client.get(url).text
    for shown in (
        "12.50",
        "99.90",
        "Very hard",
        'href="mailto:ann@',
        "Yes",
        "10:30",
        parent,
    ):
        assert shown in page
    form = client.get(f"{url}edit/").text
    for name, value in (VALUES | {"urgent": "checked", "level": "selected"}).items():
        pattern = rf'name="{name}"[^>]*>(\s*<option.*?</select>)?'
        field = re.search(pattern, form, re.DOTALL)
        assert field, name
        assert value in field[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("price", "NaN"),
        ("price", "1e400"),
        ("price", "1.234"),
        ("rating", "6"),
        ("rating", "0"),
        ("discount", "99.91"),
        ("discount", "-0.01"),
        ("seats", "9" * 400),
        ("opens", "25:00"),
        ("ends", "9999-12-31T23:59"),
        ("ends", "0001-01-01T00:00"),
        ("level", "hidden"),
        ("email", "ü@example.com"),
        ("email", "ann"),
        ("website", "javascript:alert(1)"),
        ("website", "ftp://example.com/"),
        ("note", "9" * 30),
    ],
)
def test_value_that_does_not_fit_is_an_error_of_its_field(
    name: str, value: str, login: Login, user: User
) -> None:
    data = VALUES | {name: value}
    page = login(user).post("/shopping_lists/create/", data)
    assert page.status_code == 200
    assert set(page.context["form"].errors) == {name}


def test_list_asks_no_question_for_each_row(
    login: Login, user: User, django_assert_num_queries: Any
) -> None:
    note = model_of("notes").objects.create(owner=user, title="Parent")
    model = model_of("shopping_lists")
    model.objects.create(owner=user, title="One", note=note)
    client = login(user)
    client.get("/shopping_lists/")  # stores the session
    with CaptureQueriesContext(connection) as queries:
        client.get("/shopping_lists/?q=o&order=-price")
    for number in range(12):
        model.objects.create(owner=user, title=f"More {number}", note=note)
    with django_assert_num_queries(len(queries)):
        client.get("/shopping_lists/?q=o&order=-price")


def test_staff_need_a_permission_and_guess_no_hidden_values(
    client: HTTPSClient,
    make_user: MakeUser,
    user: User,
    other_user: User,
    model: Any,
    made: Any,
    app: str,
) -> None:
    staff = make_user("staff@example.com", is_staff=True)
    client.force_login(staff)
    pages = f"/admin/{app}/{APPS[app]}/", f"/admin/{app}/{APPS[app]}/{made.pk}/change/"
    assert {client.get(page).status_code for page in pages} == {403}
    staff.user_permissions.set(Permission.objects.filter(content_type__app_label=app))
    client.force_login(User.objects.get(pk=staff.pk))
    assert (
        client.get(f"{pages[0]}?owner__password__startswith=argon2").status_code == 400
    )
    client.post(
        pages[1], {"title": "Private", "text": "Private", "owner": other_user.pk}
    )
    assert unchanged(model, user)


@pytest.mark.usefixtures("made")
def test_malformed_values_end_in_no_error(
    login: Login, model: Any, user: User, app: str
) -> None:
    client = login(user)
    for page in ("-1", "0", "1e9", "９", "%00", "9" * 400):
        assert client.get(f"/{app}/?page={page}").status_code == 200
    for query in ("q=%00", "q=" + "x" * 60_000, "order=owner__password", "order=%00"):
        assert client.get(f"/{app}/?{query}").status_code == 200
    for pk in ("0", "9" * 30):
        assert client.get(f"/{app}/{pk}/").status_code == 404
    for title in ("\0", " ", "x" * 121):
        assert client.post(f"/{app}/create/", {"title": title}).status_code == 200
    assert (
        client.post(f"/{app}/create/", {"title": "x", "text": "x" * 2001}).status_code
        == 200
    )
    assert unchanged(model, user)
