"""A photo of a shared object stays when the account of its owner is deleted."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from example.models import Bill, Household, Member
from secure_django.deletion import delete_user, plan_deletion
from secure_django.photos.jobs import delete_unused_photos
from secure_django.photos.models import Photo, Status
from secure_django.testing import Login, MakeUser
from secure_django.testing.photos import FOLDERS, create_photo
from users.models import User

pytestmark = pytest.mark.django_db

RECEIPT: Any = Bill._meta.get_field("receipt")


def make_receipt(owner: User, household: Household, **values: Any) -> Photo:
    photo = create_photo(owner, RECEIPT.purpose)
    changes = {"status": Status.APPROVED, "original_name": "jane.jpg", **values}
    for name, value in changes.items():
        setattr(photo, name, value)
    photo.save()
    Bill.objects.create(household=household, payer=owner, title="Rent", receipt=photo)
    return photo


@pytest.fixture
def household(user: User, other_user: User) -> Household:
    """Return a household of the user, with another member."""
    household = Household.objects.create(owner=user, name="Under the roof")
    for person in (user, other_user):
        Member.objects.create(household=household, user=person)
    return household


@pytest.mark.parametrize("way", ["service", "model"])
def test_photo_of_a_shared_object_stays_without_its_owner(
    way: str,
    household: Household,
    user: User,
    other_user: User,
    login: Login,
    make_user: MakeUser,
) -> None:
    photo = make_receipt(other_user, household)
    if way == "service":
        deletion = delete_user(other_user)
        kinds = {rows.model: rows.number for rows in deletion.stays}
        assert kinds == {Bill: 1, Photo: 1}
        assert Photo not in {rows.model for rows in deletion.goes}
    else:
        User.objects.get(pk=other_user.pk).delete()
    for folder in FOLDERS:
        delete_unused_photos(folder)
    url = f"/photos/{photo.pk}/display/"
    assert login(user).get(url).status_code == 200
    assert login(make_user("stranger@example.com")).get(url).status_code == 404
    photo.refresh_from_db()
    assert (photo.owner, photo.original_name, photo.notify_at) == (None, "", None)


def test_photo_that_waits_stays_and_can_still_be_decided(
    household: Household, other_user: User, login: Login, reviewer: User
) -> None:
    photo = make_receipt(other_user, household, status=Status.PENDING)
    delete_user(other_user)
    page = f"/admin/secure_django_photos/photo/{photo.pk}/change/"
    assert login(reviewer).get(page).status_code == 200
    login(reviewer).post(page, {"approve": "1"})
    photo.refresh_from_db()
    assert photo.status == Status.APPROVED


@pytest.mark.parametrize(
    "change", ["own object", "no object", "rejected", "not shared"]
)
def test_photo_that_nobody_else_sees_goes(
    change: str,
    household: Household,
    user: User,
    other_user: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo = make_receipt(other_user, household)
    if change == "own object":
        Household.objects.update(owner=other_user)
        Member.objects.filter(user=user).delete()
    elif change == "no object":
        Bill.objects.update(receipt=None)
    elif change == "rejected":
        Photo.objects.update(status=Status.REJECTED)
    else:
        monkeypatch.setattr(RECEIPT, "stays_with_object", False)
        monkeypatch.setattr(RECEIPT.purpose, "stays_with_object", False)
    deletion = plan_deletion(other_user)
    assert Photo in {rows.model for rows in deletion.goes}
    assert Photo not in {rows.model for rows in deletion.stays}
    delete_user(other_user)
    photo.refresh_from_db()
    assert (photo.status, photo.owner) == (Status.DELETED, None)
    assert photo.original_name == photo.title == ""


def test_many_shared_photos_need_few_queries(
    household: Household, make_user: MakeUser
) -> None:
    counts = []
    for number in (1, 4):
        owner = make_user(f"member-{number}@example.com")
        for _ in range(number):
            make_receipt(owner, household)
        with CaptureQueriesContext(connection) as queries:
            delete_user(owner)
        counts.append(len(queries))
    assert counts[0] == counts[1] < 100
