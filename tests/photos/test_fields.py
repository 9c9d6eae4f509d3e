"""Photos of another app's object: its form, their visibility, their deletion."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from django import forms
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core import mail
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations.state import ProjectState
from django.db.models import QuerySet
from django.forms import modelform_factory, modelformset_factory
from django.http import Http404
from django.test import RequestFactory
from django.test.utils import isolate_apps
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from example.models import Thing
from secure_django.login.admin import UserAdmin
from secure_django.photos import jobs, limits
from secure_django.photos.checks import check_purposes
from secure_django.photos.fields import (
    VALUES_AT_START,
    PhotoField,
    everyone,
    is_as_at_start,
)
from secure_django.photos.forms import PhotoModelForm
from secure_django.photos.formsets import PhotoFormSet
from secure_django.photos.models import Photo, Status
from secure_django.photos.purposes import PURPOSES, logged_in
from secure_django.photos.services import review_photo
from secure_django.photos.views import photos_with_use, visible_object
from secure_django.testing import HTTPSClient, Login, MakeImage, MakeUser, Upload
from secure_django.web.error_pages import UnavailableError
from secure_django.web.links import absolute_url
from users.models import User

pytestmark = pytest.mark.usefixtures("decode_once")

type AddThing = Callable[..., Thing]

PHOTOS = ("image", "portrait", "plan", "letter")


class ThingForm(PhotoModelForm):
    class Meta:
        model = Thing
        fields = ("title", "image")


class AllForm(PhotoModelForm):
    class Meta:
        model = Thing
        fields = ("title", "image", "portrait")


def seen_by(photo: Photo | None, *clients: HTTPSClient) -> list[bool]:
    assert photo
    url = f"/photos/{photo.pk}/display/"
    return [client.get(url).status_code == 200 for client in clients]


@pytest.fixture
def file(make_image: MakeImage) -> Callable[[], SimpleUploadedFile]:
    return lambda: SimpleUploadedFile("holiday.png", make_image("PNG"), "image/png")


@pytest.fixture
def add_thing(
    login: Login,
    user: User,
    upload: Upload,
    file: Callable[[], Any],
    settings: Settings,
) -> AddThing:
    """Add a thing with the named photos besides its image, and return it."""
    settings.UPLOADS_PER_HOUR = 100

    def add(*names: str) -> Thing:
        files = {name: file() for name in names}
        assert upload(login(user), **files).status_code == 302
        return Thing.objects.latest("pk")

    return add


@pytest.mark.control("V14.2.7")
def test_form_stores_replaces_and_removes_the_photos_of_an_object(
    add_thing: AddThing, login: Login, user: User, file: Callable[[], Any]
) -> None:
    thing = add_thing("portrait")
    image = thing.image
    portrait = thing.portrait
    assert image
    assert portrait
    assert image.purpose == "example.thing.image"
    assert image.title == "Teal"
    assert image.owner == user
    assert image.get_absolute_url() == f"/things/{thing.pk}/"
    client = login(user)
    url = image.get_absolute_url()
    page = client.get(url).text
    assert ">Portrait:</label>" in page
    shown_keys = re.findall(r"/photos/([^/]+)/thumbnail/", page)
    assert shown_keys == [str(image.pk), str(portrait.pk)]
    # The image is required.
    assert re.findall(r'type="checkbox" name="([\w-]+)"', page) == ["portrait-clear"]
    # Without a file, both stay.
    assert client.post(url, {"title": "Other"}).status_code == 302
    thing.refresh_from_db()
    assert thing.image == image
    assert thing.portrait == portrait
    assert thing.title == "Other"
    fields = {"title": "Other", "image": file(), "portrait-clear": "on"}
    assert client.post(url, fields).status_code == 302
    thing.refresh_from_db()
    assert thing.image != image
    assert thing.portrait is None
    # Those without an object are gone at once, for their owner too.
    deleted_photos = Photo.objects.filter(status=Status.DELETED)
    assert set(deleted_photos) == {image, portrait}
    assert seen_by(image, client) == seen_by(portrait, client) == [False]


@pytest.mark.control("V5.2.2")
def test_second_photo_that_is_refused_leaves_nothing_of_the_first(
    login: Login, user: User, upload: Upload, media: Path, settings: Settings
) -> None:
    for bad, message in (
        (b"<script>", "Only JPEG, PNG and WebP"),
        (b"\xff\xd8<script>", "damaged and cannot be read"),
    ):
        response = upload(login(user), plan=SimpleUploadedFile("plan.jpg", bad))
        assert list(response.context["form"].errors) == ["plan"]
        assert message in response.text
    settings.UPLOADS_PER_HOUR = 1
    response = upload(
        login(user), plan=SimpleUploadedFile("plan.jpg", b"\xff\xd8 never decoded")
    )
    assert response.status_code == 429
    assert list(response.context["form"].errors) == ["image"]
    assert not Thing.objects.exists()
    assert not Photo.objects.exists()
    assert not list(media.rglob("*.jpg"))


def test_only_saving_stores_and_an_error_leaves_neither_photo_nor_file(
    user: User, media: Path, file: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    form = ThingForm(
        {"title": "Teal"}, {"image": file()}, instance=Thing(owner=user), owner=user
    )
    assert form.is_valid()
    assert not Photo.objects.exists()
    assert len(list(media.rglob("*.jpg"))) == 2  # the worker deletes them, unless saved
    with pytest.raises(TypeError, match="stored with their object"):
        form.save(commit=False)
    with monkeypatch.context() as patch:
        patch.setattr(Thing, "save", lambda thing: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            form.save()
    assert not Photo.objects.exists()
    assert not list(media.rglob("*.jpg"))
    assert form.save() == Thing.objects.get()
    assert len(list(media.rglob("*.jpg"))) == 2
    # As by code that saves twice: each photo has files of its own.
    form.save()
    assert len(list(media.rglob("*.jpg"))) == 4


@pytest.mark.control("V5.2.4")
def test_saving_counts_each_photo_of_a_form_for_the_quota(
    user: User, media: Path, file: Callable[[], Any], settings: Settings
) -> None:
    form_class: Any = forms.modelform_factory(
        Thing, PhotoModelForm, fields=("title", "image", "portrait")
    )
    photos = {"image": file(), "portrait": file()}
    form = form_class({"title": "Teal"}, photos, instance=Thing(owner=user), owner=user)
    assert form.is_valid()
    # As if another form had been saved in the meantime.
    settings.UPLOADS_PER_HOUR = 1
    with pytest.raises(UnavailableError, match="quota"):
        form.save()
    assert not Photo.objects.exists()
    assert not list(media.rglob("*.jpg"))


@pytest.mark.control("V2.4.1")
def test_object_beyond_the_limit_of_its_owner_is_refused(
    add_thing: AddThing,
    user: User,
    other_user: User,
    media: Path,
    file: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ThingForm, "most_per_owner", 2)
    thing = add_thing()

    def make_form(owner: User, instance: Thing) -> ThingForm:
        return ThingForm(
            {"title": "Teal"}, {"image": file()}, instance=instance, owner=owner
        )

    second, third = (make_form(user, Thing(owner=user)) for _ in range(2))
    assert second.is_valid()
    assert third.is_valid()
    assert second.save()
    with pytest.raises(UnavailableError, match="too_many"):
        third.save()  # as if both had been sent at the same moment
    assert len(list(media.rglob("*.jpg"))) == 4
    fourth = make_form(user, Thing(owner=user))
    assert not fourth.is_valid()
    assert fourth.non_field_errors() == [
        "You have reached the limit of 2: delete one to add another."
    ]
    assert len(list(media.rglob("*.jpg"))) == 4
    for form in (
        make_form(user, thing),
        make_form(other_user, Thing(owner=other_user)),
    ):
        assert form.is_valid()
        assert form.save()
    assert Thing.objects.count() == 3


@pytest.mark.control("edits")
@pytest.mark.parametrize("photo", [True, False])
@pytest.mark.parametrize("cascade", [True, False])
def test_object_that_was_deleted_meanwhile_does_not_come_back(
    photo: bool,
    cascade: bool,
    add_thing: AddThing,
    other_user: User,
    media: Path,
    file: Callable[[], Any],
) -> None:
    thing = add_thing()
    before = set(media.rglob("*.jpg"))
    files = {"image": file()} if photo else {}
    form = ThingForm({"title": "Late"}, files, instance=thing, owner=other_user)
    assert form.is_valid()
    (thing.owner if cascade else Thing.objects.all()).delete()
    with pytest.raises(UnavailableError, match="deleted"):
        form.save()
    assert not Thing.objects.exists()
    assert not other_user.photos.exists()
    assert set(media.rglob("*.jpg")) == before


@pytest.mark.control("edits")
@pytest.mark.parametrize("second", ["image", "portrait"])
def test_two_edits_of_one_object_lose_no_photo_and_leave_none(
    second: str, add_thing: AddThing, user: User, file: Callable[[], Any]
) -> None:
    thing = add_thing("portrait")
    forms: list[PhotoModelForm] = []
    for name in ("image", second):
        read = Thing.objects.get()
        forms.append(
            AllForm({"title": name}, {name: file()}, instance=read, owner=user)
        )
        assert forms[-1].is_valid()
    forms[1].save()
    forms[0].save()
    changed = Thing.objects.get()
    assert changed.title == "image"
    assert changed.image_id != thing.image_id
    assert (changed.portrait_id == thing.portrait_id) == (second == "image")
    kept = set(Photo.objects.not_deleted())
    assert kept == {changed.image, changed.portrait}


@pytest.mark.control("edits")
def test_form_stores_what_it_shows_and_what_code_has_changed(
    add_thing: AddThing, user: User, other_user: User, file: Callable[[], Any]
) -> None:
    letter = add_thing("letter").letter
    read = add_thing()
    read.letter = letter  # by code
    form = ThingForm({"title": "Late"}, instance=read, owner=user)
    assert form.is_valid()
    Thing.objects.update(title="Early", guest=other_user)
    form.save()
    changed = Thing.objects.get(pk=read.pk)
    assert (changed.title, changed.guest) == ("Late", other_user)
    assert changed.letter == letter
    # A field that is disabled shows a value, and stores none.
    form = ThingForm({}, instance=changed, owner=user)
    form.fields["title"].disabled = True
    assert form.is_valid()
    Thing.objects.update(title="Early")
    assert form.save().title == "Early"


@pytest.mark.control("edits")
def test_form_undoes_nothing_that_was_saved_before_it_was_made(
    add_thing: AddThing, user: User, other_user: User
) -> None:
    letter = add_thing("letter").letter
    pk = add_thing().pk
    with isolate_apps("example"):

        class ThingProxy(Thing):
            class Meta:
                app_label = "example"
                proxy = True

    for model in (Thing, ThingProxy):
        Thing.objects.filter(pk=pk).update(guest=None, letter=None)
        read = model.objects.get(pk=pk)
        read.letter = letter  # by code
        Thing.objects.filter(pk=pk).update(guest=other_user)
        form_class: Any = modelform_factory(model, ThingForm)
        form = form_class({"title": "Late"}, instance=read, owner=user)
        assert form.is_valid()
        form.save()
        changed = Thing.objects.get(pk=pk)
        assert (changed.title, changed.guest) == ("Late", other_user)
        assert changed.letter == letter


def test_list_that_code_changes_in_place_is_no_value_as_it_was_read() -> None:
    values = {"tags": ["red"], "title": "Teal"}
    row = SimpleNamespace(**values, **{VALUES_AT_START: values})
    assert is_as_at_start(row, "title")
    row.tags.append("blue")
    assert not is_as_at_start(row, "tags")
    assert not is_as_at_start(row, "unknown")


def test_object_with_photos_has_no_public_attribute_beside_its_fields(
    add_thing: AddThing,
) -> None:
    """Other packages serialize the attributes of an object, a user among them."""
    thing = Thing.objects.get(pk=add_thing().pk)
    fields = {field.attname for field in Thing._meta.concrete_fields}
    assert {name for name in vars(thing) if not name.startswith("_")} == fields


@pytest.mark.control("edits")
@pytest.mark.django_db(transaction=True)
def test_form_of_a_model_that_extends_another_undoes_nothing(
    add_thing: AddThing, user: User, other_user: User
) -> None:
    thing = add_thing()
    with isolate_apps("example"):

        class Book(Thing):
            pages = models.IntegerField(default=1)
            price = models.IntegerField(default=1)

            class Meta:
                app_label = "example"

    with connection.schema_editor() as editor:
        editor.create_model(Book)
    try:
        book = Book(thing_ptr=thing)
        book.save_base(raw=True)  # the new table's row alone
        form_class: Any = modelform_factory(Book, PhotoModelForm, fields=["pages"])
        read = Book.objects.get()
        Thing.objects.update(guest=other_user)
        Book.objects.update(price=5)
        form = form_class({"pages": 2}, instance=read, owner=user)
        assert form.is_valid()
        Thing.objects.update(title="Early")
        form.save()
        changed = Book.objects.get()
        assert (changed.pages, changed.price) == (2, 5)
        assert (changed.title, changed.guest) == ("Early", other_user)
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(Book)


@pytest.mark.control("edits")
def test_form_stores_many_to_many_fields_and_undoes_nothing(user: User) -> None:
    group = Group.objects.create(name="Editors")
    form_class: Any = modelform_factory(User, PhotoModelForm, fields=["groups"])
    read = User.objects.get()
    User.objects.update(is_active=False)
    form = form_class({"groups": [group.pk]}, instance=read, owner=user)
    assert form.is_valid()
    form.save()
    changed = User.objects.get()
    assert list(changed.groups.all()) == [group]
    assert not changed.is_active


@pytest.mark.control("V5.2.4")
def test_formset_over_the_quota_stores_all_or_nothing(
    user: User, file: Callable[[], Any], settings: Settings
) -> None:
    settings.UPLOADS_PER_HOUR = 1
    formset = make_formset(user, file)
    assert not formset.is_valid()
    assert "limit of photos in one hour: 1." in str(formset.non_form_errors())
    settings.UPLOADS_PER_HOUR = 2
    formset = make_formset(user, file)
    assert formset.is_valid()
    # As if another form had been saved in the meantime.
    settings.UPLOADS_PER_HOUR = 1
    with pytest.raises(UnavailableError, match="quota"):
        formset.save()
    assert not Thing.objects.exists()
    assert not Photo.objects.exists()


@pytest.mark.control("V2.4.1")
def test_formset_over_the_limit_of_objects_is_refused(
    user: User, file: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ThingForm, "most_per_owner", 1)
    formset = make_formset(user, file)
    assert not formset.is_valid()
    assert "You have reached the limit of 1" in str(formset.non_form_errors())
    monkeypatch.setattr(ThingForm, "most_per_owner", 2)
    formset = make_formset(user, file)
    assert formset.is_valid()
    formset.save()
    assert set(Thing.objects.values_list("title", "owner")) == {
        ("Teal", user.pk),
        ("Navy", user.pk),
    }
    # Its empty forms are no objects, and what it changes is not new.
    formset = make_formset(user, file, Thing.objects.all())
    assert formset.is_valid(), (formset.errors, formset.non_form_errors())


def test_formset_asks_once_for_all_objects(
    add_thing: AddThing,
    user: User,
    other_user: User,
    file: Callable[[], Any],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    first = add_thing("portrait")
    stranger = Thing.objects.create(owner=other_user, title="Navy", image=first.image)
    for _ in range(2):
        add_thing("portrait")
        own = Thing.objects.filter(owner=user).order_by("pk")
        shown = own.select_related("image", "portrait")
        with django_assert_num_queries(1):
            page = str(make_formset(user, file, shown, bound=False))
        assert page.count("/thumbnail/") == own.count()
        formset = make_formset(user, file, shown)
        with django_assert_num_queries(2):
            assert formset.is_valid()
    # What another request has changed, and what no field of the form has, stays.
    Thing.objects.filter(pk=first.pk).update(guest=other_user)
    data = data_of(own)
    data["form-0-title"] = "Edited"
    formset = formset_class()(data, queryset=own, owner=user)
    assert formset.is_valid()
    assert [thing.title for thing in formset.save()] == ["Edited"]
    first.refresh_from_db()
    assert (first.title, first.guest, first.owner) == ("Edited", other_user, user)
    # The key of what the page does not show.
    data["form-0-id"] = stranger.pk
    formset = formset_class()(data, queryset=own, owner=user)
    assert not formset.is_valid()
    assert "id" in formset.errors[0]


def formset_class() -> Any:
    # As docs/photos.md says.
    return modelformset_factory(Thing, ThingForm, formset=PhotoFormSet)


def data_of(things: QuerySet[Thing]) -> dict[str, object]:
    """Return what the browser sends for objects without a change."""
    data: dict[str, object] = {
        "form-TOTAL_FORMS": things.count() + 1,
        "form-INITIAL_FORMS": things.count(),
    }
    for number, thing in enumerate(things):
        data |= {f"form-{number}-id": thing.pk, f"form-{number}-title": thing.title}
    return data


def make_formset(
    owner: User,
    file: Callable[[], Any],
    things: QuerySet[Thing] | None = None,
    *,
    bound: bool = True,
) -> Any:
    """Return a formset of objects that stay as they are, or of two new ones."""
    if things is not None:
        data = data_of(things) if bound else None
        return formset_class()(data, queryset=things.all(), owner=owner)
    data = {"form-TOTAL_FORMS": 2, "form-INITIAL_FORMS": 0}
    data |= {"form-0-title": "Teal", "form-1-title": "Navy"}
    files = {"form-0-image": file(), "form-1-image": file()}
    return formset_class()(data, files, owner=owner)


def test_form_without_a_new_photo_stores_only_its_object(
    add_thing: AddThing, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    thing = add_thing()
    form = ThingForm({"title": "Other"}, instance=thing, owner=user)
    form.fields["image"].disabled = True
    assert form.is_valid()
    assert form.save().image == thing.image
    error = ValidationError({"title": "An error of the object."})
    monkeypatch.setattr(Thing, "save", Mock(side_effect=error))
    with pytest.raises(ValidationError, match="of the object"):
        form.save()


def test_admin_of_another_object_shows_a_photo_and_takes_none(
    add_thing: AddThing,
    login: Login,
    user: User,
    make_user: MakeUser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thing = add_thing()

    class Things(admin.TabularInline):
        model = Thing
        fk_name = "owner"
        fields = ("title", "image")
        extra = 0

    monkeypatch.setattr(UserAdmin, "inlines", [Things])
    client = login(make_user("boss@example.com", is_superuser=True, is_staff=True))
    url = f"/admin/users/user/{user.pk}/change/"
    page = client.get(url).text
    assert str(thing.image_id) in page
    assert 'type="file"' not in page
    (prefix,) = re.findall(r'name="([^"]+)-TOTAL_FORMS"', page)
    row: dict[str, Any] = {
        f"{prefix}-TOTAL_FORMS": 1,
        f"{prefix}-INITIAL_FORMS": 1,
        f"{prefix}-0-id": thing.pk,
    }
    row |= {
        f"{prefix}-0-owner": user.pk,
        f"{prefix}-0-title": "Other",
        f"{prefix}-0-image": "",
    }
    assert client.post(url, {"email": user.email, **row}).status_code == 302
    other = Thing.objects.get(title="Other")
    assert other.image == thing.image


@pytest.mark.django_db
def test_form_that_would_lose_the_photo_is_a_mistake_that_shows(
    file: Callable[[], Any],
) -> None:
    form_class: Any = forms.modelform_factory(Thing, fields=("title", "image"))
    form = form_class({"title": "Teal"}, {"image": file()})
    with pytest.raises(TypeError, match="must be a PhotoModelForm"):
        form.is_valid()


@pytest.mark.control("V8.2.2")
def test_photo_of_an_object_is_seen_by_those_who_may_see_it(
    add_thing: AddThing, login: Login, user: User, other_user: User, reviewer: User
) -> None:
    thing = add_thing("portrait", "plan", "letter")
    thing.guest = other_user
    thing.save()
    visitor = HTTPSClient()
    owner = HTTPSClient()
    guest = HTTPSClient()
    staff = HTTPSClient()
    for client, person in ((owner, user), (guest, other_user), (staff, reviewer)):
        client.force_login(person)
    everyone = visitor, owner, guest, staff
    for photo in (thing.image, thing.portrait, thing.plan):
        assert seen_by(photo, *everyone) == [False, True, False, True]
        assert photo
        review_photo(photo, reviewer, "approved")
    assert seen_by(thing.image, *everyone) == [True, True, True, True]
    assert seen_by(thing.portrait, *everyone) == [False, True, True, True]
    assert seen_by(thing.plan, *everyone) == [False, True, True, True]
    Thing.objects.update(guest=None)
    assert seen_by(thing.plan, *everyone) == [False, True, False, True]
    # A photo that others may not see is in no cache.
    caching = [
        guest.get(f"/photos/{photo.pk}/display/").headers["Cache-Control"]
        for photo in (thing.image, thing.portrait)
        if photo
    ]
    assert caching == ["private, max-age=600", "no-store"]


@pytest.mark.control("V8.2.2")
def test_object_is_hidden_with_its_photo(
    add_thing: AddThing, user: User, other_user: User, rf: RequestFactory
) -> None:
    def sees(person: User, field: str) -> bool:
        request = rf.get("/")
        request.user = person
        with suppress(Http404):
            return (
                visible_object(request, Thing.objects.all(), field, thing.pk) == thing
            )
        return False

    thing = add_thing("plan")
    assert [sees(user, "plan"), sees(other_user, "plan")] == [True, False]
    Thing.objects.update(plan=None)
    assert [sees(user, "plan"), sees(other_user, "plan")] == [False, False]


@pytest.mark.control("V8.2.2")
def test_photo_without_moderation_is_seen_by_nobody_else(
    add_thing: AddThing, login: Login, user: User, other_user: User, reviewer: User
) -> None:
    thing = add_thing("letter")
    letter = thing.letter
    assert letter
    assert letter.status == Status.APPROVED
    assert letter.verdicts.count() == 0
    assert not mail.outbox
    url = f"/photos/{letter.pk}/display/"
    clients = [login(person) for person in (user, other_user, reviewer)]
    people = [client.get(url).status_code for client in clients]
    assert people == [404, 404, 404]
    Thing.objects.update(guest=other_user)
    assert seen_by(letter, login(other_user)) == [True]
    for url in (
        "/admin/secure_django_photos/photo/?show=all",
        f"/admin/secure_django_photos/photo/{letter.pk}/change/",
    ):
        page = login(reviewer).get(url).text
        assert "private" in page
        assert f"{letter.pk}/thumbnail/" not in page
        assert f"{letter.pk}/display/" not in page
    # Not even when a renamed field makes its purpose unknown.
    Photo.objects.update(purpose="example.thing.gone")
    assert seen_by(letter, login(reviewer), login(other_user)) == [False, False]


@pytest.mark.control("V8.2.2")
def test_photo_of_an_unknown_purpose_is_reported_and_hidden(
    add_thing: AddThing, login: Login, user: User, other_user: User, reviewer: User
) -> None:
    image = add_thing().image
    assert image
    review_photo(image, reviewer, "approved")
    assert check_purposes(databases=["default"]) == []
    Photo.objects.update(purpose="example.thing.cover")
    (warning,) = run_checks(tags=["database"], databases=["default"])
    assert (warning.id, "example.thing.cover" in warning.msg) == (
        "secure_django.W201",
        True,
    )
    assert seen_by(image, HTTPSClient(), login(other_user)) == [False, False]
    assert seen_by(image, login(user), login(reviewer)) == [True, True]


def test_site_without_public_photos_has_no_photo_in_use(
    add_thing: AddThing, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_thing()
    monkeypatch.setattr("secure_django.photos.views.PURPOSES", {})
    (photo,) = photos_with_use.__wrapped__()
    assert vars(photo)["is_used"] is False


def test_file_that_everyone_may_see_costs_one_query(
    add_thing: AddThing,
    reviewer: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    image = add_thing().image
    assert image
    review_photo(image, reviewer, "approved")

    with django_assert_num_queries(1):
        assert seen_by(image, HTTPSClient()) == [True]


@pytest.mark.control("V14.2.7")
def test_photo_without_its_object_is_hidden_at_once_and_swept(
    add_thing: AddThing,
    login: Login,
    user: User,
    reviewer: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deleted_photo = add_thing().image
    kept_photo = add_thing().image
    assert deleted_photo
    assert kept_photo
    other = default_storage.save(
        f"invoices/{str(deleted_photo.pk)[:2]}/{deleted_photo.pk}-display.jpg",
        SimpleUploadedFile("a.jpg", b"x"),
    )
    for photo in (deleted_photo, kept_photo):
        review_photo(photo, reviewer, "approved")
    Thing.objects.filter(image=deleted_photo).delete()
    assert seen_by(deleted_photo, HTTPSClient(), login(user)) == [False, False]
    assert seen_by(kept_photo, HTTPSClient(), login(user)) == [True, True]

    folders = {str(photo.pk)[:2] for photo in (deleted_photo, kept_photo)}
    for folder in folders:
        jobs.delete_unused_photos(folder)
    # An object may be about to refer to a new one.
    assert Photo.objects.not_deleted().count() == 2
    later = timezone.now() + timedelta(minutes=61)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    for folder in folders:
        jobs.delete_unused_photos(folder)
    assert Photo.objects.not_deleted().get() == kept_photo
    call_command("worker", "--once")
    assert not default_storage.exists(deleted_photo.path("display"))
    assert default_storage.exists(kept_photo.path("display"))
    assert default_storage.exists(other)


def test_rejected_photo_shows_its_reason_in_its_form(
    add_thing: AddThing, login: Login, user: User, reviewer: User
) -> None:
    thing = add_thing()
    assert thing.image
    review_photo(thing.image, reviewer, "rejected", "Too <blurred>")
    page = login(user).get(f"/things/{thing.pk}/").text
    assert "Too &lt;blurred&gt;" in page
    assert "/thumbnail/" not in page


def test_email_and_review_name_what_the_photo_is_for(
    add_thing: AddThing, login: Login, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    thing = add_thing("portrait")
    for photo in (thing.image, thing.portrait):
        assert photo
        page = (
            login(reviewer)
            .get(f"/admin/secure_django_photos/photo/{photo.pk}/change/")
            .text
        )
        assert f"thing: {photo.purpose.rpartition('.')[2]}" in page
        # No admin of things says that reviewers may see their pages.
        assert f'href="/things/{thing.pk}/"' not in page
        review_photo(photo, reviewer, "approved")
    later = timezone.now() + timedelta(minutes=61)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    call_command("worker", "--once")
    (email,) = mail.outbox
    url = absolute_url(f"/things/{thing.pk}/")
    for name in ("image", "portrait"):
        assert f'Your photo "Teal" (thing: {name}) was approved.\n{url}\n' in email.body


def test_purpose_of_an_only_photo_is_named_by_its_model_alone() -> None:
    with isolate_apps("example"):

        class Flyer(models.Model):  # noqa: DJ008
            image = PhotoField(visible_to=everyone)

            class Meta:
                app_label = "example"

    purpose = PURPOSES.pop("example.flyer.image")
    assert str(purpose.label) == "flyer"


def test_list_of_objects_shows_to_each_their_photos_without_a_query_for_each(
    add_thing: AddThing,
    login: Login,
    user: User,
    other_user: User,
    reviewer: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    things = [add_thing("portrait", "letter") for _ in range(3)]
    for thing in things[:2]:
        assert thing.image
        review_photo(thing.image, reviewer, "approved")
    client = login(user)
    client.get("/things/")
    with django_assert_num_queries(3):  # session, user, things
        page = client.get("/things/").text
    # All of the user's own.
    assert page.count("/thumbnail/") == page.count(' alt="A thing" ') == 3
    assert page.count("/display/") == 3
    assert page.count("Waiting for review") == 4
    client = login(other_user)
    assert client.get("/things/").content.count(b"/thumbnail/") == 2
    assert client.get("/things/").content.count(b"/display/") == 0


def test_files_of_other_forms_do_not_wait_for_the_decoder(
    login: Login, user: User, upload: Upload
) -> None:
    client = login(user)
    with limits.decoding_turn(user):
        assert upload(client).status_code == 429
        response = client.post(
            "/file/", {"file": SimpleUploadedFile("list.csv", b"a,b")}
        )
    assert (response.status_code, response.content) == (200, b"a,b")


def test_dump_of_the_data_has_the_key_of_a_photo(add_thing: AddThing) -> None:
    image = add_thing().image
    assert image
    call_command("dumpdata", "example", stdout=(dump := StringIO()))
    assert f'"image": "{image.pk}", "portrait": null' in dump.getvalue()


@pytest.mark.control("V8.2.2")
def test_photo_without_moderation_needs_to_say_who_sees_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    field = Thing._meta.get_field("letter")
    assert field.check() == []
    monkeypatch.setattr(field, "visible_to", logged_in)
    assert [error.id for error in field.check()] == ["secure_django.E201"]


@pytest.mark.django_db
def test_migrations_know_a_plain_foreign_key() -> None:
    field: Any = Thing._meta.get_field("plan")
    _, path, _, options = field.deconstruct()
    assert path == "django.db.models.ForeignKey"
    assert not {"visible_to", "moderated"} & options.keys()
    before = dict(PURPOSES)
    assert ProjectState.from_apps(apps).apps.get_model("example.thing")
    assert before == PURPOSES
    call_command("makemigrations", "--check", "--dry-run", stdout=StringIO())


@isolate_apps("example")
def test_key_of_the_owner_may_have_any_name(user: User) -> None:
    class Comment(models.Model):  # noqa: DJ008
        author = models.ForeignKey(User, on_delete=models.CASCADE)
        text = models.CharField(max_length=9)

        class Meta:
            app_label = "example"

    class Message(Comment):  # noqa: DJ008
        reader = models.ForeignKey(User, on_delete=models.CASCADE)

        class Meta:
            app_label = "example"

    class CommentForm(PhotoModelForm):
        class Meta:
            model = Comment
            fields = ("text",)

    class MessageForm(PhotoModelForm):
        class Meta:
            model = Message
            fields = ("text",)

    assert CommentForm(owner=user).key_of_owner() == "author"
    with pytest.raises(ImproperlyConfigured, match="MessageForm: set owner_field"):
        MessageForm(owner=user).key_of_owner()
    MessageForm.owner_field = "author"
    assert MessageForm(owner=user).key_of_owner() == "author"
