"""Bandit: insecure calls in this project's own code. Red from medium severity on; the reports hold everything."""

import json
import tomllib
from pathlib import Path
from typing import Any

from scripts.scan import expect, run

BANDIT = ("bandit", "--quiet", "-c", "pyproject.toml", "-r", ".")


def scan(reports: Path) -> list[str]:
    for kind in ("html", "sarif", "json"):
        expect(run(*BANDIT, "--exit-zero", "-f", kind, "-o", str(reports / f"bandit.{kind}")), 0)
    gate = run(*BANDIT, "-ll", "-f", "custom", "--msg-template", "{relpath}:{line}: {test_id} {msg}")
    expect(gate, 0, 1)
    return gate.stdout.splitlines() + unread(json.loads((reports / "bandit.json").read_text(encoding="utf-8")))


def unread(report: dict[str, Any]) -> list[str]:
    """Returns what Bandit did not look at, since it is green without it."""
    found = [f"{error['filename']}: not scanned, {error['reason']}" for error in report["errors"]]
    if not any(metrics["loc"] for metrics in report["metrics"].values()):
        found.append(".: no line of code was scanned")
    # Bandit takes a pattern without * for a part of a path: "tests" leaves out contests/ as well.
    settings = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    excluded = settings["tool"]["bandit"]["exclude_dirs"]
    return found + [
        f'pyproject.toml: exclude_dirs: write "*/{path}/*", not "{path}"' for path in excluded if "*" not in path
    ]
