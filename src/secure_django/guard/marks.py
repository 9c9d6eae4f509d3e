"""The objects of each app's owner: their texts and files are marks.

A page with a mark shows what only the owner may read, unless its row in the access
table says who else may, and why.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, default_storage
from django.db import IntegrityError, models, transaction

from secure_django.encryption import EncryptedTextField
from secure_django.guard.access import (
    APPS,
    OWN_ROUTES,
    TABLES,
    app_of,
    is_own_app,
    roles,
)
from secure_django.photos.fields import PhotoField
from secure_django.photos.images import VARIANTS
from secure_django.photos.models import Photo
from secure_django.testing.photos import create_photo
from secure_django.user import User

type Key = tuple[type[models.Model], Any]
type Values = dict[str, Any]
type State = dict[Key, Values]

PREFIX = "m4rk"
MARK = re.compile(rf"{PREFIX}\d\d\d\dz")
PARAMETER = re.compile(r"<(\w+)>")  # of a route
MARKUP = "<m4rk>"  # behind a mark: neither a template nor a sanitizer lets it through
SECRET = re.compile(r"password|secret|token|hash|key|code")
OWN_APPS = [app for app in APPS if is_own_app(app)]
# Packages with a table too: pages of this project show photos.
APPS_WITH_OBJECTS = [app for app in APPS if is_own_app(app) or app.name in TABLES]
OWN_MODELS = [
    model
    for app in APPS_WITH_OBJECTS
    for model in app.get_models(include_auto_created=True)
]


class Mark(NamedTuple):
    """A text that only its holder may read."""

    text: str
    row: models.Model
    field: str
    holder: Any  # the key of a user

    @property
    def label(self) -> str:
        return f"{type(self.row).__name__}.{self.field}"


class World:
    """The objects of all apps, and the people: see secure_django/guard/access.py."""

    def __init__(self, **staff: User) -> None:
        self.staff = staff
        self.numbers = count()
        self.marks: list[Mark] = []
        self.values: dict[str, Values] = {}
        self.values_of_other: dict[str, Values] = {}
        self.single: list[str] = []  # apps whose `objects` works only once
        self.rows: dict[str, list[models.Model]] = {}
        self.paths: defaultdict[str, list[str]] = defaultdict(list)  # of files
        # Texts that code reads, such as a photo's purpose.
        self.kept = named_in_tables("KEPT")
        # Each app has people of its own: two apps may each give a user a profile.
        self.people = {app: self.make_people(app) for app in TABLES}
        for app in TABLES:
            self.make_objects(app)
            for row in self.rows[app]:
                self.mark_row(row, app)
        pages = {self.url(route): route for route in OWN_ROUTES}
        self.routes: dict[str, str] = pages

    def new_mark(self) -> str:
        return f"{PREFIX}{next(self.numbers):04}z"

    def make_people(self, app: str) -> dict[str, User]:
        names = ["owner", "other", *roles(app)]
        return {name: self.make_person() for name in names}

    def make_person(self) -> User:
        email = self.new_mark()
        password = self.new_mark()
        # A mark in place of the hash: no password fits it.
        user = User.objects.create(email=f"{email}@example.com", password=password)
        self.marks.append(Mark(email, user, "email", user.pk))
        self.marks.append(Mark(password, user, "password", user.pk))
        return user

    def make_objects(self, app: str) -> None:
        self.rows[app] = []
        make = getattr(TABLES[app], "objects", None)
        if make is None:
            return
        before = all_values()
        people = self.people[app]
        owner, other, *users_in_roles = people.values()
        create_photo(owner)  # for a view that finds photos, or files by their path
        self.values[app] = make(owner, *users_in_roles)
        for row in rows_since(before):
            add_files(row, owner)
        self.rows[app] = rows_since(before)
        other_roles = [self.make_person() for _ in users_in_roles]
        try:
            with transaction.atomic():
                self.values_of_other[app] = make(other, *other_roles)
        except IntegrityError:
            self.single.append(app)

    def mark_row(self, row: models.Model, app: str) -> None:
        """Write marks into the texts and files of a row.

        Signals and save() do not notice this.
        """
        holder = self.holder(row, app)
        for field in row._meta.concrete_fields:
            text = self.mark_field(field, row, app)
            if text:
                self.marks.append(Mark(text, row, field.name, holder))
        if isinstance(row, Photo):
            text = self.mark_image(row, app)
            self.marks.append(Mark(text, row, "image", holder))
        row.refresh_from_db()

    def mark_field(self, field: Any, row: models.Model, app: str) -> str | None:
        """Return the mark of a field, unless it has none.

        A secret that code looks up stays as it is, and is the mark.
        """
        value = getattr(row, field.attname)
        mark = self.new_mark()
        if isinstance(field, models.FileField):  # noqa: TID251  # of a recipe
            return self.mark_file(value, app, mark) if value else None
        text = self.accepted_text(field, row, app, mark)
        if text:
            update_row(row, {field.name: text})
            return mark
        is_secret = SECRET.search(field.name) and is_long(value)
        return str(value) if is_secret else None

    def mark_file(self, file: Any, app: str, mark: str) -> str:
        overwrite(file.storage, file.name, mark)
        self.paths[app].append(path_of(file.name))
        return mark

    def mark_image(self, photo: Photo, app: str) -> str:
        """Write a mark in place of each variant of a photo."""
        mark = self.new_mark()
        sizes = {f"{variant}_size": len(mark) for variant in VARIANTS}
        Photo.objects.filter(pk=photo.pk).update(**sizes)
        for variant in VARIANTS:
            overwrite(default_storage, photo.path(variant), mark)
        display_path = path_of(photo.path("display"))
        self.paths[app].append(display_path)
        return mark

    def accepted_text(
        self, field: Any, row: models.Model, app: str, mark: str
    ) -> str | None:
        """Return the mark in the form that a field takes, if it takes a user's text."""
        is_text = isinstance(field, models.CharField | models.TextField)
        is_name = isinstance(field, models.SlugField) or field.primary_key
        is_of_user = field.editable or isinstance(field, EncryptedTextField)
        if not is_text or is_name or field.choices or not is_of_user:
            return None
        label = f"{type(row).__name__}.{field.name}"
        value = getattr(row, field.attname)
        is_in_url = value in self.values[app].values()
        if label in self.kept or is_in_url:
            return None
        texts = [f"{mark}{MARKUP}", mark]
        if isinstance(field, models.EmailField):
            texts = [f"{mark}@example.com"]
        elif isinstance(field, models.URLField):
            texts = [f"https://{mark}.example/"]
        return next((text for text in texts if is_valid(field, row, text)), None)

    def holder(self, row: models.Model, app: str) -> Any:
        """Return the key of the user to whom a row belongs: the owner first."""
        user_keys = users_of(row)
        people = self.people[app].values()
        keys = [person.pk for person in people]
        return next((key for key in keys if key in user_keys), keys[0])

    def hidden_from(self, user: User | None) -> list[Mark]:
        """Return the marks that a user may not read without a reason."""
        person = user or AnonymousUser()
        marks_of_others = [mark for mark in self.marks if mark.holder != person.pk]
        return [mark for mark in marks_of_others if not is_published(mark, person)]

    def person(self, name: str, route: str) -> User | None:
        """Return the user of a column of the access table, or of another app's."""
        groups = [self.people_of(route), self.staff, *self.people.values()]
        return next((group[name] for group in groups if name in group), None)

    def people_of(self, route: str) -> dict[str, User]:
        return self.people.get(app_of(route), self.people["secure_django.login"])

    def url(self, route: str, **values: Any) -> str:
        """Fill a route with the given values, or else with the owner's."""
        values = self.values.get(app_of(route), {}) | values
        # No object has the number 0.
        return PARAMETER.sub(lambda match: str(values.get(match[1], 0)), route)

    def secrets_of(self, route: str) -> list[str]:
        """Return the secrets of a URL, which whoever knows them may use."""
        values = self.values.get(app_of(route), {})
        names = filter(SECRET.search, PARAMETER.findall(route))
        secrets = [values[name] for name in names if name in values]
        return [str(secret) for secret in secrets if not isinstance(secret, int)]

    def route_of(self, url: str, default: str) -> str:
        """Return the route of a URL, if it is one of the owner's."""
        return self.routes.get(url.partition("?")[0], default)

    def own_urls(self, route: str) -> list[str]:
        """Return the URL of the other user's own object, if it is not the owner's."""
        values = self.values_of_other.get(app_of(route), {})
        url = self.url(route, **values)
        return [url] if url != self.url(route) else []

    def mixed_urls(self, route: str) -> list[str]:
        """Return URLs with one value of the other user's objects among the owner's."""
        values = self.values_of_other.get(app_of(route), {})
        names = PARAMETER.findall(route)
        own = self.values.get(app_of(route), {})
        differing = [name for name in names if values.get(name) != own.get(name)]
        if len(differing) < 2:
            return []
        return [self.url(route, **{name: values[name]}) for name in differing]


