"""SECURITY.md lists exactly the controls that the tests show."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

ROW = re.compile(r"^\| (\S+) \| .+ \| (`test_\w+`(?:, `test_\w+`)*) \|$", re.MULTILINE)


def markers(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the id of each control and the test that shows it."""
    for function in ast.parse(path.read_text(encoding="utf-8")).body:
        for decorator in getattr(function, "decorator_list", []):
            if ast.unparse(decorator).startswith("pytest.mark.control("):
                yield decorator.args[0].value, function.name  # type: ignore[attr-defined]


def test_table_of_controls_matches_the_markers() -> None:
    documents = [settings.BASE_DIR / "SECURITY.md", *settings.BASE_DIR.glob("[a-z]*/**/SECURITY.md")]
    rows = [row for path in documents for row in ROW.findall(path.read_text(encoding="utf-8"))]
    listed = {(control, test) for control, tests in rows for test in re.findall(r"\w+", tests)}
    files = (path for app in settings.BASE_DIR.glob("[a-z]*/") for path in app.rglob("tests/test_*.py"))
    shown = {pair for path in files for pair in markers(path)}
    assert listed == shown, f"not in SECURITY.md: {shown - listed}; without a test: {listed - shown}"
