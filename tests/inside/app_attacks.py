"""Copied into a generated project with two apps that `poe app` has made: attacks on both."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN401, I001, INP001, PLR0913, PLR0917

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission

from core.testing import HTTPSClient, Login, MakeUser
from users.models import User

APPS = {"notes": "note", "shopping_lists": "shoppinglist"}
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(params=APPS)
def app(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def model(app: str) -> Any:
    return apps.get_model(app, APPS[app])


@pytest.fixture
def made(model: Any, user: User) -> Any:
    return model.objects.create(owner=user, title="Private", text="Private")


@pytest.fixture
def urls(app: str, made: Any) -> list[str]:
    return [f"/{app}/", *(f"/{app}/{made.pk}/{page}" for page in ("", "edit/", "delete/"))]


def unchanged(model: Any, user: User) -> bool:
    return list(model.objects.values_list("owner", "title", "text")) == [(user.pk, "Private", "Private")]


def test_anonymous_visitor_reads_nothing(client: HTTPSClient, urls: list[str]) -> None:
    for url in urls:
        response = client.get(url)
        assert response.headers["Location"] == f"/accounts/login/?next={url}"
        assert b"Private" not in response.content


def test_anonymous_visitor_changes_nothing(client: HTTPSClient, model: Any, user: User, urls: list[str]) -> None:
    for url in [*urls, f"{urls[0]}create/"]:
        assert client.post(url, {"title": "Taken"}).status_code == 302
    assert unchanged(model, user)


def test_another_user_reads_nothing(login: Login, other_user: User, urls: list[str]) -> None:
    client = login(other_user)
    for url in [*urls, f"{urls[0]}?page=1&owner=1", f"{urls[0]}?owner__email__startswith=o"]:
        assert b"Private" not in client.get(url).content


def test_another_user_changes_nothing(login: Login, model: Any, user: User, other_user: User, urls: list[str]) -> None:
    client = login(other_user)
    for url in urls[1:]:
        assert client.post(url, {"title": "Taken", "text": "Taken"}).status_code in {404, 405}
    assert unchanged(model, user)


def test_form_fields_that_are_not_offered_have_no_effect(
    login: Login, model: Any, made: Any, user: User, other_user: User, urls: list[str]
) -> None:
    fields = {"title": "Mine", "owner": other_user.pk, "owner_id": other_user.pk, "pk": 4711, "id": 4711}
    client = login(other_user)
    client.post(f"{urls[0]}create/", fields | {"owner": user.pk, "owner_id": user.pk, "id": made.pk, "pk": made.pk})
    login(user).post(urls[2], fields)
    assert model.objects.filter(owner=user, pk=made.pk, title="Mine").count() == 1
    assert model.objects.filter(owner=other_user).count() == 1
    assert not model.objects.filter(pk=4711).exists()


def test_request_from_another_site_is_refused(model: Any, user: User, urls: list[str]) -> None:
    client = HTTPSClient(enforce_csrf_checks=True, headers={"origin": "https://evil.example"})
    client.force_login(user)
    for url in (f"{urls[0]}create/", *urls[2:]):
        assert client.post(url, {"title": "Taken"}).status_code == 403
    assert unchanged(model, user)


def test_script_is_shown_as_text(login: Login, model: Any, user: User, urls: list[str]) -> None:
    model.objects.update(title=SCRIPT, text=f"{SCRIPT}\n\n</textarea>{SCRIPT}")
    client = login(user)
    for url in urls[:3]:
        response = client.get(url)
        assert SCRIPT not in response.content.decode()
        assert "&lt;script&gt;" in response.content.decode()
        assert "unsafe" not in response.headers["Content-Security-Policy"]


def test_link_deletes_and_creates_nothing(login: Login, model: Any, user: User, urls: list[str]) -> None:
    client = login(user)
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
        for url in (*urls, f"{urls[0]}create/"):
            client.generic(method, f"{url}?title=Taken")
    assert unchanged(model, user)


def test_limit_holds_for_all_sessions_and_ip_addresses(model: Any, user: User, app: str) -> None:
    for number in range(40):
        client = HTTPSClient(REMOTE_ADDR=f"192.0.2.{number}")
        client.force_login(user)
        client.post(f"/{app}/create/?n={number}", {"title": "Flood"}, headers={"host": f"testserver:{number + 1}"})
    assert model.objects.count() == 30


def test_staff_need_a_permission_and_guess_no_hidden_values(
    client: HTTPSClient, make_user: MakeUser, user: User, other_user: User, model: Any, made: Any, app: str
) -> None:
    staff = make_user("staff@example.com", is_staff=True)
    client.force_login(staff)
    pages = f"/admin/{app}/{APPS[app]}/", f"/admin/{app}/{APPS[app]}/{made.pk}/change/"
    assert {client.get(page).status_code for page in pages} == {403}
    staff.user_permissions.set(Permission.objects.filter(content_type__app_label=app))
    client.force_login(User.objects.get(pk=staff.pk))
    assert client.get(f"{pages[0]}?owner__password__startswith=argon2").status_code == 400
    client.post(pages[1], {"title": "Private", "text": "Private", "owner": other_user.pk})
    assert unchanged(model, user)


@pytest.mark.usefixtures("made")
def test_malformed_values_end_in_no_error(login: Login, model: Any, user: User, app: str) -> None:
    client = login(user)
    for page in ("-1", "0", "1e9", "９", "%00", "9" * 400):
        assert client.get(f"/{app}/?page={page}").status_code == 200
    for pk in ("0", "9" * 30):
        assert client.get(f"/{app}/{pk}/").status_code == 404
    for title in ("\0", " ", "x" * 121):
        assert client.post(f"/{app}/create/", {"title": title}).status_code == 200
    assert client.post(f"/{app}/create/", {"title": "x", "text": "x" * 2001}).status_code == 200
    assert unchanged(model, user)
