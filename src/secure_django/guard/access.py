"""The access table: who gets which response from each URL, and what else they may do.

`tests/table.py` of each app, or another file (tables.py) has a row in ROWS for each of
its URLs: the route, and the responses to an anonymous visitor, the owner of the object,
another user, staff without permissions, and the people whom tables name in PEOPLE, such
as a reviewer of photos. They answer a GET request or, if the view refuses GET, the
first method that it allows. A row with exactly the route takes precedence over one with
`*`. log-in: redirect to log-in; reauth: redirect to reauthentication; away: redirect to
another page.

If URLs have parameters, `objects` creates an object of `owner` and returns the
parameters' values. Further parameters of `objects` are further users, the roles:
`objects(owner, patient)` adds a sixth response, that of the patient. In a row without
it, the patient gets what another user gets. Each app has an owner of its own, and
`objects` runs again for the other user.

What anybody but the owner reads or changes stands behind the row: who, what and why.
That is also what they read once a field such as `is_public` has another value.

    /doctors/<pk>/   200    200 200 200 200      # all: name: patients choose by it
    /visits/<pk>/    log-in 200 404 404 404 200  # patient: text: it is about them
    /wiki/<pk>/edit/ log-in 200 200 200 404      # other: text, writes: all may edit

Who is `all`, or names of columns. What is the names of fields, or one of WORDS. After
another # follows what others may do.
"""

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.shortcuts import resolve_url
from django.urls import get_resolver
from django.urls.resolvers import RegexPattern
from django.utils.regex_helper import normalize

from secure_django.guard.keys import other_ends
from secure_django.guard.tables import (
    CONFIG,
    LABELS,
    ROOT,
    TABLES,
    entries,
    is_own_app,
    is_own_path,
    objects_of,
)
from secure_django.guard.users import HAS_STAFF

FURTHER_PEOPLE = entries("PEOPLE")
STAFF = ["staff"] if HAS_STAFF else []
PEOPLE = ("anonym", "owner", "other", *STAFF, *FURTHER_PEOPLE)
WORDS = {
    "page": "see that it exists, and nothing of it",
    "writes": "change it",
    "uses": "name it in what is theirs",
    "repeats": "send the form as often as they like",
    "uploads": "store a file of any kind",
    "leaves": "be sent to another site",
    "lasting": "use a link that never ends",
    "guesses": "open it by a token that can be guessed",
    "tokenless": "send a request without a CSRF token",
}
# Whose classes are the pages that a project's URLs make of them.
GENERIC_VIEWS = ("django.views.generic", "rest_framework.generics")
# In a row to paste: who may see the object is for the team to say.
TO_DECIDE = "?"
REFUSALS = {"401", "403", "404", "405", "log-in", "reauth"}
PARAMETER = re.compile(r"<(\w+)>")  # of a route
NORMALIZED_PARAMETER = re.compile(r"%\((\w+)\)s")  # of re_path(), as Django reads it
OF_FORMAT = re.compile(r"\.?<format>/?$")  # REST framework's
CONVERTED_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")  # of path(): <int:pk>


def align(route: str, answers: Iterable[str]) -> str:
    """Return a line of the table."""
    cells = " ".join(f"{answer:<6}" for answer in answers)
    return f"{route:<44} {cells}".strip()


class Reason(NamedTuple):
    people: set[str]
    things: set[str]
    why: str

    def allows(self, people: set[str], thing: str) -> bool:
        """Return whether it names one of the people, and the thing."""
        return thing in self.things and not people.isdisjoint(self.people)


class Row(NamedTuple):
    app: str
    route: str
    answers: list[str]
    reasons: list[Reason]

    def allows(self, person: str, thing: str) -> bool:
        """Return whether a reason names both. A role of another app is another user."""
        known = {"all", *columns(self.app)}
        name = person if person in known else "other"
        return any(reason.allows({"all", name}, thing) for reason in self.reasons)

    def answer(self, person: str) -> str:
        """Return the response to a person. A role may get that of another user."""
        answers = dict(zip(columns(self.app), self.answers, strict=False))
        return answers.get(person, answers["other"])


