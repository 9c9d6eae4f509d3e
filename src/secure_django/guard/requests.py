"""Requests that may change something: forms, and JSON."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db.models import Model, TextField
from django.utils.text import slugify

from secure_django.guard.files import UPLOADS, table_of
from secure_django.guard.forms import fields_on, fitting_values, image_names
from secure_django.guard.marks import SECRET
from secure_django.guard.names import headings_of_view, texts_of_view
from secure_django.guard.numbers import is_quantity, odd_numbers, quantities_of
from secure_django.guard.parameters import attribute
from secure_django.guard.rows import Values
from secure_django.guard.sending import MOST_NAMES, Answer, Sender
from secure_django.guard.typed import EVIL_HOST, LONG, OUTSIDER, TEXT
from secure_django.guard.users import email_of
from secure_django.guard.values import (
    ANY_KEY,
    TARGETS,
    addresses_for,
    forbidden_values,
    reached_rows,
    rights_in,
    texts_of_row,
    user_keys_in,
    with_keys_of,
    with_text,
    without_none,
)

METHODS = ("post", "put", "patch", "delete")
# How a page answers a person for whom it is not, whatever they send.
SAME_FOR_ALL = {"401", "403", "404", "405", "log-in"}


class Request(NamedTuple):
    """A request that may change something."""

    method: str
    options: Values
    sent: Values  # by the names of fields
    offered: frozenset[str] = frozenset()  # the names of fields in the page's own form


def requests(sender: Sender, route: str, url: str, user: Any) -> Iterator[Request]:
    """Yield what a user sends to change what belongs to the owner."""
    payloads = Payloads(sender, route, url, user)
    offered = frozenset(payloads.fitting)
    for request in requests_of(payloads):
        yield request._replace(offered=offered)


def requests_of(payloads: "Payloads") -> Iterator[Request]:
    """Yield the requests of a page. The answers to the first decide on the others."""
    sender = payloads.sender
    outcomes = set()
    for request in payloads.first():
        yield request
        outcomes.add(sender.last.outcome)
        payloads.note(sender.last)
    is_refused = len(outcomes - {"405"}) == 1 and outcomes <= SAME_FOR_ALL
    is_mixed = payloads.url in sender.world.mixed_urls(payloads.route)
    if not is_refused and not is_mixed and not payloads.is_ignored():
        yield from payloads.others()


class Payloads:
    """What a user sends to a page, to change what belongs to the owner.

    The owner sends the same, with the keys of another user.
    """

    def __init__(self, sender: Sender, route: str, url: str, user: Any) -> None:
        world = sender.world
        people = world.people_of(route)
        owner = people["owner"]
        self.sender = sender
        self.route = route
        self.url = url
        self.victim = people["other"] if user == owner else owner
        self.rows = reached_rows(world, route)
        page_of_owner = sender.send(owner, world.url(route))
        is_seen = user == owner and url == world.url(route)
        page = page_of_owner if is_seen else sender.send(user, url)
        self.pages = [page_of_owner, page]
        self.has_effects = False
        self.has_read = False  # whether the view has read of a query, form or body
        self.images = image_names(page_of_owner)
        # What the forms of the page take, and all of what is the owner's besides.
        self.fitting = fitting_values(page_of_owner) | fitting_values(page)
        forbidden_base = forbidden_values(world, route, self.victim)
        self.base = self.fitting | forbidden_base
        bodies = [with_keys_of(row, self.base) for row in self.rows]
        self.forbidden = without_copies(bodies or [self.base])
        filled_in = [*self.filled_in()]
        self.likely = [*self.forbidden, *filled_in][-1]
        self.bodies = without_copies([*self.forbidden, *filled_in])

    def first(self) -> Iterator[Request]:
        """Yield a query, forms, and an object in JSON, by each method that takes it.

        A view that reads nothing of a form does the same with each.
        """
        yield self.query()
        first_body, *bodies = self.bodies
        yield self.post(first_body)
        for body in bodies if self.has_read or self.has_effects else ():
            if self.is_read(differing_names(body, first_body)):
                yield self.post(body)
        for method in METHODS:
            yield Request(method, json_options(self.forbidden[0]), self.forbidden[0])

    def is_read(self, names: set[str]) -> bool:
        """Return whether the view has read one of the names, or more than are kept."""
        read_names = self.sender.names[self.url]
        return not names.isdisjoint(read_names) or len(read_names) >= MOST_NAMES

    def note(self, answer: Answer) -> None:
        """Note whether a request of the first had an effect."""
        usual = self.pages[1]
        self.has_read = self.has_read or answer.has_read
        is_other = answer.outcome != usual.outcome and answer.outcome != "405"
        if is_other or answer.changes or answer.mails or answer.files:
            self.has_effects = True

    def is_ignored(self) -> bool:
        """Return whether the view does the same whatever the method and the form."""
        names = self.sender.names[self.url] | self.sender.file_names[self.url]
        has_read = bool(names) or self.url in self.sender.read_bodies
        return not self.has_effects and not has_read and not self.fitting

    def others(self) -> Iterator[Request]:
        yield from self.forms_with_files()
        yield from self.searches()
        yield self.long_form()
        yield self.form_to_victim()
        yield from self.form_as_read()
        yield from self.numbers()
        yield from self.forms_with_query()
        yield from self.commands()
        yield from self.json()

    def post(self, body: Values, files: Values | None = None) -> Request:
        """Return a form with an image in each field that stores a new one."""
        data = self.form_data(body) | (files or {})
        return Request("post", {"data": data}, body)

    def form_data(self, values: Values) -> Values:
        images = {name: UPLOADS[1].file() for name in self.images}
        return without_none(values) | images

    def filled_in(self) -> Iterator[Values]:
        """Yield values that forms take: alone, with another owner, rights or keys."""
        if not self.fitting:
            return
        yield self.fitting
        values = self.base | self.fitting
        victim_key = self.victim.pk
        owners = {name: key for name, key in self.base.items() if key == victim_key}
        yield values | owners
        yield values | rights_in(self.base)
        keys = [name for name in self.fitting if name.endswith("-id")]  # of formsets
        for row in self.rows if keys else ():
            yield values | dict.fromkeys(keys, str(row.pk))
        yield values

    def query(self) -> Request:
        body = self.forbidden[0]
        return Request("get", {"data": without_none(body)}, body)

    def forms_with_files(self) -> Iterator[Request]:
        """Yield each kind of file with what the form takes, and a table with all."""
        # The names that the view has read so far.
        names = self.sender.file_names[self.url] - self.images
        if not names:
            return
        # The fields of the form alone: a view may have other forms, by their buttons.
        for body in without_copies([self.forbidden[0], self.likely, self.fitting]):
            for upload in UPLOADS:
                yield self.post(body, {name: upload.file() for name in names})
        for body in self.bodies:
            yield self.post(body, {name: table_of(body).file() for name in names})
        for cells in self.imported():
            files = {name: table_of(cells).file() for name in names}
            yield self.post(self.fitting, files)

    def imported(self) -> Iterator[Values]:
        """Yield the cells of a row of the owner for each heading in the view's code."""
        for heading in headings_of_view(self.route):
            known = [cells_of(row, heading) for row in self.rows]
            if known:
                yield max(known, key=lambda cells: sum(map(bool, cells.values())))

    def searches(self) -> Iterator[Request]:
        """Yield the texts of the owner's objects, without secrets."""
        names = [name for name in self.base if not SECRET.search(name)]
        values = {name: self.base[name] for name in names}
        for texts in self.searched_texts():
            yield self.post(values | texts)
            if self.url in self.sender.read_bodies:
                yield Request("post", json_options(texts), texts)

    def searched_texts(self) -> list[Values]:
        """Return the texts of all rows by the names that the view reads, each once."""
        names = self.sender.names[self.url]
        by_row = [texts_of_row(row) for row in self.rows]
        known = [{name: row[name] for name in row.keys() & names} for row in by_row]
        return without_copies([texts for texts in known if texts])

    def long_form(self) -> Request:
        data = self.form_data(lengthened(self.likely, self.pages))
        return Request("post", {"data": data}, self.likely)

    def form_as_read(self) -> Iterator[Request]:
        """Yield a form with what the view has read so far, and no form offers."""
        names = self.sender.names[self.url] - self.likely.keys()
        if names:
            texts: Values = dict.fromkeys(names, TEXT)
            yield self.post(self.likely | texts | addresses_for(names))

    def form_to_victim(self) -> Request:
        names = [name for name, value in self.likely.items() if value == OUTSIDER]
        emails = dict.fromkeys(names, email_of(self.victim))
        return self.post(self.likely | emails)

    def numbers(self) -> Iterator[Request]:
        """Yield a form for each quantity, with a number that it should not take."""
        names = {name for row in self.rows for name in quantities_of(row)}
        sent_names = self.likely.keys() | self.sender.names[self.url]
        read_names = set(filter(is_quantity, self.sender.names[self.url]))
        for name in sorted((names & sent_names) | read_names):
            for number in odd_numbers(name):
                yield self.post(self.likely | {name: number})

    def forms_with_query(self) -> Iterator[Request]:
        """Yield a form whose URL has a key in each parameter that the view reads."""
        keys = {self.victim.pk, *(row.pk for row in self.rows)}
        for key in set(map(str, keys)):
            query = dict.fromkeys(self.sender.names[self.url], key)
            yield self.form_with_query(query)
        targets = TARGETS & self.sender.names[self.url]
        if targets:
            yield self.form_with_query(dict.fromkeys(targets, EVIL_HOST))

    def form_with_query(self, query: Values) -> Request:
        data = self.form_data(self.likely)
        return Request("post", {"data": data, "query_params": query}, self.likely)

    def commands(self) -> Iterator[Request]:
        """Yield the texts that code compares with, as in action == "delete".

        Instead of a text, each may take a key.
        """
        values = self.base
        for row in self.rows:
            values = with_keys_of(row, values, named_only=True)
        names = self.sender.names[self.url] - self.fitting.keys()
        free_names = {name for name in names if values.get(name) == TEXT}
        if not free_names:
            return
        keys = {str(row.pk) for row in self.rows}
        has_key = any(ANY_KEY.fullmatch(name) for name in free_names)
        bodies = [with_keys_of(row, values) for row in self.rows]
        bodies = without_copies(bodies if has_key else bodies[:1])
        for text in sorted(texts_of_view(self.route) | keys):
            yield from self.command(text, free_names, bodies)

    def command(
        self, text: str, names: set[str], bodies: list[Values]
    ) -> Iterator[Request]:
        """Yield a text with the keys of each row, if the view compares with it."""
        sender = self.sender
        usual = sender.last
        for body in bodies:
            texts = with_text(body, names, text)
            lists = {name: [text, text] for name in texts.keys() & sender.list_names}
            yield self.post(body | texts | lists)
            if not differs(sender.last, usual):
                break

    def json(self) -> Iterator[Request]:
        """Yield what a view may do that reads the body of a request by itself."""
        if self.url not in self.sender.read_bodies:
            return
        for method in METHODS:
            for content, body in json_contents(self.forbidden, self.victim):
                yield Request(method, json_options(content), body)
            yield from self.nested_json(method)

    def nested_json(self, method: str) -> Iterator[Request]:
        """Yield a list of objects for each name that the view reads beside fields."""
        body = self.forbidden[0]
        names = self.sender.names[self.url]
        for name in sorted(name for name in names if body.get(name, TEXT) == TEXT):
            yield Request(method, json_options(body | {name: [body]}), body)


