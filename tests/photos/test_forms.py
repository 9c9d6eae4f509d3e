"""Forms in ordinary views: what is refused is an error of the form, or the page 503."""

import errno
import math
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signals import request_finished
from django.db import OperationalError, models, transaction
from django.db.models import Q, QuerySet
from django.forms import modelformset_factory
from django.shortcuts import redirect
from django.test import RequestFactory
from django.test.utils import isolate_apps
from django.urls import path
from django.views.decorators.http import require_http_methods
from pytest_django import DjangoAssertNumQueries, Settings

import secure_django
from example import urls
from example.models import Thing
from secure_django.login.http import UserRequest
from secure_django.photos.fields import PhotoField
from secure_django.photos.forms import PhotoModelForm
from secure_django.photos.formsets import PhotoFormSet
from secure_django.photos.images import decoding_ends_at, validate_and_reencode
from secure_django.photos.models import Photo
from secure_django.photos.purposes import PURPOSES
from secure_django.testing import Login, MakeImage, MakePhoto
from secure_django.web.error_pages import UnavailableError
from users.models import User

pytestmark = pytest.mark.usefixtures("decode_once")

type Happen = Callable[[pytest.MonkeyPatch], None]

WORDS = {"notes": "things", "Note": "Thing", "cover": "image"}
forms: Any = import_module("secure_django.photos.forms")
DOCUMENT = Path(secure_django.__file__).parent / "docs" / "photos.md"
FULL = OSError(errno.ENOSPC, "No space left on device")


def document_code(heading: str) -> str:
    """Return the code of a section of docs/photos.md, for things with an image."""
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.partition(f"## {heading}\n")[2]
    code = section.partition("```python\n")[2].partition("```")[0]
    return re.sub("|".join(WORDS), lambda word: WORDS[word[0]], code)


def own(request: UserRequest) -> QuerySet[Thing]:
    return Thing.objects.filter(owner=request.user)


class ThingForm(PhotoModelForm):
    most_per_owner = 5

    class Meta:
        model = Thing
        fields = ("title", "image", "portrait")


@pytest.fixture(autouse=True)
def views(settings: Settings) -> None:
    """Serve the ordinary view, and the generic views of the document."""
    names: dict[str, Any] = {"ThingForm": ThingForm, "own": own}
    exec(document_code("Django's generic views"), names)  # noqa: S102
    template = {"template_name": "example/form.html"}
    routes = [
        path("generic/add/", names["ThingCreate"].as_view(**template)),
        path("generic/<int:pk>/", names["ThingUpdate"].as_view(**template)),
        *urls.urlpatterns,
    ]
    module: Any = ModuleType("views")
    vars(module).update({name: getattr(urls, name) for name in urls.__all__})
    module.urlpatterns = routes
    settings.ROOT_URLCONF = module


@pytest.fixture
def file(make_image: MakeImage) -> Callable[[], SimpleUploadedFile]:
    return lambda: SimpleUploadedFile("holiday.png", make_image("PNG"), "image/png")


@pytest.fixture
def thing(user: User, make_photo: MakePhoto) -> Thing:
    image = make_photo(purpose=PURPOSES["example.thing.image"])
    made: Thing = Thing.objects.create(owner=user, title="Teal", image=image)
    return made


def reach_limit(patch: pytest.MonkeyPatch) -> None:
    for form in (ThingForm, urls.ThingForm):
        patch.setattr(form, "most_per_owner", 1)


