"""What each person reads: no page, email or log shows a mark (marks.py).

As in test_access.py, the people open every page, and send queries for what is the
owner's.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models import (
    BooleanField,
    CharField,
    DateField,
    IntegerField,
    Model,
    TextField,
    UniqueConstraint,
    UUIDField,
)

from secure_django.guard.access import (
    OTHERS,
    OWN_ROUTES,
    REFUSALS,
    ROLES,
    ROUTES,
    app_of,
    is_asked,
    rule,
)
from secure_django.guard.findings import REASON, Findings, faults, shown, weak_cookies
from secure_django.guard.marks import (
    MARK,
    Mark,
    Values,
    World,
    make_user,
    update_row,
    users_of,
)
from secure_django.guard.requests import EVIL, Query, followed, queries, with_query
from secure_django.guard.sending import Answer, Sender
from secure_django.guard.tables import CONFIG, TABLES, is_tested, listed
from secure_django.guard.users import User

COPIES = 150
MORE_QUERIES = 9  # those of page numbers, and a few for a list of another kind
SEARCH = (
    "Let the view, and the choices of its forms, search in what own() returns."
    " Show no email of a user."
)


@pytest.mark.control("V8.2.3")
@pytest.mark.parametrize("person", OTHERS)
def test_no_page_shows_what_belongs_to_others(person: str, sender: Sender) -> None:
    """Neither pages nor lists, choices of forms, exports, JSON, emails or logs."""
    findings = Findings()
    for route in ROUTES:
        with findings.going_on(route):
            visit = Visit(sender, route, person, findings)
            visit.search(visit.open_page(visit.url), visit.url)
    # Approval, for example, may publish a photo, but nothing else of its owner.
    for change in listed("SITUATIONS"):
        change()
        sender.refresh()
        open_pages(sender, person, findings)
    findings.report(SEARCH, REASON)


def open_pages(sender: Sender, person: str, findings: Findings) -> None:
    for route in ROUTES:
        with findings.going_on(route):
            visit = Visit(sender, route, person, findings)
            visit.open_page(visit.url)


@pytest.mark.parametrize("person", OTHERS)
def test_no_switch_shows_what_else_belongs_to_others(
    person: str, sender: Sender
) -> None:
    """A page that is open once `is_public` is true shows only what it is meant to."""
    findings = Findings()
    for app in TABLES:
        switches = switches_of_app(sender.world, app, person)
        usual = read_pages(sender, app, person) if switches else set()
        for switch in switches:
            for sentence in read_after(switch, sender, app, person) - usual:
                findings.add(f"Once {switch}, {sentence}", person)
    findings.report(SEARCH, REASON)


class Switch(NamedTuple):
    """A field that is yes or no, or a choice, and a value that objects() did not give.

    Such a field may open a page to others.
    """

    row: Model
    name: str
    value: Any

    def __str__(self) -> str:
        return f"{type(self.row).__name__}.{self.name} is {self.value}"

    def turn(self) -> bool:
        """Give the value to the row, and return whether it may have it."""
        try:
            with transaction.atomic():
                update_row(self.row, {self.name: self.value})
        except IntegrityError:
            return False
        return True


def switches_of_app(world: World, app: str, person: str) -> list[Switch]:
    user = world.people[app].get(person)
    rows = world.rows[app]
    return [switch for row in rows for switch in switches_of(row, user)]


def switches_of(row: Model, user: Any) -> Iterator[Switch]:
    is_about_user = user and users_of(row) == {user.pk}  # as a membership is
    if is_about_user or is_tested(row):
        return
    for field in row._meta.concrete_fields:
        for value in values_of_switch(field):
            if value != getattr(row, field.name):
                yield Switch(row, field.name, value)


def values_of_switch(field: Any) -> list[Any]:
    if isinstance(field, BooleanField):
        return [True, False]
    keys = [key for key, _ in field.flatchoices]
    return [key for key in keys if key not in {"", None}]


def read_after(switch: Switch, sender: Sender, app: str, person: str) -> set[str]:
    """Return what is found on the pages of an app once a field has another value."""
    with transaction.atomic():
        # It may decide who sees a photo, too.
        sender.world.hidden.clear()
        sentences = read_pages(sender, app, person) if switch.turn() else set()
        transaction.set_rollback(True)
    sender.world.hidden.clear()
    return sentences


def read_pages(sender: Sender, app: str, person: str) -> set[str]:
    """Return what is found on the pages of an app."""
    findings = Findings()
    for route in OWN_ROUTES:
        if app_of(route) == app and is_asked(person, route):
            visit = Visit(sender, route, person, findings)
            visit.open_page(sender.world.url(route))
    return findings.sentences()


class Visit:
    """What a person reads on a page, and by asking it for what is the owner's."""

    def __init__(
        self, sender: Sender, route: str, person: str, findings: Findings
    ) -> None:
        self.sender = sender
        self.world = sender.world
        self.route = route
        self.person = person
        self.findings = findings
        self.user = self.world.person(person, route)
        self.url = self.world.url(route)
        self.hidden = self.world.hidden_from(self.user)

    def add(self, sentence: str) -> None:
        self.findings.add(sentence, self.person)

    def search(self, page: Answer, url: str) -> None:
        """Look in every way for what is the owner's."""
        if self.route not in OWN_ROUTES or not is_asked(self.person, self.route):
            self.follow_page(page, url)
            return
        self.ask_page(page, url)
        self.ask_caches(page, url)
        if self.person in {"other", *ROLES}:
            self.mix_owners()
        if self.person == "other":
            self.look_from_own_object()

    def open_page(self, url: str) -> Answer:
        page = self.sender.send(self.user, url)
        self.read(page, self.route)
        return page

    def ask_page(self, page: Answer, url: str) -> None:
        for query in queries(self.sender, self.route, url, page):
            self.ask(query)

    def follow_page(self, page: Answer, url: str) -> None:
        for query in followed(page, url, []):
            self.ask(query)

    def ask_caches(self, page: Answer, url: str) -> None:
        """Open a page once more, just after its owner has opened it."""
        owner = self.world.people_of(self.route)["owner"]
        cached = self.sender.send(self.user, url, after=owner)
        hidden = self.hidden_on(self.route)
        usual_marks = set(shown(page.text, hidden))
        for mark in set(shown(cached.text, hidden)) - usual_marks:
            sentence = f"{self.route} shows {mark.label} from a cache"
            self.add(f"{sentence}: name the user in its key")

    def ask(self, query: Query) -> None:
        answer = self.sender.send(self.user, query.url)
        route = self.world.route_of(query.url, self.route)
        self.read(answer, route, query.asked)

    def mix_owners(self) -> None:
        for url in self.world.mixed_urls(self.route):
            if self.sender.send(self.user, url).outcome not in REFUSALS:
                self.add(f"{self.route} mixes the numbers of two owners")

    def look_from_own_object(self) -> None:
        """Open the page of an own object, whose forms may name what is the owner's."""
        owner_key = self.world.people_of(self.route)["owner"].pk
        self.hidden = [mark for mark in self.hidden if mark.holder == owner_key]
        for url in self.world.own_urls(self.route):
            self.ask_page(self.open_page(url), url)

    def hidden_on(self, route: str) -> list[Mark]:
        row = rule(route)
        known_url = self.world.url(route)  # with the token of a link
        secret_marks = [mark for mark in self.hidden if mark.text not in known_url]
        return [
            mark for mark in secret_marks if not row.allows(self.person, mark.field)
        ]

    def read(self, answer: Answer, route: str, asked: str = "") -> None:
        """Add each mark in an answer that the person may not read."""
        row = rule(route)
        hidden = self.hidden_on(route)
        means = " by its path" if Path(asked).is_absolute() else ""
        for mark in shown(answer.text, hidden, asked):
            self.add(f"{route} shows {mark.label}{means}")
        if "logs" in CONFIG.rules:
            self.read_logs(answer, route, asked)
        may_leave = route not in OWN_ROUTES or row.allows(self.person, "leaves")
        for fault in faults(answer, may_leave=may_leave):
            self.add(f"{route} {fault}")
        if route in OWN_ROUTES:
            self.add_effects(answer, route)

    def read_logs(self, answer: Answer, route: str, asked: str) -> None:
        for mark in shown(answer.logs, self.hidden_on(route), asked):
            self.add(f"{route} logs {mark.label}: log ids only")
        if EVIL in answer.logs:
            self.add(f"{route} logs a parameter: log ids only")

    def add_effects(self, answer: Answer, route: str) -> None:
        for fault in weak_cookies(answer):
            self.add(f"{route} {fault}")
        for model in answer.written:
            self.add(f"GET {route} changes {model.__name__}: do so by POST")
        if answer.mails:
            self.add(f"GET {route} sends an email: do so by POST")