def rows_since(before: State) -> list[models.Model]:
    new_keys = all_values().keys() - before.keys()
    sorted_keys = sorted(new_keys, key=names_of_key)
    return [model._base_manager.get(pk=pk) for model, pk in sorted_keys]


def names_of_key(key: Key) -> tuple[str, str]:
    model, pk = key
    return model.__name__, str(pk)


def add_files(row: models.Model, owner: User) -> None:
    """Fill the fields of files and photos that are empty."""
    for field in row._meta.concrete_fields:
        value = getattr(row, field.name)
        if value:
            continue
        if isinstance(field, PhotoField):
            value = create_photo(owner, field.purpose)
        elif isinstance(field, models.FileField):  # noqa: TID251  # of a recipe
            value.save("paper.pdf", ContentFile(b""), save=False)
            value = value.name
        else:
            continue
        # Some rows may have none.
        with suppress(IntegrityError), transaction.atomic():
            update_row(row, {field.name: value})


def update_row(row: models.Model, values: Values) -> None:
    """Write values past signals and save()."""
    rows = type(row)._base_manager.filter(pk=row.pk)
    rows.update(**values)


def is_long(value: object) -> bool:
    """Return whether a value is too long to be guessed."""
    return len(str(value)) >= 16


def named_in_tables(name: str) -> set[str]:
    entries = [getattr(table, name, ()) for table in TABLES.values()]
    return set().union(*entries)


