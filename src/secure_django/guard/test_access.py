"""Access control: a new URL fails here without a row in its app's `tests/table.py`."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest
from django.conf import settings
from django.db import models, transaction

from secure_django.guard.access import (
    HEADING,
    OWN_ROUTES,
    PEOPLE,
    REFUSALS,
    ROLES,
    ROUTES,
    ROWS,
    VIEWS,
    WORDS,
    Reason,
    Row,
    align,
    app_of,
    columns,
    is_of_admin,
    row_for,
    rule,
)
from secure_django.guard.clock import stop_clocks
from secure_django.guard.exemptions import exemption_of_person
from secure_django.guard.findings import REASON, Findings
from secure_django.guard.marks import OWN_MODELS, PARAMETER, Values, is_long, users_of
from secure_django.guard.requests import code_of_app
from secure_django.guard.sending import Answer, Sender
from secure_django.guard.tables import CONFIG, OWN_APPS, TABLES, is_tested, named
from secure_django.guard.users import User

NOT_SHARED = re.compile("no-store|private|s-maxage=1$|immutable")
SHARED = "may be kept in a cache for others: remove cache_page or cache_control"
SEARCH = "Let the view search in what own() returns, so that others find nothing."


def answer(sender: Sender, route: str, person: str) -> Answer:
    """Return the answer to GET, or to the first method that the route allows."""
    user = sender.world.person(person, route)
    url = sender.world.url(route)
    page = sender.send(user, url)
    if page.outcome == "405":
        method = page.response.headers["Allow"].partition(",")[0].lower()
        page = sender.send(user, url, method)
    return page


@pytest.mark.control("V8.2.1")
@pytest.mark.control("V8.3.1")
@pytest.mark.control("V14.3.2")
@pytest.mark.parametrize("person", [*PEOPLE, *ROLES])
def test_every_url_answers_as_the_access_table_says(
    person: str, sender: Sender
) -> None:
    findings = Findings()
    for route in ROUTES:
        row = row_for(route)
        if not row or person not in columns(row.app):
            continue
        with findings.going_on(route):
            page = answer(sender, route, person)
            expected = row.answer(person)
            if page.outcome != expected:
                findings.add(f"{route} answers {page.outcome}, not {expected}", person)
            if "caches" in CONFIG.rules and may_be_shared(page):
                findings.add(f"{route} {SHARED}", person)
    findings.report(
        f"If the row is right, change the view. {SEARCH}",
        "Only if the page is meant for them, change the row. If the object belongs to"
        " somebody else, the row then needs a reason: secure_django/guard/access.py.",
    )


def may_be_shared(page: Answer) -> bool:
    """Return whether a cache may keep a page for others.

    The view says so, or a middleware does for all others.
    """
    cache_control = page.response.headers.get("Cache-Control", "")
    return not NOT_SHARED.search(cache_control)


@pytest.mark.control("V8.1.1")
@pytest.mark.control("V8.2.1")
def test_every_url_has_an_access_rule(sender: Sender) -> None:
    findings = Findings()
    rows = []
    for route in ROUTES:
        if not row_for(route):
            findings.add(f"no access rule for {route}")
            rows.append(safe_row(sender, route))
    table = "\n".join([HEADING, *rows])
    findings.report(
        f"Read the rows below. {SEARCH}",
        "Append them to ROWS in tests/table.py of the app, and let objects() there"
        f" make what their <parameters> name:\n{table}",
        "Run the tests again: they say where the view answers otherwise.",
    )


def safe_row(sender: Sender, route: str) -> str:
    """Return the row of a page that only its owner sees, or of one that refuses all."""
    answers = {}
    for person in columns(ROUTES[route]):
        outcome = answer(sender, route, person).outcome
        answers[person] = outcome.replace("500", "200")
    if not is_of_admin(route):
        refuse_others(answers, route)
    return align(route, answers.values())


def refuse_others(answers: dict[str, str], route: str) -> None:
    """Write how a safe page answers those who are not its owner."""
    is_open = not answers["owner"].startswith("4")
    safe = "404" if is_open and "<" in route else answers["owner"]
    for person in answers.keys() - {"owner"}:
        if answers[person] not in REFUSALS:
            answers[person] = safe
    if is_open and answers["anonym"] not in REFUSALS:
        answers["anonym"] = "log-in"


@pytest.mark.control("V8.1.1")
def test_every_app_has_a_table_with_its_rows() -> None:
    """Nothing asks about an app without a table, nor in whose name others answer."""
    findings = Findings()
    for app in OWN_APPS:
        needs_table = has_own_route(app.name) or models_with_texts(app.name)
        if needs_table and app.name not in TABLES:
            findings.add(f"{app.name} has no table")
    for route in OWN_ROUTES:
        name = ROUTES[route]
        table = app_of(route)
        if name and name != table:
            findings.add(
                f"the row of {route} is in the table of {table}, not of {name}"
            )
    findings.report(
        "Write tests/table.py of the app: ROWS for its pages, and objects(owner), which"
        " makes its objects. The app of `poe app` has an example."
    )


def has_own_route(app: str) -> bool:
    return any(ROUTES[route] == app for route in OWN_ROUTES)


def test_every_row_of_the_access_table_is_used() -> None:
    # Two apps can have a page at the same URL: the first of them is shown.
    findings = Findings()
    for row in ROWS:
        if not is_used(row):
            findings.add(f"{row.route} matches no page")
    findings.report("Delete the row, or repair its route.")


def is_used(row: Row) -> bool:
    return any(fnmatchcase(route, row.route) for route in ROUTES)


def test_every_reason_names_people_things_and_why() -> None:
    findings = Findings()
    fields = [field for model in OWN_MODELS for field in model._meta.concrete_fields]
    things = {*WORDS, *named("FIELDS"), *(field.name for field in fields)}
    for row in ROWS:
        count = len(row.answers)
        if not len(PEOPLE) <= count <= len(columns(row.app)):
            findings.add(f"{row.route} has {count} answers")
        for reason in row.reasons:
            for fault in faults_of_reason(reason, columns(row.app), things):
                findings.add(f"{row.route}: {fault}")
    findings.report("Write who, what and why, as secure_django/guard/access.py says.")


def faults_of_reason(
    reason: Reason, people: list[str], things: set[str]
) -> Iterator[str]:
    unknown_people = reason.people - {"all", *people}
    unknown_things = reason.things - things
    for name in unknown_people | unknown_things:
        yield f"{name} is no column, field or word"
    has_words = len(reason.why.split()) >= 3
    if not (reason.people and reason.things and has_words):
        yield "the reason is missing"


@pytest.mark.control("V8.2.2")
def test_every_page_of_an_object_is_asked_for_one(sender: Sender) -> None:
    """Without an object, a page answers 404, which hides a missing owner check."""
    findings = Findings()
    for route in OWN_ROUTES:
        values = sender.world.values.get(app_of(route), {})
        for fault in faults_of_parameters(route, values):
            findings.add(fault)
    findings.report(
        "Let objects() in tests/table.py of the app make an object of the owner, and"
        " return the values of all parameters, by their names.",
    )


def faults_of_parameters(route: str, values: Values) -> Iterator[str]:
    row = rule(route)
    names = PARAMETER.findall(route)
    for name in names:
        if name not in values:
            yield f"objects() of {row.app} returns no {name} for {route}"
    if names and "*" in row.route:
        yield f"{row.route} matches {route}, which needs a row of its own"
    if names and not set(row.answers) - {"404", "log-in"}:
        yield f"nobody finds {route}: objects() of {row.app} must make one"


@pytest.mark.control("V8.2.2")
def test_every_page_of_an_object_is_for_its_owner_or_says_why_not() -> None:
    findings = Findings()
    for row in (rule(route) for route in OWN_ROUTES if "<" in route):
        for person in set(columns(row.app)) - {"owner"}:
            if lets_in(row, person) and not has_reason(row, person):
                trust = exemption_of_person(person)
                sentence = f"{row.route} gives others what is the owner's{trust}"
                findings.add(sentence, person)
    findings.report(f"{SEARCH} The row then says 404.", REASON)


def lets_in(row: Row, person: str) -> bool:
    return bool(row.answers) and row.answer(person) not in REFUSALS


def has_reason(row: Row, person: str) -> bool:
    return any({person, "all"} & reason.people for reason in row.reasons)


@pytest.mark.control("V8.2.2")
def test_objects_that_two_users_share_are_made_for_two(sender: Sender) -> None:
    """One user at both ends would hide what each of the two may do."""
    findings = Findings()
    world = sender.world
    for app, rows in world.rows.items():
        same = named("SAME_USER")
        owner = world.people[app]["owner"].pk
        for row in rows:
            ends = [end for end in ends_of(row, owner) if end not in same]
            if len(ends) > 1:
                findings.add(f"{' and '.join(ends)} lead to the same user")
    findings.report(
        "Give objects() in tests/table.py a user for the other end:"
        " def objects(owner: User, patient: User)",
        "Only if both ends are always one user, name one of them there:"
        ' SAME_USER = {"Note.folder"}',
    )


@pytest.mark.rule("links")
def test_nobody_guesses_the_token_of_a_link(sender: Sender) -> None:
    findings = Findings()
    for route in OWN_ROUTES:
        secrets = sender.world.secrets_of(route)
        if not secrets or any(map(is_long, secrets)):
            continue
        is_open = answer(sender, route, "anonym").outcome not in REFUSALS
        if is_open and not rule(route).allows("anonym", "guesses"):
            findings.add(f"{route} has a token that can be guessed")
    findings.report(
        "Let secrets.token_urlsafe() make it.",
        "Only if whoever guesses it may open the page, end the row in tests/table.py of"
        " the app with:  # anonym: guesses: WHY",
    )


@pytest.mark.rule("links")
@pytest.mark.control("V8.3.1")
def test_links_with_a_token_end(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has a link may have received or found it."""
    findings = Findings()
    travel = stop_clocks(monkeypatch)
    travel(timedelta(days=3650))
    for route in OWN_ROUTES:
        if not any(map(is_long, sender.world.secrets_of(route))):
            continue
        for person in set(columns(app_of(route))) - {"owner"}:
            is_refused = answer(sender, route, person).outcome in {*REFUSALS, "410"}
            if not is_refused and not rule(route).allows(person, "lasting"):
                findings.add(f"{route} has no end", person)
    findings.report(
        "Store when the link expires, and let the view search among valid ones.",
        "Only if it is meant to last, end the row in tests/table.py of the app with:"
        "  # all: lasting: WHY",
    )


