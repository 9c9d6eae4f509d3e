"""The people of the tests, and the objects of each app's owner."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import chain, count
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.db import IntegrityError, models, transaction

from secure_django.guard.access import (
    FURTHER_PEOPLE,
    PARAMETER,
    VIEWS,
    app_of,
    roles,
)
from secure_django.guard.asked import route_of
from secure_django.guard.counted import is_counted
from secure_django.guard.examples import example
from secure_django.guard.making import in_words, make_user, not_filled, seed
from secure_django.guard.marks import (
    MARKUP,
    PREFIX,
    SECRET,
    Mark,
    is_long,
    is_published,
    is_valid,
)
from secure_django.guard.objects import (
    Objects,
    has_objects,
    load_fixtures,
    make_objects,
    shared_models,
)
from secure_django.guard.parameters import values_of_routes
from secure_django.guard.pixel import PIXEL
from secure_django.guard.rows import (
    Values,
    all_keys,
    rows_since,
    update_row,
    users_of,
)
from secure_django.guard.tables import CONFIG, TABLES, functions, named
from secure_django.guard.users import EMAIL, HAS_EMAIL, HAS_STAFF

NOBODY = 2_147_483_647  # the number of no object: the largest that databases store


class World:
    """The objects of all apps, and the people: see secure_django/guard/access.py."""

    def __init__(self) -> None:
        load_fixtures()
        self.shared = shared_models()
        present_models = frozenset(self.shared)
        self.staff = {"staff": make_user(is_staff=True)} if HAS_STAFF else {}
        self.staff |= {name: make() for name, make in FURTHER_PEOPLE.items()}
        self.numbers = count()
        self.marks: list[Mark] = []
        self.hidden: dict[Any, list[Mark]] = {}  # by the key of the user
        self.objects: dict[str, Objects] = {}
        self.objects_of_other: dict[str, Objects] = {}
        self.values: dict[str, Values] = {}
        self.values_of_other: dict[str, Values] = {}
        # By the route: the values that no `objects` returns.
        self.guessed: dict[str, Values] = {}
        self.guessed_of_other: dict[str, Values] = {}
        # Apps whose `objects` works only once, and why.
        self.single: dict[str, str] = {}
        self.unfilled: list[str] = []  # what rows and people lack, in sentences
        self.rows: dict[str, list[models.Model]] = {}
        self.paths: defaultdict[str, list[str]] = defaultdict(list)  # of files
        # Texts that code reads, such as a photo's purpose.
        self.kept = named("KEPT")
        # Each app has people of its own: two apps may each give a user a profile.
        self.people = {app: self.make_people(app) for app in TABLES}
        self.strangers = self.make_people("")  # for pages of apps without a table
        for app in TABLES:
            self.make_objects(app)
            for row in self.rows[app]:
                self.mark_row(row, app)
        self.leave_out(self.shared - present_models)

    def leave_out(self, shared: set[type[models.Model]]) -> None:
        """Leave out rows that turned out to be shared when others' were made."""
        for app, rows in self.rows.items():
            self.rows[app] = [row for row in rows if type(row) not in shared]
        self.marks = [mark for mark in self.marks if type(mark.row) not in shared]

    def new_mark(self) -> str:
        return f"{PREFIX}{next(self.numbers):04}z"

    def make_people(self, app: str) -> dict[str, Any]:
        names = ["owner", "other", *roles(app)]
        return {name: self.make_person() for name in names}

    def make_person(self) -> Any:
        # A mark in place of the hash: no password fits it.
        password = self.new_mark()
        values = {"password": password}
        email = self.new_mark()
        if HAS_EMAIL:
            values[EMAIL] = f"{email}@example.com"
        user = make_user(**values)
        self.marks.append(Mark(password, user, "password", user.pk))
        if HAS_EMAIL:
            self.marks.append(Mark(email, user, EMAIL, user.pk))
        return user

    def make_objects(self, app: str) -> None:
        self.rows[app] = []
        if not has_objects(app):
            return
        before = all_keys()
        people = self.people[app]
        owner, other, *users_in_roles = people.values()
        for equip in functions("equip"):
            self.result(equip, owner)
        seed(app)  # not again: the other user's objects differ from the owner's
        made = make_objects(
            app, [owner, *users_in_roles], self.shared, lambda: rows_since(before)
        )
        self.objects[app] = made
        self.values[app] = made.values
        for row in [*rows_since(before), *made.taken]:
            self.unfilled += faults_of_filling(row, owner)
        self.rows[app] = [*rows_since(before), *made.taken]
        if CONFIG.makes_objects:
            self.guessed |= values_of_routes(app, made.rows, owner)
        before_other = all_keys()
        other_roles = [self.make_person() for _ in users_in_roles]
        try:
            with transaction.atomic():
                made_for_other = make_objects(
                    app,
                    [other, *other_roles],
                    self.shared,
                    lambda: rows_since(before_other),
                )
        except IntegrityError as error:
            self.single[app] = in_words(error)
            return
        self.objects_of_other[app] = made_for_other
        self.values_of_other[app] = made_for_other.values | self.separated(
            app, made_for_other.values, rows_since(before_other)
        )
        if CONFIG.makes_objects:
            other_rows = made_for_other.rows
            self.guessed_of_other |= values_of_routes(app, other_rows, other)

    def result(self, function: Callable[..., Any], *values: Any) -> Any:
        """Return what a table's function returns, or None. An error is said."""
        try:
            with transaction.atomic():
                return function(*values)
        except Exception as error:  # of a table
            place = f"{function.__name__}() of {function.__module__}"
            self.unfilled.append(f"{place} failed: {in_words(error)}")
            return None

    def separated(self, app: str, values: Values, rows: list[models.Model]) -> Values:
        """Give the other user's rows texts of their own for URLs, and return these.

        Of two rows with one text in the URL, a view finds none, or any.
        """
        texts = {name: value for name, value in values.items() if type(value) is str}
        known = self.values[app]
        own_texts = {}
        for name, text in texts.items():
            if text != known.get(name):
                continue
            for row in rows:
                if change_text(row, text, f"{text}2"):
                    own_texts[name] = f"{text}2"
        return own_texts

    def mark_row(self, row: models.Model, app: str) -> None:
        """Write marks into the texts and files of a row.

        Signals and save() do not notice this.
        """
        holder = self.holder(row, app)
        for field in row._meta.concrete_fields:
            text = self.try_to_mark(field, row, app)
            if text:
                self.marks.append(Mark(text, row, field.name, holder))
        for hide in functions("hide"):
            text = self.new_mark()
            hidden = self.result(hide, row, text) or {}
            for name, files in hidden.items():
                self.marks.append(Mark(text, row, name, holder))
                self.paths[app] += map(path_of, files)
        row.refresh_from_db()

    def try_to_mark(self, field: Any, row: models.Model, app: str) -> str | None:
        """Return the mark of a field. What prevents it is said."""
        try:
            with transaction.atomic():
                return self.mark_field(field, row, app)
        except Exception as error:  # of a field, a validator or a storage
            self.unfilled.append(not_filled(row, field.name, error))
            return None

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

    def accepted_text(
        self, field: Any, row: models.Model, app: str, mark: str
    ) -> str | None:
        """Return the mark in the form that a field takes, if it takes a user's text."""
        is_text = isinstance(field, models.CharField | models.TextField)
        is_name = isinstance(field, models.SlugField) or field.primary_key
        is_of_user = field.editable or getattr(field, "is_encrypted", False)
        if not is_text or is_name or field.choices or not is_of_user:
            return None
        label = f"{type(row).__name__}.{field.name}"
        value = getattr(row, field.attname)
        is_in_url = value in self.values_in_urls(app)
        if label in self.kept or is_in_url or is_counted(field):
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

    def hidden_from(self, user: Any) -> list[Mark]:
        """Return the marks that a user may not read without a reason."""
        person = user or AnonymousUser()
        if person.pk not in self.hidden:
            of_others = [mark for mark in self.marks if mark.holder != person.pk]
            name = self.name_of(user)
            self.hidden[person.pk] = [
                mark.exempted(user, name)
                for mark in of_others
                if not is_published(mark, person)
            ]
        return self.hidden[person.pk]

    def refresh(self) -> None:
        """Read the rows again, after something else has changed them."""
        for mark in self.marks:
            mark.row.refresh_from_db()
        self.hidden.clear()

    def person(self, name: str, route: str) -> Any:
        """Return the user of a column of the access table, or of another app's."""
        groups = [self.people_of(route), self.staff, *self.people.values()]
        return next((group[name] for group in groups if name in group), None)

    def name_of(self, user: Any) -> str:
        """Return the column of a user, or an empty text for one without a column."""
        if user is None:
            return "anonym"
        groups = [self.staff, *self.people.values(), self.strangers]
        names = {person.pk: name for group in groups for name, person in group.items()}
        return names.get(user.pk, "")

    def people_of(self, route: str) -> dict[str, Any]:
        return self.people.get(app_of(route), self.strangers)

    def values_on(self, route: str) -> Values:
        """Return the owner's values of a page: those of `objects` come first."""
        return self.guessed.get(route, {}) | self.values.get(app_of(route), {})

    def values_of_other_on(self, route: str) -> Values:
        values = self.values_of_other.get(app_of(route), {})
        return self.guessed_of_other.get(route, {}) | values

    def values_in_urls(self, app: str) -> list[Any]:
        guessed = [values.values() for values in self.guessed.values()]
        return [*self.values[app].values(), *chain(*guessed)]

    def url(self, route: str, **values: Any) -> str:
        """Fill a route with the given values, or else with the owner's."""
        values = self.values_on(route) | values
        return PARAMETER.sub(lambda match: str(values.get(match[1], NOBODY)), route)

    def secrets_of(self, route: str) -> list[str]:
        """Return the secrets of a URL, which whoever knows them may use."""
        values = self.values_on(route)
        names = filter(SECRET.search, PARAMETER.findall(route))
        secrets = [values[name] for name in names if name in values]
        return [str(secret) for secret in secrets if not isinstance(secret, int)]

    def route_of(self, url: str, default: str) -> str:
        """Return the route of a URL, if Django finds one."""
        route = route_of(url.partition("?")[0])
        return route if route in VIEWS else default

    def own_urls(self, route: str) -> list[str]:
        """Return the URL of the other user's own object, if it is not the owner's."""
        url = self.url(route, **self.values_of_other_on(route))
        return [url] if url != self.url(route) else []

    def mixed_urls(self, route: str) -> dict[str, str]:
        """Return URLs with one value of the other user's objects among the owner's.

        Each has the name of this value.
        """
        values = self.values_of_other_on(route)
        names = PARAMETER.findall(route)
        own = self.values_on(route)
        known_names = [name for name in names if name in values]
        differing = [name for name in known_names if values[name] != own.get(name)]
        # The slug beside a key names the same object once more.
        differing = [name for name in differing if not is_beside_key(name, differing)]
        if len(differing) < 2:
            return {}
        return {self.url(route, **{name: values[name]}): name for name in differing}


