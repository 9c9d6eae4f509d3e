"""Values of the parameters of URLs that no `objects` returns.

They are of the owner's rows: what the view looks up by the parameter (lookups.py), or
else what the parameter's name says.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model

from secure_django.guard.access import OWN_ROUTES, PARAMETER, VIEWS, app_of
from secure_django.guard.asked import route_of
from secure_django.guard.examples import FIRST_DAY
from secure_django.guard.lookups import (
    Lookup,
    lookup_of,
    model_of_view,
    models_of_view,
    option_of_view,
)
from secure_django.guard.users import User

type Values = dict[str, Any]
type Rows = dict[type[Model], Model]

KEY_NAME = re.compile(r"(?:(?P<model>\w+)_)?(?P<field>pk|id|uuid|slug|username)")
# Parts of a path that say no field, such as that of title__iexact.
COMPARISONS = {"exact", "iexact"}
MOST_VALUES = 4  # of one parameter
FORMATS_OF_DATE = {"year": "%Y", "month": "%m", "day": "%d", "week": "%W"}
USERS = {"user", "owner", "author", "member", "account"}


def values_of_routes(app: str, rows: Iterable[Model], owner: Any) -> dict[str, Values]:
    """Return the values of the parameters of each page of an app, if known.

    What one page calls board_slug is that on the other pages, too.
    """
    by_model: Rows = {User: owner}
    for row in rows:
        by_model.setdefault(type(row), row)
    routes = [route for route in OWN_ROUTES if app_of(route) == app]
    likely = {route: likely_values(route, by_model) for route in routes}
    known = {route: values_that_fit(route, likely[route]) for route in routes}
    shared = values_by_name(known.values())
    for route in routes:
        for name in PARAMETER.findall(route):
            likely[route][name] += shared[name]
    return {route: values_that_fit(route, likely[route]) for route in routes}


def likely_values(route: str, rows: Rows) -> dict[str, list[Any]]:
    """Return the likely values of each parameter, the likeliest first."""
    return {name: values_of(route, name, rows) for name in PARAMETER.findall(route)}


def values_of(route: str, name: str, rows: Rows) -> list[Any]:
    found = [follow(rows[model], path) for model, path in lookups(route, name, rows)]
    found.append(part_of_date(route, name))
    known = [value for value in found if value is not None]
    return list(dict.fromkeys(known))[:MOST_VALUES]


def part_of_date(route: str, name: str) -> str | None:
    """Return a year, month, day, week or quarter: that of the days of made rows."""
    if name == "quarter":
        return "1"
    if name not in FORMATS_OF_DATE:
        return None
    form = option_of_view(VIEWS[route].function, f"{name}_format")
    return FIRST_DAY.strftime(form or FORMATS_OF_DATE[name]).lower()


def values_that_fit(route: str, likely: dict[str, list[Any]]) -> Values:
    """Return a value for each parameter: the first with which the URL is this page's.

    An integer is none for <uuid:pk>.
    """
    known = {name: values for name, values in likely.items() if values}
    choices = [
        dict(zip(known, values, strict=True)) for values in product(*known.values())
    ]
    fitting = (values for values in choices if is_url_of(route, values))
    return next(fitting, choices[0])


def is_url_of(route: str, values: Values) -> bool:
    url = PARAMETER.sub(lambda match: str(values.get(match[1], "")), route)
    return route_of(url) == route


def values_by_name(known: Iterable[Values]) -> defaultdict[str, list[Any]]:
    """Return the values that pages have for a name which says what it is of."""
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for values in known:
        for name, value in values.items():
            match = KEY_NAME.fullmatch(name)
            is_of_any_model = match and not match["model"]
            if not is_of_any_model and value not in found[name]:
                found[name].append(value)
    return found


def lookups(route: str, name: str, rows: Rows) -> Iterator[Lookup]:
    """Yield what a parameter may be of the rows, the likeliest first."""
    for model, path in likely_lookups(route, name, rows):
        stored_model = model._meta.concrete_model  # not a proxy
        if stored_model in rows:
            yield Lookup(stored_model, path)


def likely_lookups(route: str, name: str, rows: Rows) -> Iterator[Lookup]:
    view = VIEWS[route].function
    found = lookup_of(view, name)
    if found:
        yield found
    view_model = model_of_view(view)
    yield from lookups_by_name(name, view_model, rows)
    models = [view_model, model_before(route, name, rows)]
    for model in filter(None, models):
        yield Lookup(model, name)
    # The beginning of a name may be the site's own word for a model.
    match = KEY_NAME.fullmatch(name)
    if view_model and match and match["field"] not in {"pk", "id"}:
        yield Lookup(view_model, match["field"])


def lookups_by_name(
    name: str, view_model: type[Model] | None, rows: Rows
) -> Iterator[Lookup]:
    """Yield the lookups of names such as board_pk, note and user_id."""
    match = KEY_NAME.fullmatch(name)
    field = match["field"] if match else "pk"
    model_name = match["model"] if match else name
    if not model_name:
        if field == "username":
            yield Lookup(User, User.USERNAME_FIELD)
        return
    if view_model and is_relation(view_model, model_name):
        yield Lookup(view_model, f"{model_name}__{field}")
    model = model_named(model_name, rows)
    if model:
        yield Lookup(model, field)
    if model_name in USERS:
        yield Lookup(User, User.USERNAME_FIELD if field == "username" else field)


def is_relation(model: type[Model], name: str) -> bool:
    return any(field.name == name for field in model._meta.fields if field.is_relation)


def model_named(name: str, rows: Rows) -> type[Model] | None:
    """Return the model of this name, or the only one whose name ends with it."""
    plain_name = name.replace("_", "").lower()
    if not plain_name.endswith("model"):
        model = model_named(f"{name}model", rows)
        if model:
            return model
    by_name = {str(model._meta.model_name): model for model in rows}
    longer_names = [other for other in by_name if other.endswith(plain_name)]
    if len(longer_names) == 1:
        return by_name[longer_names[0]]
    return by_name.get(plain_name)


def model_before(route: str, name: str, rows: Rows) -> type[Model] | None:
    """Return the model that a route names before a parameter, as in /notes/<pk>/."""
    before = route.partition(f"<{name}>")[0]
    words = re.findall(r"[a-z][a-z_-]*", PARAMETER.sub("", before))
    if not words:
        return None
    word = re.sub(r"[_-]", "", words[-1])
    return model_named(word, rows) or model_named(word.removesuffix("s"), rows)


def follow(row: Model, path: str) -> Any:
    """Return what a path such as board__slug leads to, or None."""
    value: Any = row
    for name in path.split("__"):
        if name not in COMPARISONS:
            value = attribute(value, name)
    value = value.pk if isinstance(value, Model) else value
    return None if value == "" or callable(value) else value


def attribute(value: Any, name: str) -> Any:
    try:
        return getattr(value, name, None)
    except ObjectDoesNotExist:
        return None


def models_of_routes(app: str) -> list[type[Model]]:
    """Return the models that the views of an app look up, sorted by their names."""
    found: set[type[Model]] = set()
    for route in OWN_ROUTES:
        if app_of(route) == app and "<" in route:
            view = VIEWS[route].function
            found |= models_of_view(view, PARAMETER.findall(route))
    # Not a proxy, and none of an abstract one.
    concrete_models = {model._meta.concrete_model for model in found}
    stored_models = [model for model in concrete_models if model is not None]
    return sorted(stored_models, key=lambda model: model._meta.label)
