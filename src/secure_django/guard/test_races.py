"""Two requests at the same time: what one has read, the other may have changed."""

import ast
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import models

from secure_django.guard.code import Function, functions_of_app
from secure_django.guard.findings import Findings
from secure_django.guard.names import name_of
from secure_django.guard.tables import OWN_APPS, named

LOCKS = {"select_for_update", "F", "get_or_create", "update_or_create"}
MAILS = {"send_mail", "send_mass_mail", "email_user", "send"}


@pytest.mark.rule("races")
def test_what_is_changed_by_what_was_read_is_locked() -> None:
    findings = Findings()
    for app in OWN_APPS:
        functions = [*functions_of_app(app.name)]
        for function in functions:
            for sentence in faults_without_lock(function, functions):
                findings.add(sentence)
    findings.report(
        "Read the row by select_for_update() in transaction.atomic(), or let the"
        " database calculate, by F() in update().",
        "Where there may be only one row, add a UniqueConstraint for these fields.",
        "Only if all who call it hold a lock, name the function in tests/table.py of"
        ' the app: LOCKED = {"take_seat"}',
    )


def faults_without_lock(function: Function, functions: list[Function]) -> set[str]:
    faults = {*faults_of_function(function)}
    return set() if faults and is_locked(function, functions) else faults


def is_locked(function: Function, functions: list[Function], depth: int = 3) -> bool:
    """Return whether a function takes a lock, or else all in the app that call it."""
    name = function.node.name
    if function.called & LOCKS or name in named("LOCKED"):
        return True
    others = [each for each in functions if each.node is not function.node]
    callers = [each for each in others if name in each.called]
    if not callers or not depth:
        return False
    return all(is_locked(caller, functions, depth - 1) for caller in callers)


def faults_of_function(function: Function) -> Iterator[str]:
    yield from calculated_values(function)
    yield from second_rows(function)
    yield from passed_states(function)


def calculated_values(function: Function) -> Iterator[str]:
    """Yield product.stock -= 1 before product.save()."""
    saved = saved_objects(function)
    for part in function.parts:
        target = calculated_target(part)
        if target and ast.unparse(target.value) in saved:
            yield (
                f"{function.place_of(part)} calculates {ast.unparse(target)} from what"
                " it has read: another request may have changed it"
            )


def saved_objects(function: Function) -> set[str]:
    """Return the objects whose save() a function calls, as the code names them."""
    calls = function.calls("save", "asave")
    methods = [call.func for call in calls if isinstance(call.func, ast.Attribute)]
    return {ast.unparse(method.value) for method in methods}


def calculated_target(part: ast.AST) -> ast.Attribute | None:
    """Return the attribute in order.total += 1, or order.total = order.total + 1."""
    if isinstance(part, ast.AugAssign):
        return part.target if isinstance(part.target, ast.Attribute) else None
    target = assigned_attribute(part)
    if target is None or not isinstance(part, ast.Assign):
        return None
    operations = [each for each in ast.walk(part.value) if isinstance(each, ast.BinOp)]
    operands = [each for operation in operations for each in ast.walk(operation)]
    return target if ast.unparse(target) in map(unparsed, operands) else None


def unparsed(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, ast.Attribute) else ""


def assigned_attribute(part: ast.AST) -> ast.Attribute | None:
    targets = part.targets if isinstance(part, ast.Assign) else []
    attributes = [target for target in targets if isinstance(target, ast.Attribute)]
    return attributes[0] if attributes else None


def second_rows(function: Function) -> Iterator[str]:
    """Yield a look for rows before one is added: two requests may both find none."""
    added = function.added_models()
    for call in function.calls("exists", "count", "aexists", "acount"):
        model = function.queried_model(call.func)
        if model in added and not is_unique(model, call):
            yield (
                f"{function.place_of(call)} looks for a {model.__name__} before it adds"
                " one: two requests may both find none"
            )


def is_unique(model: Any, call: ast.Call) -> bool:
    """Return whether the database refuses the second row of those looked for."""
    if name_of(call.func) not in {"exists", "aexists"}:
        return False
    keywords = {
        part.arg.removesuffix("_id")
        for part in ast.walk(call)
        if isinstance(part, ast.keyword) and part.arg
    }
    # One that stands before the dot of poll.votes is not among them.
    keys = {f.name for f in model._meta.concrete_fields if f.is_relation}
    return any(fields <= keywords | keys for fields in unique_fields(model))


def unique_fields(model: type[models.Model]) -> Iterator[set[str]]:
    for field in model._meta.concrete_fields:
        if field.unique and not field.primary_key:
            yield {field.name}
    for constraint in model._meta.total_unique_constraints:
        yield set(constraint.fields)
    for names in model._meta.unique_together:
        yield set(names)


def passed_states(function: Function) -> Iterator[str]:
    """Yield a state that is asked for, and then set: two requests may both pass.

    Only if more follows from it than the state: rows, an email or another change.
    """
    saved = saved_objects(function)
    has_effects = bool(function.added_models()) or bool(function.called & MAILS)
    if not has_effects and len(saved) < 2:
        return
    asked = {unparsed(node) for test in conditions(function) for node in ast.walk(test)}
    for part in function.parts:
        target = assigned_attribute(part)
        is_saved = target and ast.unparse(target.value) in saved
        if target and is_saved and ast.unparse(target) in asked:
            yield (
                f"{function.place_of(part)} sets {ast.unparse(target)}, for which it"
                " has asked before: two requests may both get here"
            )


def conditions(function: Function) -> Iterator[ast.AST]:
    for part in function.parts:
        if isinstance(part, ast.If | ast.IfExp):
            yield part.test