@pytest.mark.rule("deletion")
def test_objects_of_a_deleted_account_are_deleted(sender: Sender) -> None:
    findings = Findings()
    kept = named("STAYS")
    for app, rows in sender.world.rows.items():
        owner = sender.world.people[app]["owner"]
        theirs = [row for row in rows if is_of_nobody_else(row, owner)]
        with transaction.atomic():
            is_deleted = delete_account(owner)
            stored_rows = filter(is_stored, theirs if is_deleted else ())
            names = {type(row).__name__ for row in stored_rows}
            transaction.set_rollback(True)
        for name in names - kept:
            findings.add(f"{name} stays when its owner is deleted")
    findings.report(
        "If it is theirs, set on_delete=models.CASCADE on the key that leads to them.",
        "Only if it must stay, name it in tests/table.py of the app, and in"
        ' SECURITY.md: STAYS = {"Invoice"}',
    )


def delete_account(user: Any) -> bool:
    """Return whether an account is deleted.

    Where a row needs the account, nothing is deleted, and a page says so.
    """
    account = User._base_manager.filter(pk=user.pk)
    with suppress(models.ProtectedError, models.RestrictedError):
        account.get().delete()
    return not account.exists()


def is_stored(row: models.Model) -> bool:
    return type(row)._base_manager.filter(pk=row.pk).exists()


