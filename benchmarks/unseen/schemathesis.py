"""What Schemathesis notices of a feature, by the same rule.

It is no dependency of this repository: `uv tool run` fetches it.
"""

import os
import re
from pathlib import Path

from benchmarks.unseen import FOLDER
from tests.guard.hurried import Feature
from tests.guard.hurried.checks import (
    Failure,
    Outcome,
    pytest_command,
    run_command,
    used_seconds,
)

VERSION = "4.32.5"
SECONDS = 60  # of each run; what it has found by then counts
HELPER = "serving.py"
# In its report: the operation, and the titles of what it found there.
OPERATION = re.compile(r"^_+ ([A-Z]+ /\S*) _+$")
TITLE = re.compile(r"^- (.+)$")


def run_schemathesis(project: Path, feature: Feature) -> Outcome:
    """Serve a feature with its access table to Schemathesis, as two users."""
    test = project / "tests" / "test_served.py"
    test.write_text((FOLDER / HELPER).read_text("utf-8"), encoding="utf-8")
    report = project / "reports" / "served.xml"
    os.environ["SERVED_APP"] = feature.name
    os.environ["SCHEMATHESIS"] = f"uvx schemathesis@{VERSION}"
    os.environ["SCHEMATHESIS_SECONDS"] = str(SECONDS)
    start = used_seconds()
    try:
        output = run_command(project, *pytest_command(report), "tests/test_served.py")
    finally:
        test.unlink()
    path = project / "reports" / "schemathesis.txt"
    text = path.read_text("utf-8") if path.is_file() else output.stdout
    return Outcome("Schemathesis", used_seconds() - start, read_failures(text))


def read_failures(text: str) -> list[Failure]:
    """Return what a report says of each operation, one line for each failure."""
    operation = ""
    failures = []
    for line in text.splitlines():
        heading = OPERATION.match(line)
        title = TITLE.match(line)
        operation = heading[1] if heading else operation
        if title and operation:
            failures.append(Failure("", [f"{as_route(operation)}: {title[1]}"]))
    return failures


def as_route(operation: str) -> str:
    """Return an operation with its parameters as the guard writes them."""
    return re.sub(r"\{(\w+)\}", r"<\1>", operation)
