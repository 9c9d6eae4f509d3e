"""Copied into a generated project with the app of tests/own_app/product.py: attacks on its photos."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN201, ANN202, ARG001, ARG005, I001, SLF001

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.checks import run_checks
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.utils import timezone

from core.testing import HTTPSClient
from core.tests.access import make_objects
from uploads import jobs, limits
from uploads.images import VARIANTS
from uploads.models import Photo, Status
from uploads.services import review_photo
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
    """Return a function that makes a photo's file, or one of other content."""
    return lambda content=None: SimpleUploadedFile("a.jpg", make_image() if content is None else content, "image/jpeg")


@pytest.fixture
def workshop(people, file):
    """Return a workshop with both photos, a participant, and a former one."""
    files = {"cover": file(), "plan": file()}
    assert people["owner"].post("/workshops/create/", {"title": "Weaving", **files}).status_code == 302
    made = Workshop.objects.get()
    made.bookings.create(participant=people["participant"].account)
    made.bookings.create(participant=people["former"].account).delete()
    return made


def photos(thing):
    return [getattr(thing, name) for name in ("cover", "plan", "avatar", "scan") if hasattr(thing, name)]


def seen_by(people, photo):
    """Return who sees the photo. Both files must answer alike."""
    answers = {}
    for name, client in people.items():
        found = {client.get(f"/photos/{photo.pk}/{variant}/").status_code for variant in VARIANTS}
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
        return {name for name, client in people.items() if f"/photos/{photo.pk}/" in client.get(url).content.decode()}

    room = f"/workshops/{workshop.pk}/room/"
    assert shown(paper.scan, paper.get_absolute_url()) == {"owner"}
    # Participants see the page, but no photo that waits; the reviewer may see the photo, but not the page.
    assert shown(workshop.plan, room) == {"owner"}
    assert shown(workshop.cover, "/workshops/offers/") == {"owner", "reviewer"}
    approve(people, workshop.cover, workshop.plan)
    assert shown(workshop.plan, room) == {"owner", "participant"}
    assert shown(workshop.cover, "/workshops/offers/") == set(PEOPLE)
    assert shown(workshop.plan, "/admin/uploads/photo/?show=all") == {"reviewer"}
    assert shown(paper.scan, "/admin/uploads/photo/?show=all") == set()
    assert shown(paper.scan, f"/admin/uploads/photo/{paper.scan.pk}/change/") == set()
    assert not shown(workshop.plan, "/workshops/offers/")
    # What only some may see is stored in no cache.
    for client, photo in ((people["participant"], workshop.plan), (people["owner"], paper.scan)):
        assert client.get(f"/photos/{photo.pk}/display/").headers["Cache-Control"] == "no-store"


def test_other_users_change_no_photo(people, workshop, file):
    before = photos(workshop)
    for name in set(PEOPLE) - {"owner"}:
        answer = people[name].post(f"/workshops/{workshop.pk}/edit/", {"title": "Taken", "cover": file()})
        assert answer.status_code == (302 if name == "visitor" else 404)
        people[name].post(f"/workshops/{workshop.pk}/edit/", {"title": "Taken", "cover-clear": "on"})
    # A form takes files alone: not the number of another user's photo.
    people["other"].post("/workshops/create/", {"title": "Mine", "cover": str(before[0].pk), "plan": str(before[1].pk)})
    assert photos(Workshop.objects.get(title="Mine")) == [None, None]
    workshop.refresh_from_db()
    assert photos(workshop) == before
    assert Photo.objects.not_deleted().count() == 2


def test_photo_that_is_replaced_or_removed_is_gone_at_once_and_swept(people, workshop, file, monkeypatch):
    approve(people, *photos(workshop))
    old = photos(workshop)
    edit = f"/workshops/{workshop.pk}/edit/"
    people["owner"].post(edit, {"title": "Weaving", "cover": file(), "plan-clear": "on"})
    workshop.refresh_from_db()
    assert workshop.cover != old[0]
    assert workshop.plan is None
    assert [seen_by(people, photo) for photo in old] == [set(), set()]
    assert set(Photo.objects.filter(status=Status.DELETED)) == set(old)
    sweep_everything(monkeypatch)
    assert [files_of(photo) for photo in old] == [[False, False]] * 2
    assert files_of(workshop.cover) == [True, True]
    assert Photo.objects.get() == workshop.cover