@pytest.mark.rule("lists")
def test_pages_stay_as_quick_and_short_with_more_objects(sender: Sender) -> None:
    findings = Findings()
    world = sender.world
    for app in TABLES:
        routes = [route for route in OWN_ROUTES if app_of(route) == app]
        pages = [MeasuredPage(sender, route) for route in routes if is_list(route)]
        with transaction.atomic():
            copy_rows(world.rows[app], world.kept, findings)
            for page in pages:
                page.compare(findings)
            transaction.set_rollback(True)
    findings.report(
        "Name what a list shows of other models in select_related or prefetch_related.",
        "Show a page of it at a time, by Paginator, as the app of `poe app` does.",
        "Only if no user has several of a model, name it in tests/table.py of the app:"
        ' KEPT = {"Note"}',
    )


def is_list(route: str) -> bool:
    """Return whether a page may list objects: those of an owner, or of one object."""
    return route.count("<") < 2


class MeasuredPage:
    """A page as its owner sees it, before and after there are more objects."""

    def __init__(self, sender: Sender, route: str) -> None:
        self.sender = sender
        self.route = route
        self.url = sender.world.url(route)
        self.owner = sender.world.people_of(route)["owner"]
        self.queries = sender.send(self.owner, self.url).queries

    def compare(self, findings: Findings) -> None:
        """Add what grows with the number of objects."""
        page = self.sender.send(self.owner, self.url)
        if page.queries > self.queries + MORE_QUERIES:
            findings.add(f"{self.route} asks the database once for each object")
        if most_repeated(page) > COPIES:
            findings.add(f"{self.route} shows all objects at once")
        for name in sorted(self.sender.names[self.url]):
            url = with_query(self.url, {name: 1000})
            if most_repeated(self.sender.send(self.owner, url)) > COPIES:
                findings.add(f"{self.route}?{name}=1000 shows all objects at once")


