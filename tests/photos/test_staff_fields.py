"""What staff see of an object in the admin: people by name, photos as pictures."""

import re
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import ManyToManyField, Model
from django.test.utils import CaptureQueriesContext, isolate_apps
from django.urls import include, path, reverse

from example.models import Thing
from secure_django.admin import AdminSite, ModelAdmin
from secure_django.login.admin import UserAdmin
from secure_django.login.models import Device
from secure_django.photos.admin import PhotoAdmin
from secure_django.photos.models import Photo, Status
from secure_django.testing import HTTPSClient, MakePhoto, MakeUser
from users.models import User

LABEL = "Ada Lovelace (ada@example.com)"
LIST = "/admin/example/thing/"


class ThingAdmin(ModelAdmin):
    list_display: Any = ("title", "owner", "guest", "image", "letter")
    list_filter = ("owner",)
    readonly_fields = ("owner", "guest")

    def is_on_site(self, request: Any, obj: Any) -> bool:
        return bool(obj.owner == request.user)


class FirstThingAdmin(ThingAdmin):
    list_display: Any = ("image", "owner")


class DeviceAdmin(ModelAdmin):
    autocomplete_fields: ClassVar[Any] = ()
    raw_id_fields: ClassVar[Any] = ()


site = AdminSite()
site.register(Thing, ThingAdmin)
site.register(User, UserAdmin)
site.register(Photo, PhotoAdmin)
site.register(Device, DeviceAdmin)
site.register(Group)
urlpatterns = [path("admin/", site.urls), path("", include("example.urls"))]

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture
def ada(make_user: MakeUser) -> User:
    return make_user("ada@example.com", name="Ada Lovelace")


@pytest.fixture
def staff(client: HTTPSClient, make_user: MakeUser) -> HTTPSClient:
    boss = make_user("boss@example.com", is_staff=True, is_superuser=True)
    client.force_login(boss)
    return client


def make_things(owner: User, count: int, photo: Photo | None = None) -> list[Thing]:
    things = [Thing(owner=owner, guest=owner, title="Tea") for _ in range(count)]
    for thing in things:
        thing.image = photo
        thing.save()
    return things


