"""What a project leaves out: it exists, and there is a reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

from secure_django.guard.access import EVERYBODY, INCLUDED
from secure_django.guard.config import RULES, kind_of
from secure_django.guard.findings import Findings
from secure_django.guard.tables import CONFIG

FOLDER = Path(__file__).parent


def test_what_is_left_out_exists_and_has_a_reason() -> None:
    findings = Findings()
    known = known_names()
    for name, reason in CONFIG.left_out.items():
        kind = kind_of(name)
        if kind in known and name not in known[kind]:
            findings.add(f"{name} is left out, but there is no such {kind}")
        if not isinstance(reason, str) or not reason.strip():
            findings.add(f"{name} is left out without a reason")
    findings.report(
        "Delete its line in [tool.secure-django.left-out] of pyproject.toml, or write"
        " the route, the name and the reason there."
    )


def known_names() -> dict[str, set[str]]:
    """Return what may be left out, by kinds. The controls know more tests."""
    names = {"page": set(INCLUDED), "rule": set(RULES), "person": set(EVERYBODY)}
    return names if CONFIG.is_of_template else names | {"test": set(names_of_tests())}


def names_of_tests() -> Iterator[str]:
    for path in FOLDER.glob("test_*.py"):
        for part in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(part, ast.FunctionDef) and part.name.startswith("test_"):
                yield part.name