def is_of_nobody_else(row: models.Model, owner: Any) -> bool:
    if is_tested(row) or not has_texts(type(row)):
        return False
    users = users_of(row)
    if users:
        return users == {owner.pk}
    return bool(ends_of(row, owner.pk))


def ends_of(row: models.Model, owner: object) -> list[str]:
    """Return the keys of a row that lead to the owner."""
    names = [field.name for field in row._meta.concrete_fields if is_key(field)]
    targets = {name: getattr(row, name) for name in names}
    return [
        f"{type(row).__name__}.{name}"
        for name, target in targets.items()
        if target and owner in users_of(target)
    ]


def is_key(field: Any) -> bool:
    """Return whether a field leads to another row of this project's."""
    model = field.related_model
    return model in OWN_MODELS and not is_tested(model)


def test_every_model_with_texts_has_an_object(sender: Sender) -> None:
    """A model that objects() does not make has no marks, so no test sees its leaks."""
    findings = Findings()
    for app in TABLES:
        made_models = set(map(type, sender.world.rows[app]))
        for model in models_with_texts(app) - made_models:
            findings.add(f"objects() of {app} makes no {model.__name__}")
    for app in sender.world.single:
        findings.add(f"objects() of {app} works only once")
    findings.report(
        "Let objects() in tests/table.py of the app make one of the owner, whoever"
        " that is, with unique values of its own."
    )


