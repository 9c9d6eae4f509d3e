"""The access table of a feature, as somebody in a hurry makes it: nobody reads it.

`objects` makes what the guard makes by itself elsewhere (mechanical.py), and the rows
are those that the failing test of the guard prints.
"""

import re
import sys
from pathlib import Path

from benchmarks.unseen import FOLDER
from tests.guard.hurried import Feature
from tests.guard.hurried.checks import (
    must_run,
    pytest_command,
    read_report,
    run_command,
)

HELPER = "mechanical.py"
TEST = "test_every_url_has_an_access_rule"
PRINTED_ROW = re.compile(r"^(?:E\s+)?(/\S*(?: +(?:\d{3}|log-in|reauth|away|\?)){5,})$")
TABLE = '''"""Who gets which response from each URL: pasted, and read by nobody."""

from typing import Any

from tests.mechanical import make_objects
from users.models import User

ROWS = """
{rows}
"""


def objects({parameters}) -> dict[str, Any]:
    return make_objects("{app}", {{{people}}})
'''


def paste_table(feature: Feature, project: Path) -> list[str]:
    """Write the access table of a feature, and return what could not be made for it."""
    helper = project / "tests" / HELPER
    helper.write_text((FOLDER / HELPER).read_text("utf-8"), encoding="utf-8")
    add_tests(feature, project)
    further = must_run(project, sys.executable, "-m", "tests.mechanical", feature.name)
    people = ["owner", *further.split()]
    write_table(feature, project, people, [])
    text = report_of_test(project)
    rows = [match[1] for match in map(PRINTED_ROW.match, text.splitlines()) if match]
    # Who names somebody in a row lets them see it.
    write_table(feature, project, people, [row.replace("?", "200") for row in rows])
    problems = [] if rows else [f"No rows were printed:\n{text}"]
    return [*problems, *read_unmade(project)]


def add_tests(feature: Feature, project: Path) -> None:
    """Make the folder of the app's tests a package."""
    folder = project / feature.name / "tests"
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()


def write_table(
    feature: Feature, project: Path, people: list[str], rows: list[str]
) -> None:
    """Write the access table with these rows."""
    text = TABLE.format(
        rows="\n".join(rows),
        parameters=", ".join(f"{name}: User" for name in people),
        app=feature.name,
        people=", ".join(f'"{name}": {name}' for name in people),
    )
    path = project / feature.name / "tests" / "table.py"
    path.write_text(text, encoding="utf-8")


def report_of_test(project: Path) -> str:
    """Return what the test says that prints the missing rows."""
    report = project / "reports" / "rows.xml"
    done = run_command(project, *pytest_command(report), "-k", TEST)
    texts = read_report(report) if report.is_file() else {}
    return texts.get(TEST) or done.stdout


def read_unmade(project: Path) -> list[str]:
    """Return what the first run could not make, each once, and forget it."""
    path = project / "reports" / "unmade.txt"
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    path.unlink()
    return list(dict.fromkeys(lines))
