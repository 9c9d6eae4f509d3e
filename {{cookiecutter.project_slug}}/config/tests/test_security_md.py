"""SECURITY.md says what the tests show, no more and no less."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

ROW = re.compile(r"^\| (\S+) \| .+ \| (`test_\w+`(?:, `test_\w+`)*) \|$", re.MULTILINE)


def marked(path: Path) -> Iterator[tuple[str, str]]:
    """Yields each control's id and the test that shows it."""
    for function in ast.parse(path.read_text(encoding="utf-8")).body:
        for decorator in getattr(function, "decorator_list", []):
            if ast.unparse(decorator).startswith("pytest.mark.control("):
                yield decorator.args[0].value, function.name  # type: ignore[attr-defined]


def test_table_of_controls_is_what_the_markers_say() -> None:
    text = (settings.BASE_DIR / "SECURITY.md").read_text(encoding="utf-8")
    told = {(control, test) for control, tests in ROW.findall(text) for test in re.findall(r"\w+", tests)}
    files = (path for app in settings.BASE_DIR.glob("[a-z]*/") for path in app.rglob("tests/test_*.py"))
    shown = {pair for path in files for pair in marked(path)}
    assert told == shown, f"missing in SECURITY.md: {shown - told}; without a test: {told - shown}"