def copy_rows(rows: list[Model], kept: set[str], findings: Findings) -> None:
    """Copy each row for many users."""
    users = add_users()
    for row in rows:
        error = add_copies(row, users, kept)
        if error:
            findings.add(f"{type(row).__name__} cannot be copied: {error}")


def add_users() -> list[Any]:
    return [make_user() for _ in range(COPIES)]


def add_copies(row: Model, users: list[Any], kept: set[str]) -> str:
    """Add a copy of a row for each user, and return why there can be none.

    A row that must be the only one for its foreign keys needs no copy.
    """
    model = type(row)
    differing = [differing_field(key, kept) for key in unique_keys(model)]
    if model.__name__ in kept or None in differing:
        return ""
    copies = []
    for number, user in enumerate(users):
        values = copied(row, {*differing}, number, user)
        copies.append(model(**values))
    try:
        with transaction.atomic():
            model._base_manager.bulk_create(copies)
    except IntegrityError as error:
        return str(error)
    return ""


def unique_keys(model: type[Model]) -> list[set[Any]]:
    """Return the sets of fields of which no two rows may have the same values."""
    meta = model._meta
    fields = [field for field in meta.concrete_fields if is_copied(field)]
    keys: list[set[Any]] = [{field} for field in fields if field.unique]
    constraints = [
        constraint.fields
        for constraint in meta.constraints
        if isinstance(constraint, UniqueConstraint)
    ]
    for names in filter(None, [*meta.unique_together, *constraints]):
        keys.append({meta.get_field(name) for name in names})
    return keys


def is_copied(field: Any) -> bool:
    """Return whether a copy has the value of a field, unlike a key of its own."""
    return field.is_relation or not field.primary_key


def differing_field(key: set[Any], kept: set[str]) -> Any:
    """Return the field of a unique key in which copies differ, if one may.

    It is another user only if nothing else may differ: each page shows one user's.
    """
    fields = [field for field in key if may_differ(field, kept)]
    return min(fields, key=lambda field: field.is_relation, default=None)


def may_differ(field: Any, kept: set[str]) -> bool:
    """Return whether each copy can have a value of its own."""
    if field.is_relation:
        return field.related_model is User
    label = f"{field.model.__name__}.{field.name}"
    if field.choices or label in kept:
        return False
    kinds = CharField, TextField, IntegerField, DateField, UUIDField
    return isinstance(field, kinds)


def copied(row: Model, differing: set[Any], number: int, user: Any) -> Values:
    """Return the values of a copy."""
    names = [field.attname for field in row._meta.concrete_fields if is_copied(field)]
    values = {name: getattr(row, name) for name in names}
    for field in differing:
        value = values[field.attname]
        values[field.attname] = differing_value(field, value, number, user)
    return values


def differing_value(field: Any, value: Any, number: int, user: Any) -> Any:
    """Return a value that no other copy has."""
    if field.is_relation:
        return user.pk
    if isinstance(field, UUIDField):
        return uuid4()
    if isinstance(field, IntegerField):
        return (value or 0) + number + 1
    if isinstance(field, DateField):
        return value and value + timedelta(days=number + 1)
    return f"{number}{value}"[: field.max_length]


def most_repeated(page: Answer) -> int:
    """Return the number of times that a page shows its most frequent mark."""
    text = re.sub("<option.*?</option>", "", page.text, flags=re.DOTALL)
    counts = Counter(MARK.findall(text))
    return max(counts.values(), default=0)
