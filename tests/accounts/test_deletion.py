"""The pages on which people and staff delete accounts, and the job that does."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.db.models import CASCADE, DO_NOTHING
from django.utils import timezone

from example.models import Bill, Household, Loan, Member, Thing
from secure_django.accounts.jobs import delete_unverified
from secure_django.admin import ModelAdmin
from secure_django.deletion import Deletion, delete_user
from secure_django.photos.models import Photo
from secure_django.testing import PASSWORD, HTTPSClient, Login, MakePhoto, MakeUser
from tests.events import fields_of
from users.models import User

pytestmark = pytest.mark.django_db

PAGE = "/accounts/delete/"


@pytest.fixture
def visitor(login: Login, user: User) -> HTTPSClient:
    client = login(user)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


@pytest.fixture
def household(user: User, other_user: User) -> Household:
    """Return a household of the user, with another member and a bill of hers."""
    User.objects.filter(pk=other_user.pk).update(name="Grace")
    household = Household.objects.create(owner=user, name="Under the roof")
    for person in (user, other_user):
        Member.objects.create(household=household, user=person)
    Bill.objects.create(household=household, payer=other_user, title="Rent of May")
    return household


@pytest.fixture
def staff(login: Login, make_user: MakeUser) -> HTTPSClient:
    return login(make_user("admin@example.com", is_staff=True, is_superuser=True))


def delete_by_staff(staff: HTTPSClient, user: User, way: str) -> Any:
    """Confirm the deletion on the page of an account, or on the list of all."""
    if way == "page":
        url = f"/admin/users/user/{user.pk}/delete/"
        return staff.post(url, {"post": "yes"}, follow=True)
    action = {"action": "delete_selected", "_selected_action": user.pk}
    return staff.post("/admin/users/user/", {"post": "yes", **action}, follow=True)


def rows_are_there() -> bool:
    counts = (Household.objects.count(), Member.objects.count(), Bill.objects.count())
    return counts == (1, 2, 1)


@pytest.mark.control("V8.2.2")
def test_account_page_does_not_delete_what_others_share(
    visitor: HTTPSClient,
    household: Household,
    other_user: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for response, status in ((visitor.get(PAGE), 200), (visitor.post(PAGE), 409)):
        assert response.status_code == status
        page = " ".join(response.text.split())
        assert (
            "1 member of other people would go with what is yours (household)" in page
        )
        assert "Hand it over to somebody else, or delete it first." in page
        assert ("Nothing was deleted" in page) is (status == 409)
        assert "Delete account permanently" not in page
        for private in ("Grace", "Under the roof", "Rent", other_user.email):
            assert private not in page
    assert rows_are_there()
    assert not mail.outbox
    assert len(fields_of(caplog, "user_deletion_refused")) == 1
    household.owner = other_user
    household.save()
    assert "Account deleted" in visitor.post(PAGE).text
    assert Member.objects.get().user == other_user


def test_account_page_says_what_goes_what_stays_and_what_others_lose(
    visitor: HTTPSClient, user: User, other_user: User
) -> None:
    things = [Thing.objects.create(owner=user, title="Teapot") for _ in range(2)]
    Loan.objects.create(thing=things[0], borrower=other_user)
    shared = Household.objects.create(owner=other_user, name="Next door")
    Bill.objects.create(household=shared, payer=user, title="Rent")
    page = " ".join(visitor.get(PAGE).text.split())
    parts = {
        "What is yours alone goes with it:": "2 things",
        "Other people lose:": "1 loan",
        "What others share stays, without your name:": "1 bill",
    }
    for sentence, kind in parts.items():
        assert f"<p>{sentence}</p> <ul> <li>{kind}</li> </ul>" in page
    for private in ("Teapot", "Next door", "Rent", "email addresses"):
        assert private not in page
    page = visitor.post(PAGE).text
    assert "<li>1 bill</li>" in page
    assert Bill.objects.get().payer is None


def test_page_of_an_account_with_nothing_has_no_empty_list(
    visitor: HTTPSClient,
) -> None:
    page = visitor.get(PAGE).text
    for sentence in ("What is yours", "Other people lose", "What others share"):
        assert sentence not in page


def test_second_click_ends_as_the_first(
    visitor: HTTPSClient, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete_twice(user: User) -> Deletion:
        delete_user(user)
        return delete_user(user)

    monkeypatch.setattr("secure_django.accounts.views.delete_user", delete_twice)
    assert "Account deleted" in visitor.post(PAGE).text
    assert not mail.outbox, "the first click has sent it"


@pytest.mark.control("V8.2.2")
@pytest.mark.parametrize("way", ["page", "list"])
def test_staff_do_not_delete_what_others_share(
    way: str, staff: HTTPSClient, household: Household, user: User
) -> None:
    response = delete_by_staff(staff, user, way)
    assert response.status_code == 200
    assert "<li>1 member (household)</li>" in response.text
    assert rows_are_there()
    assert not LogEntry.objects.exists()
    for private in ("Grace", "Under the roof", "Rent"):
        assert private not in response.text


@pytest.mark.parametrize("way", ["page", "list"])
def test_row_that_comes_after_the_page_of_staff_was_made_is_kept(
    way: str,
    staff: HTTPSClient,
    household: Household,
    user: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As if the household had been alone when Django asked first.
    monkeypatch.setattr("secure_django.admin.plan_deletion", lambda *_: Deletion())
    response = delete_by_staff(staff, user, way)
    assert "Nothing was deleted: other people need what would go." in response.text
    assert "uccessfully" not in response.text
    assert rows_are_there()
    assert not LogEntry.objects.exists()


def test_staff_delete_several_accounts_with_what_only_they_share(
    staff: HTTPSClient, household: Household, user: User, other_user: User
) -> None:
    keys = [user.pk, other_user.pk]
    fields = {"action": "delete_selected", "_selected_action": keys}
    page = staff.post("/admin/users/user/", fields).text
    assert "<li>Users: 2</li>" in page
    assert "<li>Members: 2</li>" in page
    staff.post("/admin/users/user/", {"post": "yes", **fields})
    assert not User.objects.filter(pk__in=keys).exists()
    assert not Household.objects.exists()


def test_staff_read_what_stays_and_what_others_lose(
    staff: HTTPSClient, user: User, other_user: User
) -> None:
    thing = Thing.objects.create(owner=user, title="Teapot")
    Loan.objects.create(thing=thing, borrower=other_user)
    Thing.objects.create(owner=other_user, guest=user, title="Kettle")
    page = staff.get(f"/admin/users/user/{user.pk}/delete/").text
    assert "<li>Loans of other people: 1</li>" in page
    assert "<li>Things: 1</li>" in page
    assert "These stay, without the name of the account: 1 thing" in page
    assert "Teapot" not in page
    assert "Kettle" not in page


def test_page_of_another_kind_deletes_no_account(
    rf: Any,
    user: User,
    make_user: MakeUser,
    make_photo: MakePhoto,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture: Any = User._meta.get_field("picture")
    monkeypatch.setattr(picture.remote_field, "on_delete", CASCADE)
    photo = make_photo()
    User.objects.filter(pk=user.pk).update(picture=photo)
    request = rf.get("/")
    request.user = make_user("admin@example.com", is_staff=True, is_superuser=True)
    photo_admin = admin.site.get_model_admin(Photo)
    *_, protected = photo_admin.get_deleted_objects([photo], request)
    assert protected == ["users"]


def test_page_of_another_kind_deletes_no_account_beside_it(
    rf: Any, make_user: MakeUser, make_photo: MakePhoto
) -> None:
    class UserInline(admin.TabularInline):
        model = User
        fields = ("name",)

    class PhotoAdmin(ModelAdmin):
        inlines = (UserInline,)

    request = rf.get("/")
    request.user = make_user("admin@example.com", is_staff=True, is_superuser=True)
    photo_admin = PhotoAdmin(Photo, admin.site)
    (inline,) = photo_admin.get_inline_instances(request, make_photo())
    assert not inline.get_formset(request).can_delete


@pytest.mark.django_db(transaction=True)
def test_row_that_only_the_database_needs_is_kept_by_staff_too(
    staff: HTTPSClient, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Thing._meta.get_field("owner").remote_field
    monkeypatch.setattr(owner, "on_delete", DO_NOTHING)
    Thing.objects.create(owner=user)
    response = delete_by_staff(staff, user, "page")
    assert "Nothing was deleted: other people need what would go." in response.text
    assert Thing.objects.get().owner == user


def test_sign_up_that_others_need_stays(
    household: Household, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    EmailAddress.objects.create(user=user, email=user.email, primary=True)
    User.objects.update(date_joined=timezone.now() - timedelta(days=999))
    delete_unverified()
    assert rows_are_there()
    assert caplog.messages == [
        "sign-ups not deleted: 1, since rows of others need them"
    ]
