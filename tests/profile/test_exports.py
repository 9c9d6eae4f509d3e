"""The download of what the site stores about a person."""

import json
from typing import Any

import pytest
from django.apps import apps
from django.db.models import CASCADE, PROTECT
from django.test import Client
from django.test.utils import isolate_apps
from pytest_django import Settings

from example.models import Bill, Household, Loan, Member, Remark, Thing
from secure_django.login.models import Device
from secure_django.photos.models import Status
from secure_django.profile.exports import (
    Kind,
    is_exported,
    own_kinds,
    rows_of,
)
from secure_django.testing import PASSWORD, HTTPSClient, MakePhoto, MakeUser
from secure_django.testing.people import prove_second_factor, verify_email
from tests.events import fields_of
from users.models import User

pytestmark = pytest.mark.django_db

PAGE = "/accounts/profile/export/"


def download(client: HTTPSClient, user: User) -> Any:
    prove_second_factor(client, user)
    return client.post(PAGE)


def test_person_downloads_what_the_site_stores(
    visitor: HTTPSClient,
    user: User,
    make_photo: MakePhoto,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    User.objects.filter(pk=user.pk).update(name="Änn")
    photo = make_photo(status=Status.REJECTED, reason="too dark")
    make_photo(status=Status.DELETED)
    thing = Thing.objects.create(owner=user, title="Teapot", image=photo)
    response = download(visitor, user)
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    disposition = response.headers["Content-Disposition"]
    assert disposition == 'attachment; filename="data.json"'
    data = json.loads(response.getvalue())
    assert data["account"]["name"] == "Änn"
    assert data["account"]["email"] == user.email
    assert data["account"]["picture"] is None
    assert data["account"]["date_joined"][:4] == str(user.date_joined.year)
    path = f"/photos/{photo.pk}/display/"
    (shown,) = data["photos"]
    assert shown["url"] == path
    assert (shown["status"], shown["reason"]) == ("rejected", "too dark")
    assert data["example.thing"] == [
        {
            "id": thing.pk,
            "title": "Teapot",
            "image": {"url": path, "status": "rejected"},
            "portrait": None,
            "plan": None,
            "letter": None,
        }
    ]
    (event,) = fields_of(caplog, "sensitive_read")
    assert event["user"] == user.pk


@pytest.mark.control("V8.2.2")
def test_download_has_no_secret_and_nothing_of_others(
    visitor: HTTPSClient, user: User, make_user: MakeUser, make_photo: MakePhoto
) -> None:
    other = make_user("stranger@example.com", name="Stranger")
    device = Device.objects.create(user=user)
    make_photo(other)
    Thing.objects.create(owner=other, title="Secret of the stranger")
    Thing.objects.create(owner=user, title="Mine", guest=other)
    Thing.objects.create(owner=other, guest=user, title="Shown to a guest")
    text = download(visitor, user).getvalue().decode()
    assert "Mine" in text
    for secret in ("tranger", "Shown to a guest", device.key, user.password):
        assert secret not in text
    assert "password" not in text
    assert "is_staff" not in text


def labels() -> set[str]:
    return {kind.label.removeprefix("example.") for kind in own_kinds()}


def test_rows_with_two_users_and_no_owner_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert {"thing", "remark"} < labels()
    monkeypatch.setattr(Thing._meta.get_field("owner"), "name", "author")
    assert labels().isdisjoint({"thing", "remark"})
    assert "delivery" in labels()


@pytest.mark.control("V8.2.2")
def test_download_has_what_is_the_persons_of_shared_objects(
    visitor: HTTPSClient, user: User, other_user: User
) -> None:
    household = Household.objects.create(owner=other_user, name="Under the roof")
    household.watchers.add(user, other_user)
    for person in (user, other_user):
        Member.objects.create(household=household, user=person)
        Bill.objects.create(household=household, payer=person, title=f"Of {person.pk}")
    data = json.loads(download(visitor, user).getvalue())
    (bill,) = data["example.bill"]
    assert bill["title"] == f"Of {user.pk}"
    (member,) = data["example.member"]
    (watcher,) = data["example.household_watchers"]
    assert member["household"] == watcher["household"] == household.pk
    assert data["example.household"] == []


@pytest.mark.control("V8.2.2")
def test_row_of_others_that_a_person_handles_is_not_in_that_persons_download(
    visitor: HTTPSClient,
    user: User,
    other_user: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    household = Household.objects.create(owner=other_user)
    Bill.objects.create(household=household, payer=user, title="Rent of a stranger")
    assert "bill" in labels()
    payer: Any = Bill._meta.get_field("payer")
    for name in ("handled_by", "approver", "updated_by", "recipient"):
        monkeypatch.setattr(payer, "name", name)
        assert "bill" not in labels()
        assert "stranger" not in download(visitor, user).getvalue().decode()
    monkeypatch.setattr(payer.remote_field, "on_delete", PROTECT)
    assert "bill" not in labels()
    monkeypatch.setattr(payer.remote_field, "on_delete", CASCADE)
    assert "bill" in labels()


@isolate_apps("example")
def test_key_to_a_part_of_the_users_names_a_user_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Colleague(User):
        class Meta:
            proxy = True
            app_label = "example"

    guest: Any = Thing._meta.get_field("guest")
    monkeypatch.setattr(guest, "related_model", Colleague)
    monkeypatch.setattr(Thing._meta.get_field("owner"), "name", "author")
    assert "thing" not in labels()
    assert not is_exported(guest)


@pytest.mark.control("V8.2.2")
def test_download_has_rows_below_the_persons_own(
    visitor: HTTPSClient, user: User, other_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, foreign = (Thing.objects.create(owner=it) for it in (user, other_user))
    Remark.objects.create(thing=own, text="It leaks")
    Remark.objects.create(thing=foreign, text="It shines")
    (remark,) = json.loads(download(visitor, user).getvalue())["example.remark"]
    assert (remark["text"], remark["thing"]) == ("It leaks", own.pk)
    monkeypatch.setattr(Thing, "not_exported", "it names a neighbor", raising=False)
    assert "example.remark" not in json.loads(download(visitor, user).getvalue())


@pytest.mark.control("V8.2.2")
def test_row_below_the_things_of_two_people_is_in_no_download(
    user: User, other_user: User
) -> None:
    kind = Kind(Loan, ["thing__owner", "borrower"])
    thing = Thing.objects.create(owner=user)
    for borrower in (user, other_user):
        Loan.objects.create(thing=thing, borrower=borrower)
    (row,) = rows_of(user, kind)
    assert row.borrower == user
    assert not rows_of(other_user, kind)


@pytest.mark.control("V8.2.2")
def test_rows_that_a_model_keeps_out_of_the_download_are_left_out(
    visitor: HTTPSClient, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    Thing.objects.create(owner=user, title="Said by a neighbor")
    assert "neighbor" in download(visitor, user).getvalue().decode()
    reason = "it names the neighbor who complained"
    monkeypatch.setattr(Thing, "not_exported", reason, raising=False)
    data = json.loads(download(visitor, user).getvalue())
    assert "example.thing" not in data
    assert "example.delivery" in data


@pytest.mark.parametrize("folder", ["site-packages", "vendor", ".venv/lib"])
def test_models_of_packages_are_left_out(
    folder: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = apps.get_app_config("example")
    monkeypatch.setattr(app, "path", f"{settings.BASE_DIR}/{folder}/example")
    assert own_kinds() == []


@pytest.mark.control("V7.5.1")
def test_download_asks_for_the_password_again(client: HTTPSClient, user: User) -> None:
    verify_email(user)
    Client.force_login(client, user)
    for response in (client.get(PAGE), client.post(PAGE)):
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/accounts/reauthenticate/")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert client.get(PAGE).status_code == 200
    assert json.loads(client.post(PAGE).getvalue())["account"]["email"] == user.email


def test_download_is_limited(visitor: HTTPSClient, user: User) -> None:
    prove_second_factor(visitor, user)
    statuses = [visitor.post(PAGE).status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]


def test_download_reads_many_rows_with_few_queries(
    visitor: HTTPSClient, user: User, django_assert_max_num_queries: Any
) -> None:
    Thing.objects.bulk_create(Thing(owner=user, title="x") for _ in range(1200))
    prove_second_factor(visitor, user)
    with django_assert_max_num_queries(40):
        data = json.loads(visitor.post(PAGE).getvalue())
    assert len(data["example.thing"]) == 1200


@pytest.mark.parametrize("name", ["password", "is_staff", "email"])
def test_model_that_extends_the_user_adds_no_field_of_the_account(name: str) -> None:
    # A model with User as its parent has all of the account's fields too.
    field: Any = User._meta.get_field(name)
    assert field.editable
    assert not is_exported(field)