def json_options(content: Any) -> Values:
    text = json.dumps(content, default=str)
    return {"data": text, "content_type": "application/json"}


def json_contents(bodies: list[Values], victim: Any) -> Iterator[tuple[Any, Values]]:
    """Yield what is sent as JSON, each with the values that it is about."""
    for body in bodies:
        rights = rights_in(body) | user_keys_in(body, victim)
        texts = {name: value for name, value in body.items() if value == TEXT}
        yield body, body
        yield texts | rights, body
    # One unknown name would hide from a view that sets each what the others do.
    yield rights, body
    yield [1], body


def differing_names(body: Values, other_body: Values) -> set[str]:
    """Return the names that have another value in one of two bodies, or none."""
    names = body.keys() | other_body.keys()
    return {name for name in names if body.get(name) != other_body.get(name)}


def cells_of(row: Model, heading: tuple[str, ...]) -> Values:
    """Return what a row, or one to which its keys lead, has for each title.

    Long texts are others: an import that finds the row changes them.
    """
    fields = row._meta.concrete_fields
    keys = [field.name for field in fields if field.is_relation]
    rows = [row, *filter(None, (attribute(row, name) for name in keys))]
    values = {}
    for each in reversed(rows):
        for field in each._meta.concrete_fields:
            is_long = isinstance(field, TextField)
            values[field.name] = TEXT if is_long else field.value_to_string(each)
    names = {title: slugify(title).replace("-", "_") for title in heading}
    return {title: values.get(name, "") for title, name in names.items()}


def without_copies(bodies: list[Values]) -> list[Values]:
    """Return each body once."""
    by_text = {repr(sorted(body.items())): body for body in bodies}
    return [*by_text.values()]


def differs(answer: Answer, usual: Answer) -> bool:
    """Return whether a view did something else than before."""
    return effects_of(answer) != effects_of(usual)


def effects_of(answer: Answer) -> tuple[object, ...]:
    changes = {
        (change.model, bool(change.old), *(field.name for field in change.fields()))
        for change in answer.changes
    }
    return answer.outcome, len(answer.text), len(answer.mails), changes


def lengthened(values: Values, pages: list[Answer]) -> Values:
    """Return values with a long text, except where a form limits its length."""
    fields = [field for page in pages for field in fields_on(page)]
    limited = {name for name, field in fields if getattr(field, "max_length", None)}
    texts = {name for name, value in values.items() if value == TEXT}
    return values | dict.fromkeys(texts - limited, LONG)
