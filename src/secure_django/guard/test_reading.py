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
    OWN_ROUTES,
    REFUSALS,
    ROLES,
    ROUTES,
    TABLES,
    app_of,
    is_asked,
    rule,
)
from secure_django.guard.findings import REASON, Findings, faults, shown, weak_cookies
from secure_django.guard.marks import MARK, Mark, all_values, users_of
from secure_django.guard.requests import EVIL, followed, questions, with_query
from secure_django.guard.sending import Answer, Sender
from secure_django.photos.models import Photo, Status, Verdict
from secure_django.user import User

COPIES = 150
MORE_QUERIES = 9  # those of page numbers, and a few for a list of another kind
SEARCH = (
    "Let the view, and the choices of its forms, search in what own() returns."
    " Show no email of a user."
)


@pytest.mark.control("V8.2.3")
@pytest.mark.parametrize("person", ["anonym", "other", "staff", *ROLES])
def test_no_page_shows_what_belongs_to_others(person: str, sender: Sender) -> None:
    """Neither pages nor lists, choices of forms, exports, JSON, emails or logs."""
    findings = Findings()
    # Approval may publish a photo, but nothing else of its owner.
    for status in (Status.PENDING, Status.APPROVED):
        change_photos(sender, status)
        for route in ROUTES:
            visit = Visit(sender, route, person, findings)
            url = sender.world.url(route)
            page = visit.open_page(url)
            if status == Status.APPROVED:
                continue
            if route not in OWN_ROUTES or not is_asked(person, route):
                visit.follow_page(page, url)
                continue
            visit.ask_page(page, url)
            visit.ask_caches(page, url)
            if person in {"other", *ROLES}:
                visit.mix_owners()
            if person == "other":
                visit.look_from_own_object()
    findings.report(SEARCH, REASON)


@pytest.mark.parametrize("person", ["anonym", "other", "staff", *ROLES])
def test_no_switch_shows_what_else_belongs_to_others(
    person: str, sender: Sender
) -> None:
    """A page that is open once `is_public` is true shows only what it is meant to."""
    findings = Findings()
    for app in TABLES:
        user = sender.world.people[app].get(person)
        rows = sender.world.rows[app]
        switches = [switch for row in rows for switch in switches_of(row, user)]
        usual = read_pages(sender, app, person) if switches else set()
        for switch in switches:
            with transaction.atomic():
                read = read_pages(sender, app, person) if switch.turn() else set()
                transaction.set_rollback(True)
            for sentence in read - usual:
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
                rows = type(self.row)._base_manager.filter(pk=self.row.pk)
                rows.update(**{self.name: self.value})
        except IntegrityError:
            return False
        return True


def switches_of(row: Model, user: User | None) -> Iterator[Switch]:
    is_about_user = user and users_of(row) == {user.pk}  # as a membership is
    # Photos have tests of their own.
    if is_about_user or isinstance(row, Photo | Verdict):
        return
    for field in row._meta.concrete_fields:
        values = [key for key, _ in field.flatchoices if key not in {"", None}]
        if isinstance(field, BooleanField):
            values = [True, False]
        for value in values:
            if value != getattr(row, field.name):
                yield Switch(row, field.name, value)


def read_pages(sender: Sender, app: str, person: str) -> set[str]:
    """Return what is found on the pages of an app."""
    findings = Findings()
    for route in OWN_ROUTES:
        if app_of(route) == app and is_asked(person, route):
            visit = Visit(sender, route, person, findings)
            visit.open_page(sender.world.url(route))
    return set(findings.people)


def change_photos(sender: Sender, status: Status) -> None:
    Photo.objects.update(status=status)
    for mark in sender.world.marks:
        if isinstance(mark.row, Photo):
            mark.row.status = status
    sender.state = all_values()


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
        self.hidden = self.world.hidden_from(self.user)

    def open_page(self, url: str) -> Answer:
        page = self.sender.send(self.user, url)
        self.read(page, self.route)
        return page

    def ask_page(self, page: Answer, url: str) -> None:
        for question, asked in questions(self.sender, self.route, url, page):
            self.ask(question, asked)

    def follow_page(self, page: Answer, url: str) -> None:
        for question, asked in followed(page, url, []):
            self.ask(question, asked)

    def ask_caches(self, page: Answer, url: str) -> None:
        """Open a page once more, just after its owner has opened it."""
        owner = self.world.people_of(self.route)["owner"]
        cached = self.sender.send(self.user, url, after=owner)
        hidden = self.hidden_on(self.route)
        for mark in set(shown(cached.text, hidden)) - set(shown(page.text, hidden)):
            sentence = f"{self.route} shows {mark.label} from a cache"
            self.findings.add(f"{sentence}: name the user in its key", self.person)

    def ask(self, question: str, asked: str) -> None:
        answer = self.sender.send(self.user, question)
        self.read(answer, self.world.route_of(question, self.route), asked)

    def mix_owners(self) -> None:
        for url in self.world.mixed_urls(self.route):
            if self.sender.send(self.user, url).outcome not in REFUSALS:
                sentence = f"{self.route} mixes the numbers of two owners"
                self.findings.add(sentence, self.person)

    def look_from_own_object(self) -> None:
        """Open the page of an own object, whose forms may name what is the owner's."""
        owner = self.world.people_of(self.route)["owner"]
        self.hidden = [mark for mark in self.hidden if mark.holder == owner.pk]
        for url in self.world.own_urls(self.route):
            self.ask_page(self.open_page(url), url)

    def hidden_on(self, route: str) -> list[Mark]:
        row = rule(route)
        known = self.world.url(route)  # with the token of a link
        return [
            mark
            for mark in self.hidden
            if mark.text not in known and not row.allows(self.person, mark.field)
        ]

    def read(self, answer: Answer, route: str, asked: str = "") -> None:
        """Add each mark in an answer that the person may not read."""
        row = rule(route)
        hidden = self.hidden_on(route)
        means = " by its path" if Path(asked).is_absolute() else ""
        for mark in shown(answer.text, hidden, asked):
            self.findings.add(f"{route} shows {mark.label}{means}", self.person)
        for mark in shown(answer.logs, hidden, asked):
            self.findings.add(f"{route} logs {mark.label}: log ids only", self.person)
        if EVIL in answer.logs:
            self.findings.add(f"{route} logs a parameter: log ids only", self.person)
        may_leave = route not in OWN_ROUTES or row.allows(self.person, "leaves")
        for fault in faults(answer, may_leave=may_leave):
            self.findings.add(f"{route} {fault}", self.person)
        if route not in OWN_ROUTES:
            return
        for fault in weak_cookies(answer):
            self.findings.add(f"{route} {fault}", self.person)
        for model in answer.written:
            sentence = f"GET {route} changes {model.__name__}: do so by POST"
            self.findings.add(sentence, self.person)
        if answer.mails:
            sentence = f"GET {route} sends an email: do so by POST"
            self.findings.add(sentence, self.person)


