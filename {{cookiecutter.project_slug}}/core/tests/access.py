"""The access table: who gets which response from each URL.

`tests/table.py` of each app has a row in ROWS for each of its URLs: the route, and the
responses to an anonymous visitor, the owner of the object, another user, staff without
permissions, and a reviewer of photos. They are those to GET or, if the view refuses
GET, to the first method that it allows. A row with exactly the route goes before one
with `*`. If URLs have parameters, `objects` creates an object of `owner` and returns
the parameters' values. log-in: redirect to log-in; reauth: redirect to
reauthentication; away: redirect to another page.
"""

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from django.apps import apps
from django.urls import get_resolver

from core.testing import HTTPSClient
from users.models import User

PEOPLE = ("anonym", "owner", "other", "staff", "reviewer")


class Row(NamedTuple):
    app: str
    route: str
    answers: list[str]


def routes(patterns: list[Any], prefix: str = "/") -> Iterator[tuple[str, str]]:
    """Yield the route of every view, its parameters as <name>, and the view's app."""
    for pattern in patterns:
        part = re.sub(
            r"\(\?P<(\w+)>.*?\)|<(?:\w+:)?(\w+)>",
            lambda it: f"<{it[1] or it[2]}>",
            str(pattern.pattern),
        )
        if hasattr(pattern, "url_patterns"):
            yield from routes(pattern.url_patterns, prefix + part)
        else:
            app = apps.get_containing_app_config(pattern.callback.__module__)
            yield prefix + part.strip("^$"), app.name if app else ""


# The tables of this project's apps, that of core last: some of its rows are for the
# admin pages of every app.
APPS = sorted(apps.get_app_configs(), key=lambda app: app.name == "core")
TABLES = {
    app.name: import_module(f"{app.name}.tests.table")
    for app in APPS
    if Path(app.path, "tests", "table.py").is_file()
}
LINES = [
    (app, line.split())
    for app, table in TABLES.items()
    for line in table.ROWS.strip().splitlines()
]
ROWS = [Row(app, route, answers) for app, (route, *answers) in LINES]
ROUTES = dict(routes(get_resolver().url_patterns))


def row_for(route: str) -> Row | None:
    found = [row for row in ROWS if fnmatchcase(route, row.route)]
    return min(found, key=lambda row: row.route != route, default=None)


def make_objects(owner: User) -> Callable[[str], str]:
    """Make the objects of all apps; return what fills in a route's parameters."""
    made = {
        app: table.objects(owner)
        for app, table in TABLES.items()
        if hasattr(table, "objects")
    }

    def fill(route: str) -> str:
        row = row_for(route)
        values = made.get(row.app if row else ROUTES[route], {})
        # No object has the number 0.
        return re.sub(r"<(\w+)>", lambda part: str(values.get(part[1], 0)), route)

    return fill


def outcome(client: HTTPSClient, url: str) -> str:
    response = client.get(url)
    if response.status_code == 405:
        response = getattr(client, response.headers["Allow"].partition(",")[0].lower())(
            url
        )
    # Written by the view, or by a middleware for all others.
    assert re.search(
        "no-store|private|s-maxage=1$|immutable",
        response.headers.get("Cache-Control", ""),
    ), url
    if response.status_code != 302:
        return str(response.status_code)
    target = response.headers["Location"]
    return (
        "log-in"
        if "/login/?next=" in target
        else "reauth"
        if "/reauthenticate/?next=" in target
        else "away"
    )
