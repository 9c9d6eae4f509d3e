"""Columns that a package counts: the place of a row in a tree, or in a list.

Only the package's own code knows their values. A value that the guard makes up, or a
mark, would break the tree.
"""

import sys
from pathlib import Path
from typing import Any

from django.db import models

from secure_django.guard.tables import is_own_path

TREE_METHODS = ("add_child", "add_root", "insert_at")
COUNTED_KINDS = (models.IntegerField, models.CharField, models.TextField)


def counted_names(model: type[models.Model]) -> list[str]:
    """Return the columns that a package counts, and that have no default."""
    fields = [field for field in model._meta.concrete_fields if is_counted(field)]
    return [field.name for field in fields if not field.has_default()]


def is_counted(field: Any) -> bool:
    """Return whether a package counts what a field contains.

    Nobody edits it, and its model has it from a package. All numbers and texts that
    an abstract model of a tree has are such ones, even if Django would edit them:
    those that a project adds stand in a class of its own. Other texts of a package's
    abstract models, such as a title, are a user's.
    """
    if not isinstance(field, COUNTED_KINDS) or field.is_relation or field.choices:
        return False
    base = base_of_package(field)
    if base is not None and is_tree(base):
        return True
    return not field.editable and (base is not None or is_tree(field.model))


def adder_of_roots(model: type[models.Model]) -> Any:
    """Return the function that adds the root of a tree, or None.

    Newer versions of django-treebeard have it in the manager.
    """
    places = (model._default_manager, model)
    found = (getattr(place, "add_root", None) for place in places)
    return next(filter(None, found), None)


def is_tree(model: type[Any]) -> bool:
    """Return whether a model has the methods of django-treebeard or django-mptt."""
    return any(hasattr(model, name) for name in TREE_METHODS)


def base_of_package(field: Any) -> type[models.Model] | None:
    """Return the abstract model of a package that declares a field, or None."""
    classes: Any = field.model.__mro__
    # The last one: what inherits from it repeats its fields.
    bases: list[type[Any]] = [base for base in classes if declares(base, field.name)]
    if not bases or not is_of_package(bases[-1]):
        return None
    return bases[-1]


def declares(base: type[Any], name: str) -> bool:
    """Return whether a class is an abstract model with a field of this name."""
    meta = getattr(base, "_meta", None)
    if meta is None or not meta.abstract:
        return False
    return name in {field.name for field in meta.local_fields}


def is_of_package(kind: type[Any]) -> bool:
    """Return whether a class is neither Django's nor in the project's own code."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if file is None or kind.__module__.startswith("django."):
        return False
    return not is_own_path(Path(file))
