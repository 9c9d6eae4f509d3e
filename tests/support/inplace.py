"""The package's tests in a process of their own, such as on PostgreSQL."""

import sys

from tests.support.baking import ROOT, run

SITE = ROOT / "tests" / "site"
PYTEST = (sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider")


def run_in_place(module: str, **environment: str) -> str:
    """Run a module of tests on the test site, and return the report."""
    return run(ROOT, *PYTEST, module, **environment)
