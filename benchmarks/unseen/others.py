"""What other tools notice of a feature, by the same rule."""

import sys
from pathlib import Path

from tests.guard.hurried import Feature
from tests.guard.hurried.checks import Failure, Outcome, run_command, used_seconds

BANDIT_LINE = "{relpath}:{line}: {test_id} {msg}"


def commands(feature: Feature) -> dict[str, list[str]]:
    """Return the other tools, each by the command that looks at a feature."""
    bandit = ["bandit", "--quiet", "-r", feature.name]
    bandit += ["--format", "custom", "--msg-template", BANDIT_LINE]
    ruff = ["ruff", "check", "--isolated", "--output-format", "concise"]
    return {
        "Bandit": bandit,
        "Bandit -ll": [*bandit, "-ll"],
        "Ruff S": [*ruff, "--select", "S", feature.name],
        "check --deploy": [sys.executable, "manage.py", "check", "--deploy"],
    }


def run_others(project: Path, feature: Feature) -> list[Outcome]:
    """Run the other tools, each on the feature as it was written."""
    outcomes = []
    for name, command in commands(feature).items():
        start = used_seconds()
        lines = run_command(project, *command).stdout.splitlines()
        failures = [Failure("", [line.removeprefix("./")]) for line in lines]
        outcomes.append(Outcome(name, used_seconds() - start, failures))
    return outcomes
