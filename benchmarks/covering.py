"""Which tests of a generated project run a line of its code."""

import json
import re
import sys
from collections import Counter
from pathlib import Path

from tests.support.baking import SUITE_SECONDS, run, run_within

PYTEST = (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")
type Coverage = dict[tuple[str, int], set[str]]  # by file and line


def trace(project: Path, *options: str) -> Coverage:
    """Run the tests, which must pass, and return which of them run a line of a file."""
    settings = (
        "[run]\ndynamic_context = test_function\nsource = .\n"
        "[json]\nshow_contexts = true\n"
    )
    (project / ".coveragerc").write_text(settings, encoding="utf-8")
    try:
        command = ("coverage", "run", *PYTEST[1:], *options)
        run_within(SUITE_SECONDS, project, command, {})
    except AssertionError as error:
        sys.exit(f"The tests fail before anything is changed:\n{error}")
    run(project, "coverage", "json", "--quiet", "-o", "coverage.json")
    report = json.loads((project / "coverage.json").read_text(encoding="utf-8"))
    tests: Coverage = {}
    for path, file in report["files"].items():
        for line, contexts in file["contexts"].items():
            # A context is the test's dotted name; the empty one is what runs at import
            # and in fixtures.
            tests[path, int(line)] = {
                re.sub(r"^(.+)\.(\w+)$", node, context) for context in contexts
            }
    return tests


def node(context: re.Match[str]) -> str:
    """Return pytest's name of a test from its dotted name."""
    return f"{context[1].replace('.', '/')}.py::{context[2]}"


def count_lines(coverage: Coverage) -> Counter[str]:
    """Return the number of lines that each test runs."""
    return Counter(test for tests in coverage.values() for test in tests)