def reach_quota(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("django.conf.settings.UPLOADS_PER_HOUR", 1)


def fill_disk(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(default_storage, "save", Mock(side_effect=FULL))


def protect_disk(patch: pytest.MonkeyPatch) -> None:
    error = OSError(errno.EROFS, "Read-only file system")
    patch.setattr(default_storage, "save", Mock(side_effect=error))


def delete_things(patch: pytest.MonkeyPatch) -> None:
    Thing.objects.all().delete()


def delete_while_decoding(patch: pytest.MonkeyPatch) -> None:
    decode = forms.validate_and_reencode

    def delete_first(*args: Any) -> Any:
        Thing.objects.all().delete()
        return decode(*args)

    patch.setattr(forms, "validate_and_reencode", delete_first)


def before(method: str, happen: Happen) -> Happen:
    """Return what lets something happen just before a method of the form."""
    inner = getattr(PhotoModelForm, method)

    def prepare(patch: pytest.MonkeyPatch) -> None:
        def first(form: PhotoModelForm, *args: Any, **kwargs: Any) -> Any:
            happen(patch)
            return inner(form, *args, **kwargs)

        patch.setattr(PhotoModelForm, method, first)

    return prepare


REFUSED: dict[str, tuple[Happen, str, int, str]] = {
    "limit": (reach_limit, "limit of 1: delete one", 200, "add"),
    "quota": (reach_quota, "photos in one hour: 1.", 429, "add"),
    "full": (fill_disk, "no space for new photos", 503, "add"),
    "full, edit": (fill_disk, "no space for new photos", 503, "edit"),
    "read-only": (protect_disk, "Uploads are unavailable", 503, "add"),
    "deleted": (
        before("full_clean", delete_things),
        "deleted in the meantime, so nothing was saved",
        200,
        "edit",
    ),
    "deleted while decoding": (
        delete_while_decoding,
        "deleted in the meantime, so nothing was saved",
        200,
        "edit",
    ),
}


@pytest.mark.control("V5.2.4")
@pytest.mark.parametrize("view", ["things", "generic"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_an_error_of_the_form(
    case: str,
    view: str,
    thing: Thing,
    login: Login,
    user: User,
    media: Path,
    file: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    happen, sentence, status, action = REFUSED[case]
    client = login(user)
    photos = set(Photo.objects.all())
    files = set(media.rglob("*.jpg"))
    happen(monkeypatch)
    url = f"/{view}/add/" if action == "add" else f"/{view}/{thing.pk}/"
    response = client.post(url, {"title": "Late", "image": file()})
    form = response.context["form"]
    assert sentence in str(form.errors)
    # Django's generic views know nothing of statuses.
    assert response.status_code == (status if view == "things" else 200)
    assert not Thing.objects.filter(title="Late").exists()
    assert set(Photo.objects.all()) == photos
    assert set(media.rglob("*.jpg")) == files
    with pytest.raises(ValueError, match="with errors cannot be saved"):
        form.save()


def fill_database(error: Exception) -> Happen:
    def prepare(patch: pytest.MonkeyPatch) -> None:
        def fail(thing: Thing, **options: Any) -> None:
            raise OperationalError from error

        patch.setattr(Thing, "save", fail)

    return prepare


def sqlite_error() -> Exception:
    """Return the error of a database without space."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("CREATE TABLE thing (title)")
        with pytest.raises(sqlite3.OperationalError) as error:
            connection.execute("INSERT INTO thing VALUES (zeroblob(100000))")
    return error.value


RACES: dict[str, tuple[Happen, str, str]] = {
    "limit": (before("save", reach_limit), "add", ""),
    "quota": (before("save", reach_quota), "add", ""),
    "deleted": (before("save", delete_things), "edit", ""),
    "full, SQLite": (fill_database(sqlite_error()), "add", "300"),
    "full, PostgreSQL": (fill_database(psycopg.errors.DiskFull()), "edit", "300"),
}


@pytest.mark.parametrize("view", ["things", "generic"])
@pytest.mark.parametrize("case", RACES)
def test_what_happens_before_a_valid_form_is_saved_gets_the_page_503(
    case: str,
    view: str,
    thing: Thing,
    login: Login,
    user: User,
    media: Path,
    file: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    happen, action, wait = RACES[case]
    client = login(user)
    photos = set(Photo.objects.all())
    files = set(media.rglob("*.jpg"))
    happen(monkeypatch)
    url = f"/{view}/add/" if action == "add" else f"/{view}/{thing.pk}/"
    response = client.post(url, {"title": "Late", "image": file()})
    assert response.status_code == 503
    assert "<h1>Temporarily unavailable</h1>" in response.text
    assert response.headers.get("Retry-After", "") == wait
    assert not Thing.objects.filter(title="Late").exists()
    assert set(Photo.objects.all()) == photos
    assert set(media.rglob("*.jpg")) == files


def test_another_error_of_the_database_or_the_disk_is_no_unavailable_form(
    user: User, file: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (OperationalError("no such table"), OSError(errno.EPERM, "denied")):
        form = ThingForm({"title": "Teal"}, {"image": file()}, owner=user)
        assert form.is_valid()
        with monkeypatch.context() as patch:
            patch.setattr(Thing, "save", Mock(side_effect=error))
            with pytest.raises(type(error)):
                form.save()


def test_generic_views_make_and_change_objects_of_the_user(
    login: Login, user: User, file: Callable[[], Any]
) -> None:
    client = login(user)
    made = client.post("/generic/add/", {"title": "Teal", "image": file()})
    thing = Thing.objects.get()
    assert made.headers["Location"] == thing.get_absolute_url()
    assert (thing.owner, thing.title) == (user, "Teal")
    changed = client.post(f"/generic/{thing.pk}/", {"title": "Navy"})
    assert changed.headers["Location"] == thing.get_absolute_url()
    thing.refresh_from_db()
    assert (thing.owner, thing.title) == (user, "Navy")
    assert thing.image


def test_formset_of_the_document_asks_once_for_all_objects(
    rf: RequestFactory,
    user: User,
    other_user: User,
    make_photo: MakePhoto,
    file: Callable[[], Any],
    settings: Settings,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    settings.UPLOADS_PER_HOUR = 100
    shown: list[Any] = []

    def render(request: Any, template: str, context: Any) -> str:
        shown.append(context["formset"])
        return str(context["formset"])

    names: dict[str, Any] = {
        "HttpResponse": object,
        "Thing": Thing,
        "ThingForm": ThingForm,
        "UserRequest": UserRequest,
        "own": own,
        "rate_limit": lambda *args, **options: lambda view: view,
        "redirect": lambda name: redirect("/"),
        "render": render,
        "require_http_methods": require_http_methods,
    }
    exec(document_code("Several at once"), names)  # noqa: S102
    view = names["edit_all"]

    def ask(method: str, data: Any = None) -> Any:
        request = getattr(rf, method)("/", data)
        request.user = user
        return view(request)

    def make(owner: User, title: str) -> None:
        image = make_photo(owner, PURPOSES["example.thing.image"])
        Thing.objects.create(owner=owner, title=title, image=image)

    make(other_user, "Theirs")
    for number in (1, 4):
        while Thing.objects.filter(owner=user).count() < number:
            make(user, "Teal")
        with django_assert_num_queries(1):
            page = ask("get")
        assert page.count("/thumbnail/") == number
        formset = shown[-1]
        data: dict[str, Any] = {
            "form-TOTAL_FORMS": number + 1,
            "form-INITIAL_FORMS": number,
        }
        for place, form in enumerate(formset.initial_forms):
            data[f"form-{place}-id"] = form.instance.pk
            data[f"form-{place}-title"] = form.instance.title
        # The objects, their rows, and the two ends of the transaction.
        with django_assert_num_queries(4):
            assert ask("post", data).status_code == 302
    changes = {"form-0-title": "Navy", "form-4-title": "New", "form-4-image": file()}
    assert ask("post", data | changes).status_code == 302
    titles = Thing.objects.order_by("pk").values_list("title", "owner")
    assert list(titles) == [
        ("Theirs", other_user.pk),
        ("Navy", user.pk),
        *[("Teal", user.pk)] * 3,
        ("New", user.pk),
    ]
    theirs = Thing.objects.get(owner=other_user)
    ask("post", data | {"form-0-id": theirs.pk, "form-0-title": "Taken"})
    assert "id" in shown[-1].errors[0]
    assert not Thing.objects.filter(title="Taken").exists()


THINGS: Any = modelformset_factory(
    Thing, ThingForm, formset=PhotoFormSet, extra=2, can_delete=True
)


def make_formset(user: User, rows: list[dict[str, Any]], stored: list[Thing]) -> Any:
    """Return a bound formset: a row for each stored thing, then new ones."""
    data: dict[str, Any] = {
        "form-TOTAL_FORMS": len(rows),
        "form-INITIAL_FORMS": len(stored),
    }
    files: dict[str, Any] = {}
    for number, row in enumerate(rows):
        for name, value in row.items():
            target = files if name == "image" else data
            target[f"form-{number}-{name}"] = value
    for number, thing in enumerate(stored):
        data[f"form-{number}-id"] = thing.pk
    things = Thing.objects.filter(owner=user)
    return THINGS(data, files, queryset=things, owner=user)


def stored_files(settings: Settings) -> list[str]:
    return [path.name for path in Path(settings.MEDIA_ROOT).rglob("*.jpg")]


def test_files_of_a_form_that_no_view_saves_end_with_the_request(
    user: User, file: Callable[[], Any], settings: Settings
) -> None:
    """No quota counts them: with an invalid form beside it, one could fill the disk."""
    rows = [{"title": "Teal", "image": file()}, {"title": "", "image": file()}]
    assert not make_formset(user, rows, []).is_valid()
    assert stored_files(settings)
    request_finished.send(sender=None)
    assert not stored_files(settings)
    form = ThingForm({"title": "Teal"}, {"image": file()}, owner=user)
    assert form.is_valid()
    form.save()
    request_finished.send(sender=None)
    assert len(stored_files(settings)) == 2


@pytest.mark.django_db(transaction=True)
def test_error_after_the_transaction_leaves_the_files_of_stored_photos(
    user: User,
    file: Callable[[], Any],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def save(thing: Thing, *args: Any, **options: Any) -> None:
        original(thing, *args, **options)
        transaction.on_commit(Mock(side_effect=ConnectionError))

    original = Thing.save
    monkeypatch.setattr(Thing, "save", save)
    form = ThingForm({"title": "Teal"}, {"image": file()}, owner=user)
    assert form.is_valid()
    with pytest.raises(ConnectionError):
        form.save()
    request_finished.send(sender=None)
    assert Thing.objects.get().image.has_files
    assert len(stored_files(settings)) == 2


def test_row_to_be_deleted_makes_room_and_decodes_nothing(
    user: User,
    thing: Thing,
    file: Callable[[], Any],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ThingForm, "most_per_owner", 1)
    before = stored_files(settings)
    old = {"title": "Teal", "DELETE": "on"}
    dropped = {"title": "Dropped", "image": file(), "DELETE": "on"}
    new = {"title": "Navy", "image": file()}
    formset = make_formset(user, [old, dropped, new], [thing])
    assert formset.is_valid(), formset.errors
    formset.save()
    assert list(Thing.objects.values_list("title", flat=True)) == ["Navy"]
    assert len(stored_files(settings)) == len(before) + 2
    (navy,) = Thing.objects.all()
    two = [{"title": "Navy"}, {"title": "Red", "image": file()}]
    assert not make_formset(user, two, [navy]).is_valid()


@pytest.fixture
def add_things(
    user: User, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[Thing]]:
    """Return what makes things, of which two may be open at a time."""
    is_open = Q(title__startswith="Open")
    monkeypatch.setattr(Thing, "open_rows", is_open, raising=False)
    monkeypatch.setattr(ThingForm, "most_per_owner", 2)
    image = make_photo(purpose=PURPOSES["example.thing.image"])

    def add(*titles: str) -> list[Thing]:
        return [
            Thing.objects.create(owner=user, title=title, image=image)
            for title in titles
        ]

    return add


@pytest.mark.control("V2.4.1")
def test_only_open_objects_of_an_owner_are_limited(
    add_things: Callable[..., list[Thing]], user: User, file: Callable[[], Any]
) -> None:
    closed, _, _, first, _ = add_things(
        "Closed 1", "Closed 2", "Closed 3", "Open 1", "Open 2"
    )

    def make_form(title: str, thing: Thing) -> ThingForm:
        return ThingForm(
            {"title": title}, {"image": file()}, instance=thing, owner=user
        )

    new = make_form("Open 3", Thing(owner=user))
    assert "You have reached the limit of 2" in str(new.non_field_errors())
    # A row that was closed is not opened again beside them.
    again = make_form("Open again", Thing.objects.get(pk=closed.pk))
    assert "You have reached the limit of 2" in str(again.non_field_errors())
    for thing, title in ((closed, "Closed still"), (first, "Open still")):
        assert make_form(title, Thing.objects.get(pk=thing.pk)).is_valid()
    Thing.objects.filter(pk=first.pk).update(title="Closed now")
    again = make_form("Open again", Thing.objects.get(pk=closed.pk))
    new = make_form("Open 3", Thing(owner=user))
    assert again.is_valid()
    assert new.is_valid()
    again.save()
    with pytest.raises(UnavailableError, match="too_many"):
        new.save()  # as if both had been sent at the same moment
    titles = Thing.objects.filter(title__startswith="Open").values_list("title")
    assert sorted(titles) == [("Open 2",), ("Open again",)]


@pytest.mark.control("V2.4.1")
def test_open_objects_of_a_formset_are_limited(
    add_things: Callable[..., list[Thing]], user: User, file: Callable[[], Any]
) -> None:
    things = add_things("Open 1", "Closed 1", "Closed 2")
    rows = [{"title": thing.title} for thing in things]
    new = {"title": "Open 2", "image": file()}
    assert make_formset(user, [*rows, new], things).is_valid()
    reopened = [*rows[:2], {"title": "Open again"}]
    assert make_formset(user, reopened, things).is_valid()
    assert not make_formset(
        user, [*reopened, new | {"image": file()}], things
    ).is_valid()
    # A closed one that is deleted makes no room.
    deleted = [*rows[:2], {"title": "Closed 2", "DELETE": "on"}]
    two = [{"title": f"Open {number}", "image": file()} for number in (2, 3)]
    assert not make_formset(user, [*deleted, *two], things).is_valid()


def test_photos_of_a_formset_have_one_deadline(
    user: User, file: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    deadlines: list[float] = []

    def decode(content: bytes, used: list[float]) -> Any:
        deadlines.append(decoding_ends_at.get())
        return validate_and_reencode(content, used)

    monkeypatch.setattr("secure_django.photos.forms.validate_and_reencode", decode)
    rows = [{"title": title, "image": file()} for title in ("Teal", "Navy")]
    assert make_formset(user, rows, []).is_valid()
    first, second = deadlines
    assert first == second < math.inf


def test_field_without_visible_to_is_an_error_at_the_start() -> None:
    with pytest.raises(TypeError) as refusal:
        PhotoField(blank=True)
    for word in ("visible_to", "everyone", "logged_in", "a function of the object"):
        assert word in str(refusal.value)


@isolate_apps("example")
def test_form_gives_a_new_object_its_owner_by_any_key(
    user: User, other_user: User
) -> None:
    class Post(models.Model):  # noqa: DJ008
        author = models.ForeignKey(User, on_delete=models.CASCADE)
        text = models.CharField(max_length=9)

        class Meta:
            app_label = "example"

    class Task(models.Model):  # noqa: DJ008
        assignee = models.ForeignKey(User, on_delete=models.CASCADE, null=True)
        text = models.CharField(max_length=9)

        class Meta:
            app_label = "example"

    class PostForm(PhotoModelForm):
        class Meta:
            model = Post
            fields = ("text",)

    class ChoiceForm(PhotoModelForm):
        class Meta:
            model = Post
            fields = ("text", "author")

    class TaskForm(PhotoModelForm):
        class Meta:
            model = Task
            fields = ("text",)

    class CountedTaskForm(TaskForm):
        most_per_owner = 3

    class Draft(models.Model):  # noqa: DJ008
        owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
        text = models.CharField(max_length=9)

        class Meta:
            app_label = "example"

    class DraftForm(PhotoModelForm):
        class Meta:
            model = Draft
            fields = ("text",)

    assert DraftForm(owner=user).instance.owner == user
    assert PostForm(owner=user).instance.author == user
    by_code = PostForm(instance=Post(author=other_user), owner=user)
    assert by_code.instance.author == other_user
    # What the form asks for, and what may stay empty, is left alone.
    assert ChoiceForm(owner=user).instance.author_id is None
    assert TaskForm(owner=user).instance.assignee is None
    # It is counted by this key.
    assert CountedTaskForm(owner=user).instance.assignee == user


@isolate_apps("example")
def test_required_key_of_several_to_users_leads_to_the_owner(
    user: User, other_user: User
) -> None:
    class Auction(models.Model):  # noqa: DJ008
        winner = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
        seller = models.ForeignKey(User, models.CASCADE, related_name="+")
        title = models.CharField(max_length=9)

        class Meta:
            app_label = "example"

    class AuctionForm(PhotoModelForm):
        class Meta:
            model = Auction
            fields = ("title",)

    class CountedAuctionForm(AuctionForm):
        most_per_owner = 3

    for form_class in (AuctionForm, CountedAuctionForm):
        auction = form_class(owner=user).instance
        assert (auction.seller, auction.winner) == (user, None)
    assert CountedAuctionForm(owner=user).key_of_owner() == "seller"


@isolate_apps("example")
def test_form_with_several_keys_to_users_names_owner_field_when_it_is_made(
    user: User, other_user: User
) -> None:
    class Letter(models.Model):  # noqa: DJ008
        author = models.ForeignKey(User, models.CASCADE, related_name="+")
        reader = models.ForeignKey(User, models.CASCADE, related_name="+")
        text = models.CharField(max_length=9)

        class Meta:
            app_label = "example"

    class LetterForm(PhotoModelForm):
        class Meta:
            model = Letter
            fields = ("text",)

    class CountedLetterForm(LetterForm):
        most_per_owner = 3

    class AuthorForm(CountedLetterForm):
        owner_field = "author"

    for form in (LetterForm, CountedLetterForm):
        with pytest.raises(ImproperlyConfigured, match=f"{form.__name__}: set owner_f"):
            form(owner=user)
    # Without a number, code may set both.
    both = Letter(author=user, reader=other_user)
    assert LetterForm(instance=both, owner=user).instance == both
    letter = AuthorForm(instance=Letter(reader=other_user), owner=user).instance
    assert (letter.author, letter.reader) == (user, other_user)


def test_unavailable_error_is_public() -> None:
    error = UnavailableError("quota", retry_after=5)
    assert (str(error), error.retry_after) == ("quota", 5)
