"""Edits of an object with photos beside other edits and deletions."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections, transaction
from django.db.models import Q
from django.db.models.signals import pre_save
from pytest_django import Settings

from example.models import Thing
from secure_django.photos.fields import PhotoField, everyone
from secure_django.photos.forms import PhotoModelForm
from secure_django.photos.models import Photo
from secure_django.testing import HANG_SECONDS, MakeImage, MakeUser
from secure_django.web.error_pages import UnavailableError
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)

type MakeForm = Callable[..., PhotoModelForm]


class Shelf(Thing):
    sign = PhotoField(blank=True, visible_to=everyone)

    class Meta:
        app_label = "example"


class ShelfForm(PhotoModelForm):
    class Meta:
        model = Shelf
        fields = ("title", "image", "sign")


class ThingForm(PhotoModelForm):
    class Meta:
        model = Thing
        fields = ("title", "image", "portrait", "plan")


@pytest.fixture(autouse=True)
def shelves(settings: Settings) -> Iterator[None]:
    """Make the table of shelves."""
    settings.UPLOADS_PER_HOUR = 1000
    settings.UPLOAD_DECODE_SECONDS = 1000
    assert connection.vendor == "postgresql"
    with connection.schema_editor() as editor:
        editor.create_model(Shelf)
    yield
    with connection.schema_editor() as editor:
        editor.delete_model(Shelf)


@pytest.fixture
def make_form(user: User, make_image: MakeImage) -> MakeForm:
    """Return a valid form of an object that was read at this moment."""

    def make(
        thing: Thing, *names: str, owner: User = user, **data: str
    ) -> PhotoModelForm:
        files = {name: SimpleUploadedFile("a.png", make_image("PNG")) for name in names}
        form_class = ShelfForm if isinstance(thing, Shelf) else ThingForm
        read = type(thing).objects.filter(pk=thing.pk).first() or thing
        data |= {"title": "Edited"}
        form = form_class(data, files, instance=read, owner=owner)
        assert form.is_valid(), form.errors
        return form

    return make


@pytest.fixture
def thing(user: User, make_form: MakeForm) -> Thing:
    """Return an object with three photos."""
    made: Thing = make_form(Thing(owner=user), "image", "portrait", "plan").save()
    return made


@pytest.fixture
def beside() -> Iterator[Callable[[Callable[[], Any]], Future[Any]]]:
    """Return a function that runs another one on a connection of its own.

    It returns once that one waits for a lock of this test.
    """
    with ThreadPoolExecutor() as threads:

        def run(work: Callable[[], Any]) -> Any:
            try:
                return work()
            finally:
                connections.close_all()

        def start(work: Callable[[], Any]) -> Future[Any]:
            future = threads.submit(run, work)
            deadline = time.monotonic() + HANG_SECONDS
            while not is_waited_for():
                assert not future.done(), "it did not wait"
                assert time.monotonic() < deadline
                time.sleep(0.01)
            return future

        yield start


def is_waited_for() -> bool:
    """Return whether another connection waits for a lock of this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])


def kept() -> set[Photo]:
    return set(Photo.objects.not_deleted())


def unavailable(saving: Future[Any]) -> str:
    """Return why a form was not saved."""
    error = saving.exception()
    assert isinstance(error, UnavailableError)
    return str(error)


def photos_of(thing: Thing) -> set[Photo]:
    names = ("image", "portrait", "plan", "letter", "sign")
    photos = [getattr(thing, name, None) for name in names]
    return {photo for photo in photos if photo}


def test_parallel_forms_get_no_object_beyond_the_limit(
    user: User, make_form: MakeForm, beside: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ThingForm, "most_per_owner", 1)
    first, second = (make_form(Thing(owner=user), "image") for _ in range(2))
    with transaction.atomic():
        assert first.save()
        saving = beside(second.save)
    assert unavailable(saving) == "too_many"
    assert Thing.objects.count() == len(kept()) == 1


def test_parallel_forms_open_no_object_beyond_the_limit(
    user: User, make_form: MakeForm, beside: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ThingForm, "most_per_owner", 1)
    monkeypatch.setattr(Thing, "open_rows", ~Q(title="Closed"), raising=False)
    closed = make_form(Thing(owner=user), "image").save()
    Thing.objects.update(title="Closed")
    again = make_form(Thing.objects.get(pk=closed.pk))
    new = make_form(Thing(owner=user), "image")
    with transaction.atomic():
        assert new.save()
        saving = beside(again.save)
    assert unavailable(saving) == "too_many"
    assert Thing.objects.exclude(title="Closed").count() == 1