def text_of(html: str) -> str:
    """Return the words of a page."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_staff_read_names_and_emails(staff: HTTPSClient, ada: User) -> None:
    nameless = User.objects.create_user("nameless@example.com")
    [thing] = make_things(ada, 1)
    make_things(nameless, 1)
    page = f"{LIST}{thing.pk}/change/"
    shown = staff.get(LIST)
    assert text_of(shown.text).count(LABEL) == 3  # in two columns and the filter
    choices = list(shown.context["cl"].filter_specs[0].choices(shown.context["cl"]))
    assert [choice["display"] for choice in choices] == [
        "All",
        LABEL,
        "boss@example.com",
        "nameless@example.com",
    ]
    assert (
        len(staff.get(LIST, {"owner__id__exact": ada.pk}).context["cl"].result_list)
        == 1
    )
    link = f'<a href="{reverse("admin:users_user_change", args=[ada.pk])}">{LABEL}</a>'
    assert staff.get(page).text.count(link) == 2
    form = staff.get(page).context["adminform"].form
    assert not {"owner", "guest", "image"} & set(form.fields)


@pytest.mark.parametrize(
    "widget", [{}, {"autocomplete_fields": ["user"]}, {"raw_id_fields": ["user"]}]
)
def test_choices_of_people_have_names_and_emails(
    staff: HTTPSClient, ada: User, widget: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Device.objects.create(user=ada)
    for name, value in widget.items():
        monkeypatch.setattr(DeviceAdmin, name, value)
    page = f"/admin/secure_django_login/device/{device.pk}/change/"
    assert LABEL in staff.get(page).text
    query = {
        "term": "ada@",
        "app_label": "secure_django_login",
        "model_name": "device",
        "field_name": "user",
    }
    results = staff.get("/admin/autocomplete/", query).json()["results"]
    assert results == [{"id": str(ada.pk), "text": LABEL}]


def test_pages_of_a_user_have_name_and_email(staff: HTTPSClient, ada: User) -> None:
    base = f"/admin/users/user/{ada.pk}"
    for page in ("change", "delete", "history"):
        text = text_of(staff.get(f"{base}/{page}/").text)
        assert f"Users {LABEL}" in text or f"› {LABEL}" in text, page
    chosen = {"action": "delete_selected", "_selected_action": [ada.pk]}
    assert LABEL in text_of(staff.post("/admin/users/user/", chosen).text)
    assert f"“{LABEL}”" in text_of(staff.get(f"{base}/delete/").text)
    fields = {"email": "ada@example.com", "name": "Ada Lovelace", "is_active": "on"}
    saved = staff.post(f"{base}/change/", fields, follow=True)
    assert f"“ {LABEL} ” was changed" in text_of(saved.text)
    box = f'aria-label="Select this object for an action - {LABEL}"'
    assert box in staff.get("/admin/users/user/").text
    deleted = staff.post(f"{base}/delete/", {"post": "yes"}, follow=True)
    assert f"“{LABEL}” was deleted" in text_of(deleted.text)


@isolate_apps("example")
def test_people_of_a_field_that_nobody_changes_have_names_and_emails(
    staff: HTTPSClient, ada: User, make_user: MakeUser
) -> None:
    class Team(Model):  # noqa: DJ008
        people = ManyToManyField(User, related_name="+")
        groups = ManyToManyField(Group, related_name="+")

        class Meta:
            app_label = "example"

    other = make_user("other@example.com")
    chosen = SimpleNamespace(people=User.objects.filter(pk__in=[ada.pk, other.pk]))
    request = staff.get(LIST).wsgi_request
    team_admin = ModelAdmin(Team, site)
    column = team_admin.column("people", request)
    assert column(chosen) == f"{LABEL}, other@example.com"
    chosen.people = User.objects.none()
    assert column(chosen) == "-"
    assert team_admin.column("groups", request) == "groups"


@pytest.mark.control("V14.2.7")
def test_log_of_the_admin_keeps_no_name_of_a_user(
    staff: HTTPSClient, ada: User, make_user: MakeUser
) -> None:
    base = f"/admin/users/user/{ada.pk}"
    fields = {"email": "ada@example.com", "name": "Ada Lovelace", "is_active": "on"}
    staff.post(f"{base}/change/", fields)
    staff.post(f"{base}/delete/", {"post": "yes"})
    staff.post("/admin/users/user/add/", {"email": "new@example.com", "name": "New"})
    chosen = {
        "action": "delete_selected",
        "_selected_action": [make_user("gone@example.com", name="Gone").pk],
        "post": "yes",
    }
    staff.post("/admin/users/user/", chosen)
    texts = LogEntry.objects.values_list("object_repr", flat=True)
    assert len(texts) == 4
    assert all(re.fullmatch(r"user \d+", text) for text in texts)


def test_recent_actions_name_the_users_who_exist(
    staff: HTTPSClient, ada: User, make_user: MakeUser
) -> None:
    gone = make_user("gone@example.com", name="Gone")
    for user in (ada, gone):
        fields = {"email": user.email, "name": user.name}
        staff.post(f"/admin/users/user/{user.pk}/change/", fields)
    gone_text = f"user {gone.pk}"
    gone.delete()
    recent = text_of(staff.get("/admin/").text).partition("Recent actions")[2]
    assert LABEL in recent
    assert f"user {ada.pk}" not in recent
    assert gone_text in recent


def test_history_names_who_changed_an_object(
    staff: HTTPSClient, ada: User, make_user: MakeUser
) -> None:
    [thing] = make_things(ada, 1)
    LogEntry.objects.log_actions(ada.pk, [thing], CHANGE, "Poured", single_object=True)
    history = text_of(staff.get(f"{LIST}{thing.pk}/history/").text)
    assert "ada@example.com (Ada Lovelace)" in history


def test_list_of_many_rows_costs_no_more_queries(
    staff: HTTPSClient, ada: User, make_user: MakeUser, make_photo: MakePhoto
) -> None:
    def count(number: int) -> int:
        for _ in range(number):
            owner = make_user(f"user{User.objects.count()}@example.com")
            make_things(owner, 1, make_photo(owner))
        with CaptureQueriesContext(connection) as queries:
            assert "<img" in staff.get(LIST).text
        return len(queries)

    count(1)  # what the process keeps is read once
    assert count(1) == count(20)


def test_photo_is_a_picture_with_its_status(
    staff: HTTPSClient, ada: User, make_photo: MakePhoto
) -> None:
    image = Thing._meta.get_field("image")
    photo = make_photo(ada, image.purpose)
    [thing] = make_things(ada, 1, photo)
    review = reverse("admin:secure_django_photos_photo_change", args=[photo.pk])
    link = f'<a href="{review}"><span class="photo"><img src="/photos/{photo.pk}/'
    for url in (LIST, f"{LIST}{thing.pk}/change/"):
        shown = staff.get(url).text
        assert link in shown
        assert "<small>Waiting for review</small>" in shown
    Photo.objects.update(status=Status.APPROVED)
    assert "Waiting for review" not in staff.get(LIST).text
    # A column that leads to the object has no second link inside.
    site_admin = FirstThingAdmin(Thing, site)
    request = staff.get(LIST).wsgi_request
    first = site_admin.get_list_display(request)[0]
    assert "<a" not in first(thing)
    assert site_admin.get_list_display_links(request, [first]) == [first]


@pytest.mark.control("moderation")
def test_photo_in_the_admin_is_hidden_from_staff_who_may_not_see_it(
    client: HTTPSClient,
    ada: User,
    powerful_staff: User,
    make_user: MakeUser,
    make_photo: MakePhoto,
) -> None:
    meta = Thing._meta
    photo = make_photo(ada, meta.get_field("image").purpose)
    [thing] = make_things(ada, 1, photo)
    thing.letter = make_photo(
        ada, meta.get_field("letter").purpose, is_moderated=False, status="approved"
    )
    thing.save()
    clerk = make_user("clerk@example.com", is_staff=True)
    permissions = powerful_staff.user_permissions.filter(codename="view_thing")
    clerk.user_permissions.set(permissions)
    client.force_login(clerk)
    for url in (LIST, f"{LIST}{thing.pk}/change/"):
        shown = client.get(url).text
        assert "<img" not in shown
        assert "Waiting for review" in shown
        assert "private" in shown
    client.force_login(ada)
    User.objects.filter(pk=ada.pk).update(is_staff=True, is_superuser=True)
    assert f"/photos/{thing.letter.pk}/" not in client.get(LIST).text


@pytest.mark.control("V8.2.2")
def test_link_to_the_site_leads_only_to_pages_that_the_viewer_may_see(
    staff: HTTPSClient, ada: User, make_photo: MakePhoto
) -> None:
    boss = User.objects.get(email="boss@example.com")
    purpose = Thing._meta.get_field("image").purpose
    others_photo = make_photo(ada, purpose)
    own_photo = make_photo(boss, purpose)
    [others] = make_things(ada, 1, others_photo)
    [own] = make_things(boss, 1, own_photo)
    kind = ContentType.objects.get_for_model(Thing).pk
    for thing, is_shown in ((others, False), (own, True)):
        link = f'<a href="/things/{thing.pk}/" class="viewsitelink">'
        review = reverse(
            "admin:secure_django_photos_photo_change", args=[thing.image_id]
        )
        pages = (f"{LIST}{thing.pk}/change/", review)
        assert [link in staff.get(page).text for page in pages] == [is_shown] * 2
        answer = staff.get(f"/admin/r/{kind}/{thing.pk}/")
        assert answer.status_code == (302 if is_shown else 404)
    for unknown in (f"{kind}/0", "0/1", "x/1", f"{kind}/x", f"{10**30}/1"):
        assert staff.get(f"/admin/r/{unknown}/").status_code == 404
    User.objects.update(is_superuser=False)
    assert staff.get(f"/admin/r/{kind}/{own.pk}/").status_code == 404


def test_link_of_a_model_without_a_page_is_not_found(
    staff: HTTPSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its admin names an address by a function, which needs no page of the object.
    group_admin: Any = site.get_model_admin(Group)
    monkeypatch.setattr(group_admin, "view_on_site", lambda group: "/somewhere/")
    group = Group.objects.create(name="Editors")
    kind = ContentType.objects.get_for_model(Group).pk
    assert staff.get(f"/admin/r/{kind}/{group.pk}/").status_code == 404