TEXTS = (
    models.CharField,
    models.TextField,
    models.FileField,  # noqa: TID251  # of a recipe
)


def models_with_texts(app: str) -> set[type[models.Model]]:
    app_models = [model for model in OWN_MODELS if model._meta.app_config.name == app]
    return {model for model in app_models if has_texts(model) and not is_tested(model)}


def has_texts(model: type[models.Model]) -> bool:
    return model is not User and any(map(is_text, model._meta.concrete_fields))


def is_text(field: Any) -> bool:
    return isinstance(field, TEXTS) and field.editable and not field.choices


@pytest.mark.rule("passwords")
def test_only_the_log_in_checks_passwords() -> None:
    findings = Findings()
    for app in OWN_APPS:
        for path, part in code_of_app(app.name):
            name = getattr(part, "attr", "") or getattr(part, "id", "")
            if name in {"check_password", "acheck_password"}:
                relative_path = path.relative_to(settings.BASE_DIR, walk_up=True)
                findings.add(f"{relative_path}:{part.lineno} calls {name}")
    findings.report(
        "Leave the log-in to allauth, which counts attempts and asks for the second"
        " factor. Before a change, put @reauthentication_required above the view.",
    )


@pytest.mark.rule("csrf")
@pytest.mark.control("V3.5.1")
def test_only_named_views_take_requests_of_other_sites() -> None:
    findings = Findings()
    for route in OWN_ROUTES:
        is_exempt = getattr(VIEWS[route].function, "csrf_exempt", False)
        if is_exempt and not rule(route).allows("all", "tokenless"):
            findings.add(f"{route} is csrf_exempt")
    findings.report(
        "Remove it. A script sends the page's token in the header X-CSRFToken.",
        "Only if machines call it, check a signature or a token of theirs, and end the"
        " row in tests/table.py with:  # all: tokenless: WHY",
    )


@pytest.mark.rule("methods")
@pytest.mark.control("V13.4.4")
def test_every_view_restricts_its_methods(sender: Sender) -> None:
    findings = Findings()
    for route in ROUTES:
        client = sender.client(sender.world.person("owner", route))
        response = client.generic("UNKNOWN", sender.world.url(route))
        if response.status_code != 405:
            findings.add(f"{route}: put @require_http_methods before the view")
    findings.report("Name the methods that the view knows: @require_GET, for example.")