@pytest.mark.parametrize("names", [(), ("image",)], ids=["text", "photo"])
def test_edit_that_waits_for_a_deletion_brings_nothing_back(
    names: tuple[str, ...], thing: Thing, make_form: MakeForm, beside: Any
) -> None:
    form = make_form(thing, *names)
    with transaction.atomic():
        thing.delete()
        saving = beside(form.save)
    assert unavailable(saving) == "deleted"
    assert not Thing.objects.exists()
    assert len(kept()) == 3  # those that the worker deletes


@pytest.mark.parametrize("names", [(), ("image",)], ids=["text", "photo"])
@pytest.mark.parametrize("is_owner", [True, False])
def test_edit_that_waits_for_the_end_of_the_account_brings_nothing_back(
    is_owner: bool,
    names: tuple[str, ...],
    thing: Thing,
    user: User,
    other_user: User,
    make_form: MakeForm,
    beside: Any,
) -> None:
    form = make_form(thing, *names, owner=user if is_owner else other_user)
    with transaction.atomic():
        User.objects.get(pk=user.pk).delete()
        saving = beside(form.save)
    if is_owner:
        assert isinstance(saving.exception(), PermissionDenied)
    else:
        assert unavailable(saving) == "deleted"
    assert not Thing.objects.exists()
    assert not kept()


@pytest.mark.parametrize("names", [(), ("image",)], ids=["removal", "photo"])
def test_end_of_the_account_that_waits_for_an_edit_leaves_nothing(
    names: tuple[str, ...],
    thing: Thing,
    user: User,
    make_form: MakeForm,
    beside: Any,
) -> None:
    ends = []
    form = make_form(thing, *names, **{"portrait-clear": "on"})

    def end_account(**_: object) -> None:
        ends.append(beside(User.objects.get(pk=user.pk).delete))

    pre_save.connect(end_account, sender=Thing)
    try:
        assert form.save()
    finally:
        pre_save.disconnect(end_account, sender=Thing)
    assert ends[0].result()[0]
    assert not Thing.objects.exists()
    assert not kept()


@pytest.mark.parametrize("second", ["image", "portrait"])
@pytest.mark.parametrize("is_owner", [True, False])
def test_edit_that_waits_for_another_keeps_its_photo(
    is_owner: bool,
    second: str,
    thing: Thing,
    user: User,
    other_user: User,
    make_form: MakeForm,
    beside: Any,
) -> None:
    early = make_form(thing, "image")
    late = make_form(thing, second, owner=user if is_owner else other_user)
    with transaction.atomic():
        first = early.save().image
        saving = beside(late.save)
    assert saving.result()
    changed = Thing.objects.get()
    assert (changed.image == first) == (second == "portrait")
    assert changed.plan == thing.plan
    assert kept() == photos_of(changed)


def test_many_edits_at_once_lose_and_leave_no_photo(
    thing: Thing, make_user: MakeUser, make_form: MakeForm
) -> None:
    people = [make_user(f"{number}@example.com") for number in range(4)]
    names = ("image", "portrait", "plan")
    forms = [
        make_form(thing, *names[number % 3 :], owner=people[number % 4])
        for number in range(24)
    ]

    def save(form: PhotoModelForm) -> Any:
        try:
            return form.save()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(save, forms))
    changed = Thing.objects.get()
    assert len(photos_of(changed)) == 3
    assert kept() == photos_of(changed)


def test_row_in_two_tables_is_locked_and_read_in_both(
    user: User, other_user: User, make_form: MakeForm, beside: Any
) -> None:
    shelf = make_form(Shelf(owner=user), "image", "sign").save()
    early = make_form(shelf, "image")
    late = make_form(shelf, "sign", owner=other_user)
    with transaction.atomic():
        early.save()
        saving = beside(late.save)
    assert saving.result()
    changed = Shelf.objects.get()
    assert changed.image_id != shelf.image_id
    assert changed.sign != shelf.sign
    assert kept() == photos_of(changed)
    late = make_form(shelf, "sign")
    with transaction.atomic():
        Shelf.objects.get().delete()
        saving = beside(late.save)
    assert unavailable(saving) == "deleted"
    assert not Thing.objects.exists()
