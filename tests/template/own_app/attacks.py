"""Copied into a generated project with the app of product.py: attacks on its photos."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN201, ANN202, ARG001, I001

from datetime import timedelta

import pytest
from django.core import mail
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.utils import timezone

from secure_django.testing import HTTPSClient
from secure_django.guard.marks import World
from secure_django.photos import jobs
from secure_django.photos.images import VARIANTS
from secure_django.photos.models import Photo
from secure_django.photos.services import review_photo
from users.models import User
from workshops.models import Booking, Paper, Profile, Workshop

PEOPLE = ("visitor", "owner", "participant", "former", "other", "staff", "reviewer")


@pytest.fixture
def people(user, other_user, reviewer, make_user):
    """Return a client of each kind of user."""
    accounts = {
        "owner": user,
        "other": other_user,
        "reviewer": reviewer,
        "staff": make_user("staff@example.com", is_staff=True),
        "participant": make_user("participant@example.com"),
        "former": make_user("former@example.com"),
    }
    clients = {"visitor": HTTPSClient()}
    for name, account in accounts.items():
        clients[name] = HTTPSClient()
        clients[name].force_login(account)
        clients[name].account = account
    return clients


@pytest.fixture
def file(make_image):
    """Return a function that makes a photo's file."""
    return lambda: SimpleUploadedFile("a.jpg", make_image(), "image/jpeg")


@pytest.fixture
def workshop(people, file):
    """Return a workshop with both photos, a participant, and a former one."""
    files = {"cover": file(), "plan": file()}
    assert (
        people["owner"]
        .post("/workshops/create/", {"title": "Weaving", **files})
        .status_code
        == 302
    )
    made = Workshop.objects.get()
    made.bookings.create(participant=people["participant"].account)
    made.bookings.create(participant=people["former"].account).delete()
    return made


def photos(thing):
    return [
        getattr(thing, name)
        for name in ("cover", "plan", "avatar", "scan")
        if hasattr(thing, name)
    ]


def seen_by(people, photo):
    """Return who sees the photo. Both files must answer alike."""
    answers = {}
    for name, client in people.items():
        found = {
            client.get(f"/photos/{photo.pk}/{variant}/").status_code
            for variant in VARIANTS
        }
        assert len(found) == 1
        answers[name] = found.pop()
    assert set(answers.values()) <= {200, 404}
    return {name for name, status in answers.items() if status == 200}


def approve(people, *found):
    for photo in found:
        review_photo(photo, people["reviewer"].account, "approved")


def sweep_everything(monkeypatch):
    """Let the worker do what it does within a day and an hour."""
    now = timezone.now() + timedelta(minutes=61)
    folders = {str(photo.pk)[:2] for photo in Photo.objects.all()}
    with monkeypatch.context() as patch:
        patch.setattr("django.utils.timezone.now", lambda: now)
        for folder in folders:
            jobs.delete_unused_photos(folder)
            jobs.delete_orphaned_files(folder)
        jobs.remove_expired_files()
        while jobs.delete_removed_files():
            pass
        jobs.delete_rows()


def files_of(photo):
    return [default_storage.exists(photo.path(variant)) for variant in VARIANTS]


def test_each_photo_is_seen_by_those_whom_it_is_for(people, workshop, file):
    people["owner"].post("/workshops/profile/", {"name": "Ann", "avatar": file()})
    people["owner"].post("/workshops/papers/add/", {"scan": file()})
    avatar, scan = Profile.objects.get().avatar, Paper.objects.get().scan
    moderated = [workshop.cover, workshop.plan, avatar]
    for photo in moderated:
        assert seen_by(people, photo) == {"owner", "reviewer"}
    approve(people, *moderated)
    assert seen_by(people, workshop.cover) == set(PEOPLE)
    assert seen_by(people, workshop.plan) == {"owner", "participant", "reviewer"}
    assert seen_by(people, avatar) == set(PEOPLE) - {"visitor"}
    # Nobody but the owner, not even those who decide on all others.
    assert seen_by(people, scan) == {"owner"}
    Booking.objects.all().delete()
    assert seen_by(people, workshop.plan) == {"owner", "reviewer"}
    # A reviewer who is no longer staff sees nothing.
    User.objects.filter(pk=people["reviewer"].account.pk).update(is_staff=False)
    assert "reviewer" not in seen_by(people, workshop.plan)


