"""Queries by GET for what is the owner's."""

import re
from collections.abc import Iterable, Iterator
from html import unescape
from typing import NamedTuple
from urllib.parse import urlencode, urljoin

from django.db import models

from secure_django.guard.access import REFUSALS, app_of
from secure_django.guard.forms import fitting_values
from secure_django.guard.marks import PREFIX
from secure_django.guard.names import names_of_view, texts_of_view
from secure_django.guard.rows import Values
from secure_django.guard.sending import Answer, Sender
from secure_django.guard.typed import EVIL, EVIL_HOST
from secure_django.guard.users import email_of
from secure_django.guard.values import (
    ANY_KEY,
    TARGETS,
    names_of_keys,
    reached_rows,
    texts_of_row,
)
from secure_django.guard.world import World

ATTRIBUTE = {
    name: re.compile(rf' {name}="([^"]*)"') for name in ("action", "method", "name")
}
# What code reads on each page: it says how a page looks, not what it shows.
SAME_FOR_ALL = {"format", "page"}
FEW = 5  # fields of a form, and keys, that are asked one by one
FORM = re.compile(r"(<form[^>]*>)(.*?)</form>", re.DOTALL)


class Query(NamedTuple):
    """A request by GET."""

    url: str
    asked: str  # the text that the URL queries


class Asked(NamedTuple):
    """What queries ask for."""

    rows: list[models.Model]
    texts: list[str]

    def values(self) -> list[str]:
        return [*keys_of(self.rows), *self.texts]

    def values_of(self, name: str) -> list[str]:
        """Return what a name alone may take: a key is one of its model."""
        named_rows = [
            row for row in self.rows if names_of_keys(type(row)).fullmatch(name)
        ]
        keys = keys_of(self.rows)
        is_any = ANY_KEY.fullmatch(name) or len(keys) <= FEW
        return [*(keys_of(named_rows) or (keys if is_any else [])), *self.texts]

    def values_of_any(self, names: Iterable[str]) -> set[str]:
        return {value for name in names for value in self.values_of(name)}


def keys_of(rows: list[models.Model]) -> list[str]:
    """Return the keys of rows, each once."""
    return list(dict.fromkeys(str(row.pk) for row in rows))


NOTHING = Asked([], [])


def queries(sender: Sender, route: str, url: str, page: Answer) -> Iterator[Query]:
    """Yield queries for what is the owner's."""
    world = sender.world
    asked = asked_of(world, route)
    yield from queries_by_code(sender, url, route, asked)
    if page.outcome in REFUSALS and sender.last.outcome == page.outcome:
        return  # whatever one asks for
    # The names that the view has read so far.
    names = sorted(sender.names[url])
    for name in names:
        for value in asked.values_of(name):
            yield Query(with_query(url, {name: value}), value)
    yield from searches(url, names, reached_rows(world, route))
    for text in texts_of_view(route) if names else ():
        yield query_for(url, names, text)
    yield from followed(page, url, asked)


def queries_by_code(
    sender: Sender, url: str, route: str, asked: Asked
) -> Iterator[Query]:
    """Yield queries with all names in the code of a view.

    A view that reads none of the first does the same with each, and one that reads
    names of some keys does so with the others.
    """
    names = names_of_view(route)
    first_value, *values = asked.values()
    yield query_for(url, names, first_value)
    fitting = asked.values_of_any(sender.names[url] - SAME_FOR_ALL)
    for value in values if sender.last.has_read else ():
        if value in fitting:
            yield query_for(url, names, value)
    targets = dict.fromkeys(TARGETS & names, EVIL_HOST)
    yield Query(with_query(url, targets), "")


def searches(url: str, names: list[str], rows: list[models.Model]) -> Iterator[Query]:
    """Yield queries with the texts of a row in the parameters of their names."""
    for row in rows:
        texts = texts_of_row(row)
        query = {name: texts[name] for name in names if name in texts}
        if query:
            yield Query(with_query(url, query), str(query))


def followed(page: Answer, url: str, asked: Asked) -> Iterator[Query]:
    """Yield the links with a query and the forms of a page, each field with a value."""
    for link in links_of(page.text, url):
        yield Query(link, "")
    for target, fields in searches_on(page, url):
        yield Query(with_query(target, fields), "")
        for value in sorted(asked.values_of_any(fields)):
            yield query_for(target, fields, value)
        for name in fields if len(fields) <= FEW else ():
            for value in asked.values_of(name):
                yield Query(with_query(target, fields | {name: value}), value)


def asked_of(world: World, route: str) -> Asked:
    """Return what belongs to the owner: keys, an email and paths of files."""
    owner = world.people_of(route)["owner"]
    paths = world.paths[app_of(route)]
    emails = filter(None, [email_of(owner)])
    rows = [owner, *reached_rows(world, route)]
    return Asked(rows, [*emails, *paths, PREFIX, EVIL])


def query_for(url: str, names: Iterable[str], value: str) -> Query:
    """Return a query for a value by all names at once."""
    return Query(with_query(url, dict.fromkeys(names, value)), value)


def with_query(url: str, query: Values) -> str:
    return f"{url}?{urlencode(query)}"


def links_of(text: str, url: str) -> set[str]:
    """Return the links of a page that have a query."""
    links = map(unescape, re.findall(r'href="([^"]+)"', text))
    targets = {urljoin(url, link) for link in links}
    return {target for target in targets if target.startswith("/") and "?" in target}


def searches_on(page: Answer, url: str) -> Iterator[tuple[str, Values]]:
    """Yield the URL and the values of each form of a page that sends a query by GET."""
    fitting = fitting_values(page)
    for tag, body in FORM.findall(page.text):
        method = ATTRIBUTE["method"].search(tag)
        if method and method[1].lower() != "get":
            continue
        action = ATTRIBUTE["action"].search(tag)
        target = urljoin(url, unescape(action[1])) if action else url
        names = ATTRIBUTE["name"].findall(body)
        yield target, {name: fitting.get(name, "") for name in names}
