"""The names that a later major release removes, and what warns of their use.

A deprecated name works as before for two minor releases or more. Its use warns, and
`manage.py check` names what the project uses of them.
"""

import warnings
from typing import Any, NamedTuple

__all__ = ["RemovedInNextMajorWarning"]


class RemovedInNextMajorWarning(DeprecationWarning):
    """A name that the next major release of secure-django removes is used.

    In a project, this fails a test, as every `DeprecationWarning` does.
    """


class Deprecation(NamedTuple):
    """A name that is to go."""

    kind: str  # as in tests/records/names.json: setting, public, check and so on
    name: str  # of a public name, with its module: secure_django.csv: write_csv
    since: str  # the release that first warns, such as 1.2.0
    removal: str  # the release without it, such as 2.0.0
    replacement: str  # what to write instead

    def __str__(self) -> str:
        """Return the sentence of the warning."""
        return (
            f"{self.name} is deprecated since secure-django {self.since},"
            f" and {self.removal} removes it: use {self.replacement} instead."
        )


# Nothing is deprecated yet.
DEPRECATIONS: tuple[Deprecation, ...] = ()

# The names of modules that were used since the start of the process.
used_names: set[str] = set()


def deprecated_attribute(module: str, name: str, values: dict[str, Any]) -> Any:
    """Return a deprecated name of a module, with a warning.

    A module calls it in a function `__getattr__`, with the values by their names. Raise
    AttributeError for every other name.
    """
    full_name = f"{module}: {name}"
    for deprecation in DEPRECATIONS:
        if deprecation.name == full_name and name in values:
            used_names.add(full_name)
            category = RemovedInNextMajorWarning
            warnings.warn(str(deprecation), category, stacklevel=3)
            return values[name]
    message = f"module {module!r} has no attribute {name!r}"
    raise AttributeError(message)