def test_second_photo_that_is_refused_stores_nothing(people, workshop, file, media):
    Workshop.objects.all().delete()
    stored = Photo.objects.count(), len(list(media.rglob("*.jpg")))
    for bad in (b"<script>", b"", b"\xff\xd8\xff\xe0 cut off"):
        response = people["owner"].post("/workshops/create/", {"title": "Two", "cover": file(), "plan": file(bad)})
        assert list(response.context["form"].errors) == ["plan"]
    bad = {"cover": file(b"GIF89a"), "plan": file(b"%PDF")}
    response = people["owner"].post("/workshops/create/", {"title": "Two", **bad})
    assert list(response.context["form"].errors) == ["cover", "plan"]
    assert len(re.findall('aria-invalid="true"', response.content.decode())) == 2
    # Photos that are fine, with another field that is not.
    response = people["owner"].post("/workshops/create/", {"title": "", "cover": file(), "plan": file()})
    assert list(response.context["form"].errors) == ["title"]
    assert not Workshop.objects.exists()
    assert (Photo.objects.count(), len(list(media.rglob("*.jpg")))) == stored


def delete_by_admin(people, workshop, client):
    url = f"/admin/workshops/workshop/{workshop.pk}/delete/"
    assert client.post(url, {"post": "yes"}).headers["Location"] == "/admin/workshops/workshop/"


def delete_by_page(people, workshop, client):
    people["owner"].post(f"/workshops/{workshop.pk}/delete/")


def delete_by_cascade(people, workshop, client):
    people["owner"].account.delete()


def delete_by_queryset(people, workshop, client):
    Workshop.objects.filter(pk=workshop.pk).delete()


def update_by_queryset(people, workshop, client):
    Workshop.objects.update(cover=None, plan=None)


@pytest.mark.parametrize(
    "delete", [delete_by_admin, delete_by_page, delete_by_cascade, delete_by_queryset, update_by_queryset]
)
def test_photo_of_a_deleted_object_is_hidden_at_once_and_swept(delete, people, workshop, make_user, monkeypatch):
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


def test_photo_of_a_renamed_field_is_named_and_hidden(people, workshop):
    approve(people, *photos(workshop))
    Photo.objects.filter(pk=workshop.cover.pk).update(purpose="workshops.workshop.banner")
    (warning,) = run_checks(tags=["database"], databases=["default"])
    assert (warning.id, "workshops.workshop.banner" in warning.msg) == ("uploads.W001", True)
    assert seen_by(people, workshop.cover) == {"owner", "reviewer"}


def test_private_photo_of_a_renamed_field_is_seen_by_nobody(people, file):
    people["owner"].post("/workshops/papers/add/", {"scan": file()})
    Photo.objects.update(purpose="workshops.paper.image")
    assert seen_by(people, Paper.objects.get().scan) == set()


def test_other_files_of_the_storage_are_left_alone(people, workshop, monkeypatch):
    handout = SimpleUploadedFile("handout.pdf", b"%PDF")
    people["owner"].post(f"/workshops/{workshop.pk}/edit/", {"title": "Weaving", "handout": handout})
    folder = str(workshop.cover.pk)[:2]
    names = [f"handouts/{folder}/{workshop.cover.pk}-display.jpg", f"photos/{folder}/readme.txt", "photos.csv"]
    for name in names:
        default_storage.save(name, SimpleUploadedFile("a", b"x"))
    workshop.refresh_from_db()
    Workshop.objects.all().delete()
    monkeypatch.setattr(default_storage, "get_modified_time", lambda name: timezone.now() - timedelta(days=9))
    sweep_everything(monkeypatch)
    assert all(map(default_storage.exists, [*names, workshop.handout.name]))
    assert not Photo.objects.exists()


def test_list_is_loaded_while_the_decoder_is_busy(people, file):
    titles = SimpleUploadedFile("titles.csv", b"Weaving\nPottery\n")
    owner = people["owner"]
    with limits.decoding_turn(owner.account):
        busy = owner.post("/workshops/create/", {"title": "Sewing", "cover": file()})
        assert (busy.status_code, busy.headers["Retry-After"]) == (429, "5")
        assert owner.post("/workshops/load/", {"titles": titles}).status_code == 302
        # A form with a photo, sent without one, does not wait either.
        assert owner.post("/workshops/create/", {"title": "Carving"}).status_code == 302
    assert set(Workshop.objects.values_list("title", flat=True)) == {"Weaving", "Pottery", "Carving"}


