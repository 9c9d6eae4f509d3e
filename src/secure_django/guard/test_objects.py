"""What `objects` makes: enough that each page and each model is asked about."""

from collections.abc import Iterator

import pytest

from secure_django.guard.access import (
    OWN_ROUTES,
    PARAMETER,
    REFUSALS,
    TO_DECIDE,
    VIEWS,
    Row,
    app_of,
    columns,
    rule,
)
from secure_django.guard.advice import ADVICE, MAKE_ONE, SAY_WHOSE
from secure_django.guard.asked import route_of
from secure_django.guard.exemptions import (
    exemption_of_model,
    exemption_of_person,
    is_undecided,
)
from secure_django.guard.findings import REASON, Findings
from secure_django.guard.lookups import model_of_view
from secure_django.guard.nobody import url_of_nobody
from secure_django.guard.objects import Objects, faults_of_making
from secure_django.guard.rows import Values, ends_of, models_with_texts
from secure_django.guard.sending import Sender
from secure_django.guard.tables import TABLE_BESIDE, TABLES, named
from secure_django.guard.world import World


@pytest.mark.control("V8.2.2")
def test_every_page_of_an_object_is_asked_for_one(sender: Sender) -> None:
    """Without an object, a page answers 404, which hides a missing owner check."""
    findings = Findings()
    for route in OWN_ROUTES:
        values = sender.world.values_on(route)
        for fault in faults_of_parameters(route, values):
            findings.add(fault)
        reached = route_of(sender.world.url(route))
        if reached != route and reached in VIEWS:
            findings.add(f"{route} is never reached: {reached} is before it")
    findings.report(
        "Let objects() in tests/table.py of the app make an object of the owner, and"
        " return the values of all parameters, by their names.",
        "Of two URLs that fit, Django takes the first: put the more exact one before.",
    )


def faults_of_parameters(route: str, values: Values) -> Iterator[str]:
    row = rule(route)
    names = PARAMETER.findall(route)
    unknown = [name for name in names if name not in values]
    if unknown:
        app = row.app or TABLE_BESIDE
        yield f"objects() of {app} returns no {', '.join(unknown)} for {route}"
        return  # the rest is asked when it does
    if names and "*" in row.route:
        yield f"{row.route} matches {route}, which needs a row of its own"
    if names and not set(row.answers) - {"404", "log-in"}:
        yield f"nobody finds {route}: objects() of {row.app} must make one"


@pytest.mark.control("V8.2.2")
def test_every_page_of_an_object_is_for_its_owner_or_says_why_not(
    sender: Sender,
) -> None:
    findings = Findings()
    routes = [route for route in OWN_ROUTES if is_of_object(sender.world, route)]
    for route in routes:
        row = rule(route)
        for person in set(columns(row.app)) - {"owner"}:
            if is_open_to(person, route, sender) and not has_reason(row, person):
                trust = exemption_of_person(person) or exemption_of_page(row.route)
                sentence = f"{row.route} gives others what is the owner's{trust}"
                findings.add(sentence, person)
    findings.report(f"{ADVICE.find_nothing} The row then says 404.", REASON)


def exemption_of_page(route: str) -> str:
    """Return the label of what makes the objects of a page common, or nothing."""
    view = VIEWS.get(route)
    model = model_of_view(view.function) if view else None
    return exemption_of_model(model) if model else ""


def is_of_object(world: World, route: str) -> bool:
    """Return whether a URL names an object: not only a word, the same for everybody."""
    own_values = world.values_on(route)
    values_of_other = world.values_of_other_on(route)
    keys = {str(row.pk) for row in world.rows.get(app_of(route), ())}
    return any(
        name not in own_values
        or str(own_values[name]) in keys
        or own_values[name] != values_of_other.get(name)
        for name in PARAMETER.findall(route)
    )


def is_open_to(person: str, route: str, sender: Sender) -> bool:
    """Return whether the row of a page lets a person in.

    A redirect that is the same without an object says nothing of it.
    """
    row = rule(route)
    answer = row.answer(person) if row.answers else TO_DECIDE
    if answer in {*REFUSALS, TO_DECIDE}:
        return False
    if answer != "away":
        return True
    url = url_of_nobody(sender.world, route)
    return sender.answer(route, person, url).outcome != answer


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


def test_every_model_with_texts_has_an_object(sender: Sender) -> None:
    """A model that objects() does not make has no marks, so no test sees its leaks."""
    findings = Findings()
    for app in TABLES:
        made_models = set(map(type, sender.world.rows[app]))
        objects = sender.world.objects.get(app, Objects())
        objects_of_other = sender.world.objects_of_other.get(app, Objects())
        for fault in faults_of_making(app, objects, objects_of_other):
            findings.add(fault)
        known_models = made_models | objects.failures.keys() | sender.world.shared
        for model in models_with_texts(app) - known_models:
            findings.add(f"objects() of {app} makes no {model.__name__}")
        for model in filter(is_undecided, models_with_texts(app)):
            findings.add(f"no key leads from {model._meta.label} to a user")
    for sentence in sender.world.unfilled:
        findings.add(sentence)
    for app, reason in sender.world.single.items():
        findings.add(f"objects() of {app} works only once: {reason}")
    findings.report(MAKE_ONE, SAY_WHOSE)