def is_valid(field: Any, row: models.Model, value: str) -> bool:
    try:
        field.clean(value, row)
    except ValidationError:
        return False
    return True


def path_of(name: str) -> str:
    return str(Path(settings.MEDIA_ROOT, name))


def overwrite(storage: Storage, name: str, text: str) -> None:
    storage.delete(name)
    storage.save(name, ContentFile(text.encode()))


def is_published(mark: Mark, person: User | AnonymousUser) -> bool:
    """Return whether the purpose of an approved photo shows it to a person."""
    photo = mark.row
    if not isinstance(photo, Photo) or mark.field not in {"title", "image"}:
        return False
    return photo.is_visible_to(person)


def users_of(row: models.Model) -> set[Any]:
    """Return the keys of the users whom a row names."""
    fields = row._meta.concrete_fields
    names = [field.attname for field in fields if field.related_model is User]
    values = {getattr(row, name) for name in names} - {None}
    return values | {row.pk} if isinstance(row, User) else values


def all_values() -> State:
    """Return each row of this project's models."""
    return {(model, row["pk"]): row for model in OWN_MODELS for row in values_of(model)}


def values_of(model: type[models.Model]) -> Iterator[Values]:
    names = [field.attname for field in model._meta.concrete_fields]
    yield from model._base_manager.values("pk", *names)