def parse_reason(text: str) -> Reason:
    who, _, rest = text.partition(":")
    what, _, why = rest.partition(":")
    people = set(re.findall(r"\w+", who))
    things = set(re.findall(r"\w+", what))
    return Reason(people, things, why)


def parse_row(app: str, line: str) -> Row:
    columns_text, *reason_texts = line.split("#")
    route, *answers = columns_text.split()
    reasons = [parse_reason(text) for text in reason_texts]
    return Row(app, route, answers, reasons)


def parse_rows(app: str, text: str) -> Iterator[Row]:
    for line in text.strip().splitlines():
        if not line.startswith("#"):
            yield parse_row(app, line)


class View(NamedTuple):
    """A view, the app_name of the URLs that include it, and the pattern of its own."""

    function: Any
    app_names: tuple[str, ...]
    pattern: str  # as Django names it in ResolverMatch.route
    urls: str  # the module with its pattern


def routes(
    patterns: list[Any],
    prefix: str = "/",
    app_names: tuple[str, ...] = (),
    before: str = "",
    urls: str = "",
) -> Iterator[tuple[str, View]]:
    """Yield the route of every view, its parameters as <name>, and the view."""
    for pattern in patterns:
        route = prefix + route_of_pattern(pattern.pattern)
        text = str(pattern.pattern)
        whole = before + text.removeprefix("^") if before else text
        if hasattr(pattern, "url_patterns"):
            names = (*app_names, pattern.app_name)
            # include() may have got a list, and no module.
            module = getattr(pattern.urlconf_module, "__name__", urls)
            yield from routes(pattern.url_patterns, route, names, whole, module)
        else:
            yield route, View(pattern.callback, app_names, whole, urls)


def route_of_pattern(pattern: Any) -> str:
    """Return a part of a route: for a regular expression, the shortest that fits."""
    if not isinstance(pattern, RegexPattern):
        return CONVERTED_PARAMETER.sub(r"<\1>", str(pattern))
    text, _names = normalize(str(pattern))[0]
    return NORMALIZED_PARAMETER.sub(r"<\1>", text)


ROWS = [
    row
    for app, table in TABLES.items()
    for row in parse_rows(app, getattr(table, "ROWS", ""))
]
# Django shows the first of two views at the same URL.
FOUND = routes(get_resolver().url_patterns, urls=settings.ROOT_URLCONF)
VIEWS = dict(reversed(list(FOUND)))


@cache
def row_for(route: str) -> Row | None:
    rows = [row for row in ROWS if fnmatchcase(route, row.route)]
    row = min(rows, key=lambda row: row.route != route, default=None)
    if row and row.app == ROOT:
        return row._replace(app=app_of_view(route))
    return row


def rule(route: str) -> Row:
    """Return the row of a route, or one that allows nothing."""
    return row_for(route) or Row(app_of_view(route), route, [], [])


def module_of_view(route: str) -> str:
    view = VIEWS[route]
    return view.urls if is_generic(view) else module_of_function(view.function)


def is_generic(view: View) -> bool:
    """Return whether URLs make a view, as by DetailView.as_view(model=Note)."""
    is_of_framework = module_of_function(view.function).startswith(GENERIC_VIEWS)
    return is_of_framework and not is_made_by_admin(view)


def module_of_function(function: Any) -> str:
    # An object that is called, such as a feed, has no module of its own.
    return getattr(function, "__module__", None) or type(function).__module__


def app_of_view(route: str) -> str:
    app = apps.get_containing_app_config(module_of_view(route))
    return app.name if app else ""


def app_of(route: str) -> str:
    """Return the app whose table has the row, or that has the view."""
    return rule(route).app


def is_of_admin(route: str) -> bool:
    """Return whether an admin site of Django made the view.

    Its app_name alone does not say so: an own one may be the same.
    """
    view = VIEWS[route]
    return is_made_by_admin(view) and "admin" in view.app_names


def is_made_by_admin(view: View) -> bool:
    """Return whether an admin site or its code makes a view, whatever it wraps."""
    code = getattr(view.function, "__globals__", {})
    if code.get("__name__") == ModelAdmin.__module__:
        return True
    makers = makers_of(view.function)
    return any(isinstance(maker, AdminSite | ModelAdmin) for maker in makers)


