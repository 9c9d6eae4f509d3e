"""Run a project's tests, the guard and the controls; demand their evidence.

The arguments are pytest's. Without one that selects tests, each test of the package has
to run, unless pyproject.toml names it with a reason:
see secure_django/docs/controls.md.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from secure_django.commands.programs import check_project

REPORTS = Path("reports")
WHOLE = REPORTS / "controls.json"
PARTIAL = REPORTS / "controls-partial.json"
PARALLEL = ("-n", "auto", "--dist", "worksteal")
NO_EVIDENCE = (
    "The plugin of secure-django did not run, so neither the guard nor the controls"
    ' did: remove "-p no:secure_django" and PYTEST_DISABLE_PLUGIN_AUTOLOAD from your'
    " options of pytest, and keep the package's apps in INSTALLED_APPS."
)
NOT_WHOLE = (
    "Only a part of the tests ran, although the command selects none:"
    f" {PARTIAL} says which."
)
RED = f"{WHOLE} says that a test failed or did not run: something hides its failure."


def main(*arguments: str) -> int:
    """Return pytest's exit code, or 1 with a sentence if the evidence is missing."""
    check_project()
    before = (time_of(WHOLE), time_of(PARTIAL))
    parallel = PARALLEL if find_spec("xdist") else ()
    command = [sys.executable, "-m", "pytest", *parallel, *arguments]
    status = subprocess.run(command, check=False).returncode  # noqa: S603 - no shell
    if status:
        return status
    problem = find_problem(before, is_whole=not arguments)
    if problem:
        print(problem, file=sys.stderr)
    return 1 if problem else 0


def find_problem(before: tuple[int, int], *, is_whole: bool) -> str:
    """Return what is wrong with the evidence of a run that succeeded."""
    if time_of(WHOLE) != before[0]:
        evidence = json.loads(WHOLE.read_text(encoding="utf-8"))
        is_green = evidence["complete"] and evidence["result"] == "green"
        return "" if is_green else RED
    if time_of(PARTIAL) == before[1]:
        return NO_EVIDENCE
    return NOT_WHOLE if is_whole else ""


def time_of(file: Path) -> int:
    """Return when a file was written, or 0 if there is none."""
    return file.stat().st_mtime_ns if file.exists() else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