def is_beside_key(name: str, names: list[str]) -> bool:
    """Return whether a slug names the same object as one of the keys beside it.

    Those are pk, forum_pk and forum_id for forum_slug, and any key for slug.
    """
    if not name.endswith("slug"):
        return False
    prefix = re.escape(name.removesuffix("slug"))
    beside = re.compile(rf"pk|id|{prefix or '.+_'}(pk|id)")
    return any(beside.fullmatch(other) for other in names)


def faults_of_filling(row: models.Model, owner: Any) -> Iterator[str]:
    """Fill the fields of a row that are empty, and yield why one could not be."""
    for field in row._meta.concrete_fields:
        try:
            with transaction.atomic():
                fill(field, row, owner)
        except IntegrityError:
            continue  # some rows may have none
        except Exception as error:  # of an upload_to, a storage or a table
            yield not_filled(row, field.name, error)


def fill(field: Any, row: models.Model, owner: Any) -> None:
    """Fill a field that is empty: of a file or photo, or as a table says."""
    value = getattr(row, field.name)
    if value:
        return
    if isinstance(field, models.FileField):  # noqa: TID251  # of a recipe
        file = example(field, row.pk)
        value.save(file.name, file, save=False)
        value = value.name
    else:
        value = filled(field, owner)
    if value:
        update_row(row, {field.name: value})


def filled(field: Any, owner: Any) -> Any:
    """Return the value that a table has for an empty field, or None."""
    values = (fill(field, owner) for fill in functions("fill"))
    return next(filter(None, values), None)


def change_text(row: models.Model, text: str, new_text: str) -> bool:
    """Put another text in place of one in a row, and return whether it was there."""
    fields = [
        field.name
        for field in row._meta.concrete_fields
        if isinstance(field, models.CharField) and getattr(row, field.name) == text
    ]
    if fields:
        update_row(row, dict.fromkeys(fields, new_text))
        row.refresh_from_db()
    return bool(fields)


def path_of(name: str) -> str:
    return str(Path(settings.MEDIA_ROOT, name))


def overwrite(storage: Storage, name: str, text: str) -> None:
    content = text.encode()
    if name.endswith(".png"):
        content = PIXEL + content
    storage.delete(name)
    storage.save(name, ContentFile(content))