def test_pages_stay_as_quick_and_short_with_more_objects(sender: Sender) -> None:
    findings = Findings()
    world = sender.world
    routes = [route for route in OWN_ROUTES if route.count("<") < 2]
    for app in TABLES:
        pages = {route: world.url(route) for route in routes if app_of(route) == app}
        owner = world.people[app]["owner"]
        before = {route: sender.send(owner, url) for route, url in pages.items()}
        with transaction.atomic():
            users = add_users()
            for row in world.rows[app]:
                error = add_copies(row, users, world.kept)
                if error:
                    findings.add(f"{type(row).__name__} cannot be copied: {error}")
            for route, url in pages.items():
                page = sender.send(owner, url)
                if page.queries > before[route].queries + MORE_QUERIES:
                    findings.add(f"{route} asks the database once for each object")
                if most_repeated(page) > COPIES:
                    findings.add(f"{route} shows all objects at once")
                for name in sorted(sender.names[url]):
                    page = sender.send(owner, with_query(url, {name: 1000}))
                    if most_repeated(page) > COPIES:
                        findings.add(f"{route}?{name}=1000 shows all objects at once")
            transaction.set_rollback(True)
    findings.report(
        "Name what a list shows of other models in select_related or prefetch_related.",
        "Show a page of it at a time, by Paginator, as the app of `poe app` does.",
        "Only if no user has several of a model, name it in tests/table.py of the app:"
        ' KEPT = {"Note"}',
    )


def add_users() -> list[User]:
    emails = [f"copy{number}@example.com" for number in range(COPIES)]
    return User.objects.bulk_create([User(email=email) for email in emails])


def add_copies(row: Model, users: list[User], kept: set[str]) -> str:
    """Add a copy of a row for each user, and return why there can be none.

    A row that must be the only one for its foreign keys needs no copy.
    """
    model = type(row)
    keys = unique_keys(model)
    free = [[field for field in key if may_differ(field, kept)] for key in keys]
    if model.__name__ in kept or not all(free):
        return ""
    # Another user only if nothing else may differ: each page shows one user's.
    differing = {min(fields, key=lambda field: field.is_relation) for fields in free}
    copies = [
        model(**copied(row, differing, *numbered)) for numbered in enumerate(users)
    ]
    try:
        with transaction.atomic():
            model._base_manager.bulk_create(copies)
    except IntegrityError as error:
        return str(error)
    return ""


def unique_keys(model: type[Model]) -> list[set[Any]]:
    """Return the sets of fields of which no two rows may have the same values."""
    meta = model._meta
    single = [
        {field}
        for field in meta.concrete_fields
        if field.unique and (field.is_relation or not field.primary_key)
    ]
    constraints = [
        constraint
        for constraint in meta.constraints
        if isinstance(constraint, UniqueConstraint)
    ]
    several = [
        *meta.unique_together,
        *(constraint.fields for constraint in constraints if constraint.fields),
    ]
    return single + [{meta.get_field(name) for name in names} for names in several]


def may_differ(field: Any, kept: set[str]) -> bool:
    """Return whether each copy can have a value of its own."""
    if field.is_relation:
        return field.related_model is User
    is_kept = f"{field.model.__name__}.{field.name}" in kept or field.choices
    kinds = CharField, TextField, IntegerField, DateField, UUIDField
    return isinstance(field, kinds) and not is_kept


def copied(row: Model, differing: set[Any], number: int, user: User) -> dict[str, Any]:
    """Return the values of a copy."""
    values = {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if field.is_relation or not field.primary_key
    }
    for field in differing:
        value = values[field.attname]
        if field.is_relation:
            values[field.attname] = user.pk
        elif isinstance(field, UUIDField):
            values[field.attname] = uuid4()
        elif isinstance(field, IntegerField):
            values[field.attname] = (value or 0) + number + 1
        elif isinstance(field, DateField):
            values[field.attname] = value and value + timedelta(days=number + 1)
        else:
            values[field.attname] = f"{number}{value}"[: field.max_length]
    return values


def most_repeated(page: Answer) -> int:
    """Return the number of times that a page shows its most frequent mark."""
    text = re.sub("<option.*?</option>", "", page.text, flags=re.DOTALL)
    return max(Counter(MARK.findall(text)).values(), default=0)
