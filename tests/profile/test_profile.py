"""The page on which people change what others see of them."""

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.template import Context, Template
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from example.models import Thing
from secure_django.login.middleware import turns_of_known, turns_of_unknown
from secure_django.photos.models import Photo, Status
from secure_django.profile.forms import ProfileForm, profile_form
from secure_django.testing import HTTPSClient, MakeImage, MakePhoto, MakeUser
from users.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("decode_once")]

PAGE = "/accounts/profile/"


def picture(make_image: MakeImage) -> SimpleUploadedFile:
    return SimpleUploadedFile("face.jpg", make_image())


def test_person_changes_name_and_picture(
    visitor: HTTPSClient, user: User, make_image: MakeImage
) -> None:
    assert reverse("account_profile") == PAGE
    fields = {"name": "Ann Harbor", "picture": picture(make_image)}
    page = visitor.post(PAGE, fields, follow=True).text
    assert "Saved." in page
    assert 'value="Ann Harbor"' in page
    assert user.email in page
    assert 'href="/accounts/email/"' in page
    assert '<p class="status" data-status="pending">Waiting for review</p>' in page
    user.refresh_from_db()
    assert str(user) == "Ann Harbor"
    photo = Photo.objects.get()
    assert user.picture == photo
    assert photo.owner == user


def test_picture_does_not_store_the_name_in_clear(
    visitor: HTTPSClient, make_image: MakeImage
) -> None:
    visitor.post(PAGE, {"name": "Ann Harbor", "picture": picture(make_image)})
    assert Photo.objects.get().title == "Picture of a profile"


def test_picture_can_be_removed(
    visitor: HTTPSClient, user: User, make_image: MakeImage
) -> None:
    visitor.post(PAGE, {"picture": picture(make_image)})
    visitor.post(PAGE, {"picture-clear": "on"})
    user.refresh_from_db()
    assert user.picture is None
    assert Photo.objects.get().status == Status.DELETED


@pytest.mark.control("V15.3.3")
def test_profile_changes_no_other_field(visitor: HTTPSClient, user: User) -> None:
    fields = dict.fromkeys(("is_staff", "is_superuser", "user_permissions"), "1")
    fields |= {"email": "new@example.com", "password": "x", "language": "de"}
    visitor.post(PAGE, {"name": "Ann", "decision_emails": "", **fields})
    stored = User.objects.get()
    assert stored.name == "Ann"
    for name in ("email", "password", "is_staff", "is_superuser", "language"):
        assert getattr(stored, name) == getattr(user, name)
    assert stored.decision_emails


@pytest.mark.control("V15.3.3")
def test_profile_keeps_what_staff_change_meanwhile(
    visitor: HTTPSClient, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disable(form: Any) -> str:
        User.objects.update(is_active=False, email="changed@example.com")
        return ""

    # Between the validation and the lock of the row.
    monkeypatch.setattr(ProfileForm, "photo_title", disable)
    visitor.post(PAGE, {"name": "Ann"})
    stored = User.objects.get()
    assert (stored.name, stored.is_active) == ("Ann", False)
    assert stored.email == "changed@example.com"


@pytest.mark.control("V15.3.3")
def test_profile_keeps_what_staff_changed_before_the_form(user: User) -> None:
    User.objects.update(is_active=False)
    assert user.is_active
    form = profile_form()({"name": "Ann"}, {}, instance=user, owner=user)
    assert form.is_valid()
    form.save()
    stored = User.objects.get()
    assert (stored.name, stored.is_active) == ("Ann", False)


@pytest.mark.parametrize("name", ["\0", "x" * 101, "a\nb", "a\u2028x", "a\x1b[0m"])
def test_name_of_odd_characters_is_an_error_of_the_field(
    visitor: HTTPSClient, name: str
) -> None:
    response = visitor.post(PAGE, {"name": name})
    assert response.status_code == 200
    assert response.context["form"].errors.keys() == {"name"}
    assert not User.objects.get().name


def test_profile_is_saved_sixty_times_an_hour(visitor: HTTPSClient) -> None:
    statuses = [visitor.post(PAGE, {"name": "\0"}).status_code for _ in range(61)]
    assert statuses == [200] * 60 + [429]


@pytest.mark.control("V15.2.2")
def test_picture_waits_for_no_log_in(
    visitor: HTTPSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns_of_unknown, "wait_seconds", 0.01)
    with turns_of_unknown.hold(), turns_of_known.hold():
        assert visitor.post(PAGE, {"name": "Ann"}).status_code == 302


def test_field_of_the_team_is_shown_by_its_name_in_the_list(
    visitor: HTTPSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(User, "profile_fields", ("name",))
    assert 'name="picture"' not in visitor.get(PAGE).text
    monkeypatch.setattr(User, "signup_fields", ("picture",))
    assert 'name="picture"' in visitor.get(PAGE).text


@pytest.mark.usefixtures("run_on_commit")
def test_picture_goes_with_the_account(user: User, make_photo: MakePhoto) -> None:
    field: Any = User._meta.get_field("picture")
    user.picture = make_photo(user, field.purpose, status=Status.APPROVED)
    user.save()
    user.delete()
    photo = Photo.objects.get()
    assert (photo.status, photo.has_files) == (Status.DELETED, False)


def show(user: User, **context: Any) -> str:
    loop = "{% for thing in things %}{% person thing.owner %}{% endfor %}"
    template = Template("{% load profile %}" + loop)
    return template.render(Context({"user": user, "things": [], **context}))


def test_list_shows_people_without_a_query_for_each(
    make_user: MakeUser,
    make_photo: MakePhoto,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    field: Any = User._meta.get_field("picture")
    for number in range(5):
        person = make_user(f"{number}@example.com", name=f"Person {number}")
        photo = make_photo(person, field.purpose, status=Status.APPROVED)
        User.objects.filter(pk=person.pk).update(picture=photo)
        Thing.objects.create(owner=person)
    reader = make_user("reader@example.com")
    with django_assert_num_queries(1):
        things = Thing.objects.select_related("owner__picture")
        page = show(reader, things=things)
    assert page.count("<img") == 5
    assert "Person 3" in page
    assert "@example.com" not in page


def test_person_without_a_visible_picture_is_a_letter(
    user: User, other_user: User, make_photo: MakePhoto
) -> None:
    field: Any = User._meta.get_field("picture")
    user.name = "ann <b>"
    user.picture = make_photo(user, field.purpose)
    user.save()
    nobody = show(other_user, things=[{"owner": None}, {"owner": User()}])
    assert nobody.count('<span class="initial" aria-hidden="true">?</span>') == 2
    page = show(other_user, things=[{"owner": user}, {"owner": None}])
    assert "<img" not in page
    assert '<span class="initial" aria-hidden="true">A</span>' in page
    assert "ann &lt;b&gt;" in page
    assert "a deleted user" in page
    assert "<img" in show(user, things=[{"owner": user}])


@pytest.mark.parametrize("url", [PAGE, "/accounts/password/change/"])
def test_page_asks_for_its_person_and_for_the_log_of_the_admin_once(
    visitor: HTTPSClient, url: str
) -> None:
    visitor.get(url)
    with CaptureQueriesContext(connection) as queries:
        visitor.get(url)
    tables = [re.findall('FROM "([a-z_]+)"', query["sql"])[0] for query in queries]
    assert tables.count("users_user") == 1
    assert tables.count("django_admin_log") == 1
    assert len(tables) == len(set(tables))