def test_pages_show_no_photo_to_those_who_may_not_see_it(people, workshop, file):
    people["owner"].post("/workshops/papers/add/", {"scan": file()})
    paper = Paper.objects.get()

    def shown(photo, url):
        return {
            name
            for name, client in people.items()
            if f"/photos/{photo.pk}/" in client.get(url).content.decode()
        }

    room = f"/workshops/{workshop.pk}/room/"
    assert shown(paper.scan, paper.get_absolute_url()) == {"owner"}
    # Participants see the page, but no photo that waits; the reviewer may see the
    # photo, but not the page.
    assert shown(workshop.plan, room) == {"owner"}
    assert shown(workshop.cover, "/workshops/offers/") == {"owner", "reviewer"}
    approve(people, workshop.cover, workshop.plan)
    assert shown(workshop.plan, room) == {"owner", "participant"}
    assert shown(workshop.cover, "/workshops/offers/") == set(PEOPLE)
    assert shown(workshop.plan, "/admin/secure_django_photos/photo/?show=all") == {
        "reviewer"
    }
    assert shown(paper.scan, "/admin/secure_django_photos/photo/?show=all") == set()
    assert (
        shown(paper.scan, f"/admin/secure_django_photos/photo/{paper.scan.pk}/change/")
        == set()
    )
    assert not shown(workshop.plan, "/workshops/offers/")
    # What only some may see is stored in no cache.
    for client, photo in (
        (people["participant"], workshop.plan),
        (people["owner"], paper.scan),
    ):
        assert (
            client.get(f"/photos/{photo.pk}/display/").headers["Cache-Control"]
            == "no-store"
        )


def test_other_users_change_no_photo(people, workshop, file):
    before = photos(workshop)
    for name in set(PEOPLE) - {"owner"}:
        answer = people[name].post(
            f"/workshops/{workshop.pk}/edit/", {"title": "Taken", "cover": file()}
        )
        assert answer.status_code == (302 if name == "visitor" else 404)
        people[name].post(
            f"/workshops/{workshop.pk}/edit/", {"title": "Taken", "cover-clear": "on"}
        )
    # A form takes files alone: not the number of another user's photo.
    people["other"].post(
        "/workshops/create/",
        {"title": "Mine", "cover": str(before[0].pk), "plan": str(before[1].pk)},
    )
    assert photos(Workshop.objects.get(title="Mine")) == [None, None]
    workshop.refresh_from_db()
    assert photos(workshop) == before
    assert Photo.objects.not_deleted().count() == 2


def delete_by_admin(people, workshop, client):
    url = f"/admin/workshops/workshop/{workshop.pk}/delete/"
    assert (
        client.post(url, {"post": "yes"}).headers["Location"]
        == "/admin/workshops/workshop/"
    )


def delete_by_page(people, workshop, client):
    people["owner"].post(f"/workshops/{workshop.pk}/delete/")


def delete_by_cascade(people, workshop, client):
    people["owner"].account.delete()


def delete_by_queryset(people, workshop, client):
    Workshop.objects.filter(pk=workshop.pk).delete()


def update_by_queryset(people, workshop, client):
    Workshop.objects.update(cover=None, plan=None)


@pytest.mark.parametrize(
    "delete",
    [
        delete_by_admin,
        delete_by_page,
        delete_by_cascade,
        delete_by_queryset,
        update_by_queryset,
    ],
)
def test_photo_of_a_deleted_object_is_hidden_at_once_and_swept(
    delete, people, workshop, make_user, monkeypatch
):
    admin = HTTPSClient()
    admin.force_login(make_user("admin@example.com", is_staff=True, is_superuser=True))
    found = photos(workshop)
    approve(people, *found)
    delete(people, workshop, admin)
    del people["owner" if delete is delete_by_cascade else "visitor"]
    assert [seen_by(people, photo) for photo in found] == [set(), set()]
    assert not seen_by({"admin": admin}, found[0])
    sweep_everything(monkeypatch)
    assert [files_of(photo) for photo in found] == [[False, False]] * 2
    assert not Photo.objects.exists()


def test_formset_stores_all_or_nothing(people, workshop, file, settings):
    settings.UPLOADS_PER_HOUR = 3
    url = "/workshops/all/"

    def data():
        fields = {"form-TOTAL_FORMS": 3, "form-INITIAL_FORMS": 1}
        fields |= {"form-0-id": workshop.pk, "form-0-title": "Changed"}
        for number in (1, 2):
            fields[f"form-{number}-title"] = "New"
            fields[f"form-{number}-cover"] = file()
        return fields

    def titles(name="owner"):
        own = Workshop.objects.filter(owner=people[name].account)
        return sorted(own.values_list("title", flat=True))

    # Two photos of this hour are those of the workshop.
    answer = people["owner"].post(url, data())
    assert answer.status_code == 200
    assert "You have reached the limit of photos" in answer.content.decode()
    assert titles() == ["Weaving"]
    assert Photo.objects.count() == 2
    # Django ignores the form of an object that is not among the user's.
    people["other"].post(url, data())
    assert (titles(), titles("other")) == (["Weaving"], ["New", "New"])
    settings.UPLOADS_PER_HOUR = 4
    assert people["owner"].post(url, data()).status_code == 302
    assert titles() == ["Changed", "New", "New"]


def test_reminder_is_sent_once(people, workshop):
    Booking.objects.update(due_at=timezone.now())
    for _ in range(2):
        call_command("worker", "--once")
    assert [email.to for email in mail.outbox if email.subject == "Tomorrow"] == [
        ["participant@example.com"]
    ]


@pytest.mark.django_db
def test_access_table_asks_for_objects_of_this_app():
    world = World()
    urls = [
        world.url(it) for it in ("/workshops/<pk>/room/", "/workshops/papers/<paper>/")
    ]
    assert "0" not in "".join(urls)