def test_list_asks_no_query_for_each_photo(people, workshop, file, make_photo, django_assert_num_queries):
    approve(people, workshop.cover)
    purpose = Workshop._meta.get_field("cover").purpose
    for number in range(20):
        cover = make_photo(purpose=purpose, status=Status.APPROVED)
        Workshop.objects.create(owner=people["owner"].account, title=f"Weaving {number}", cover=cover)
    for name in ("visitor", "participant", "reviewer"):
        people[name].get("/workshops/offers/")
    with django_assert_num_queries(1):
        assert people["visitor"].get("/workshops/offers/").content.count(b"/thumbnail/") == 21
    with django_assert_num_queries(3):  # session, user, workshops
        assert people["participant"].get("/workshops/offers/").content.count(b"/thumbnail/") == 21


def test_admin_shows_the_photo_of_an_object_and_changes_none(people, workshop, file):
    staff = people["staff"].account
    staff.user_permissions.set(Permission.objects.filter(content_type__app_label="workshops"))
    url, cover = f"/admin/workshops/workshop/{workshop.pk}/change/", workshop.cover
    page = people["staff"].get(url)
    assert page.status_code == 200
    assert not re.findall(r'<(?:input|select)[^>]+name="(?:cover|plan|owner)', page.content.decode())
    fields = {"title": "Changed", "text": "", "cover": file(), "plan": "", "plan-clear": "on"}
    people["staff"].post(url, fields)
    workshop.refresh_from_db()
    assert (workshop.title, workshop.cover) == ("Changed", cover)
    assert workshop.plan


def test_email_and_review_name_what_each_photo_is_for(people, workshop, file, monkeypatch):
    people["owner"].post("/workshops/profile/", {"name": "Ann", "avatar": file()})
    avatar = Profile.objects.get().avatar
    names = {"workshop: cover": workshop.cover, "workshop: plan of the room": workshop.plan, "profile: avatar": avatar}
    for name, photo in names.items():
        page = people["reviewer"].get(f"/admin/uploads/photo/{photo.pk}/change/").content.decode()
        assert name in page
        assert f'href="{photo.get_absolute_url()}"' in page
    approve(people, workshop.cover, avatar)
    review_photo(workshop.plan, people["reviewer"].account, "rejected", "Too <dark>")
    page = people["owner"].get(f"/workshops/{workshop.pk}/edit/").content.decode()
    assert "Too &lt;dark&gt;" in page
    assert seen_by(people, workshop.plan) == set()
    later = timezone.now() + timedelta(minutes=61)
    with monkeypatch.context() as patch:
        patch.setattr("django.utils.timezone.now", lambda: later)
        call_command("worker", "--once")
    (email,) = [email for email in mail.outbox if email.to == ["owner@example.com"]]
    for name in names:
        assert f"({name})" in email.body
    assert "Too <dark>" in email.body
    assert email.body.count(f"https://example.com/workshops/{workshop.pk}/\n") == 2
    assert "https://example.com/workshops/profile/\n" in email.body


def test_photo_of_an_object_counts_towards_the_quota_of_its_owner(people, workshop, file, settings):
    settings.UPLOADS_PER_HOUR = 3
    two = {"title": "Two", "cover": file(), "plan": file()}
    answer = people["owner"].post("/workshops/create/", two)
    assert (answer.status_code, Workshop.objects.count()) == (429, 1)
    Workshop.objects.all().delete()
    assert (
        people["owner"].post("/workshops/create/", {"title": "Two", "cover": file(), "plan": file()}).status_code == 429
    )
    assert people["owner"].post("/workshops/create/", {"title": "One", "cover": file()}).status_code == 302
    # The quota of the other users is their own.
    assert people["other"].post("/workshops/profile/", {"name": "Bob", "avatar": file()}).status_code == 302


def test_reminder_is_sent_once(people, workshop):
    Booking.objects.update(due_at=timezone.now())
    for _ in range(2):
        call_command("worker", "--once")
    assert [email.to for email in mail.outbox if email.subject == "Tomorrow"] == [["participant@example.com"]]


def test_access_table_asks_for_objects_of_this_app(user):
    fill = make_objects(user)
    assert "0" not in fill("/workshops/<pk>/room/") + fill("/workshops/papers/<paper>/")
