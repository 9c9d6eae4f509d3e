"""SECURITY.md and docs/controls.md list exactly the controls that the tests show."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from core.tests.evidence import LISTED

ROW = re.compile(r"^\| (\S+) \| .+ \| (`test_\w+`(?:, `test_\w+`)*) \|$", re.MULTILINE)


def markers(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the id of each control and the test that shows it."""
    for function in ast.parse(path.read_text(encoding="utf-8")).body:
        for decorator in getattr(function, "decorator_list", []):
            if ast.unparse(decorator).startswith("pytest.mark.control("):
                yield decorator.args[0].value, function.name  # type: ignore[attr-defined]


def shown() -> set[tuple[str, str]]:
    files = (
        path
        for app in settings.BASE_DIR.glob("[a-z]*/")
        for path in app.rglob("tests/test_*.py")
    )
    return {pair for path in files for pair in markers(path)}


def test_table_of_controls_matches_the_markers() -> None:
    documents = [
        settings.BASE_DIR / "SECURITY.md",
        *settings.BASE_DIR.glob("[a-z]*/**/SECURITY.md"),
    ]
    rows = [
        row
        for path in documents
        for row in ROW.findall(path.read_text(encoding="utf-8"))
    ]
    listed = {
        (control, test) for control, tests in rows for test in re.findall(r"\w+", tests)
    }
    assert listed == shown(), (
        f"not in SECURITY.md: {shown() - listed}; without a test: {listed - shown()}"
    )


def test_list_of_requirements_is_whole_and_matches_the_markers() -> None:
    rows = LISTED.findall(
        (settings.BASE_DIR / "docs" / "controls.md").read_text(encoding="utf-8")
    )
    assert [level for _, level, *_ in rows].count("1") == 70, (
        "as many as OWASP ASVS 5.0.0 has"
    )
    listed, marked = (
        {control for control, *_, state, _ in rows if state == "shown"},
        {it for it, _ in shown()},
    )
    assert listed == marked, (
        f"not shown in docs/controls.md: {marked - listed};"
        f" without a test: {listed - marked}"
    )
    states = {(state, bool(why)) for *_, state, why in rows}
    assert states == {
        ("shown", False),
        ("not provided", True),
        ("not applicable", True),
    }