def makers_of(view: Any) -> Iterator[Any]:
    """Yield the objects whose methods a view wraps."""
    yield getattr(view, "admin_site", None)
    while view is not None:
        yield getattr(view, "__self__", None)
        view = getattr(view, "__wrapped__", None)


def is_in_another_format(route: str) -> bool:
    """Return whether REST framework has the page a second time, as in /notes.json."""
    page = OF_FORMAT.sub("", route)
    view_class = getattr(VIEWS[route].function, "cls", None)
    if page == route or view_class is None:
        return False
    pages = [VIEWS[each] for each in (page, f"{page}/") if each in VIEWS]
    return any(getattr(each.function, "cls", None) is view_class for each in pages)


def is_included(route: str) -> bool:
    """Return whether pyproject.toml asks for a page, or for all of its kind."""
    if is_in_another_format(route):
        return False
    if is_of_admin(route):
        return "admin" in CONFIG.include
    return is_of_own_app(route) or "packages" in CONFIG.include


def is_of_own_app(route: str) -> bool:
    """Return whether the view is of an own app, or of the project beside its apps."""
    name = app_of_view(route)
    if name:
        return is_own_app(apps.get_app_config(LABELS[name]))
    module = sys.modules[module_of_view(route)]
    # Who names apps asks about nothing else.
    return CONFIG.apps is None and is_own_path(Path(module.__file__ or ""))


def is_own(route: str) -> bool:
    """Return whether a page is this project's own: packages test theirs."""
    return is_of_own_app(route) and not is_of_admin(route)


INCLUDED = {route: app_of_view(route) for route in VIEWS if is_included(route)}
ROUTES = {route: app for route, app in INCLUDED.items() if route not in CONFIG.left_out}
OWN_ROUTES = [route for route in ROUTES if is_own(route)]


@cache
def roles(app: str) -> tuple[str, ...]:
    """Return the further users whom an app's `objects` asks for.

    If it asks for none, they are those at the other ends of what the guard makes.
    """
    make = objects_of(app)
    names = tuple(inspect.signature(make).parameters)[1:] if make else ()
    if names or not CONFIG.makes_objects or app not in LABELS:
        return names
    return other_ends(apps.get_app_config(LABELS[app]).get_models())


def columns(app: str) -> list[str]:
    return [*PEOPLE, *roles(app)]


ROLES = sorted({role for app in TABLES for role in roles(app)})
EVERYBODY = [*PEOPLE, *ROLES]
ASKED = [person for person in EVERYBODY if person not in CONFIG.left_out]
# Whom the tests ask what is the owner's.
OTHERS = [person for person in ASKED if person != "owner"]


def is_asked(person: str, route: str) -> bool:
    """Return whether the tests ask a page as a person: roles ask those of their app."""
    return person not in ROLES or person in roles(app_of(route))


def open_page(client: Any, url: str) -> Any:
    """Return the response to GET, or to the first method that the view allows."""
    response = client.get(url)
    if response.status_code != 405:
        return response
    return getattr(client, first_allowed_method(response))(url)


def first_allowed_method(response: Any) -> str:
    """Return the first method that a response 405 names. Some name none."""
    allowed: str = response.headers.get("Allow", "POST")
    return allowed.partition(",")[0].lower() or "post"


def outcome(response: Any) -> str:
    """Return a response as the table writes it."""
    if response.status_code != 302:
        return str(response.status_code)
    target = response.headers["Location"]
    if "/reauthenticate/?next=" in target:
        return "reauth"
    return "log-in" if is_login(target) or leads_back(target, response) else "away"


def leads_back(target: str, response: Any) -> bool:
    """Return whether a redirect names the page itself as what comes next."""
    query = parse_qs(urlsplit(target).query)
    next_paths = [urlsplit(url).path for url in query.get(REDIRECT_FIELD_NAME, ())]
    return getattr(response, "request", {}).get("PATH_INFO") in next_paths


def is_login(target: str) -> bool:
    """Return whether a redirect leads to the log-in, or to that of the admin."""
    parts = urlsplit(target)
    login = urlsplit(resolve_url(settings.LOGIN_URL)).path
    if parts.path == login:
        return True
    return parts.path.endswith("/login/") and f"{REDIRECT_FIELD_NAME}=" in parts.query
