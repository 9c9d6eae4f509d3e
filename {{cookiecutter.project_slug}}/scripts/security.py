"""Runs every scan, or those named, and ends with a table. Reports stand in reports/."""

import os
import shutil
import sys
from pathlib import Path

from scripts import (
    dependency_check,
    scans,
    # % if cookiecutter.ci_scanning == "github"
    workflows,
    # % endif
)

REPORTS = Path("reports")
SCANS = {
    "bandit": scans.bandit,
    "leaks": scans.leaks,
    "audit": scans.audit,
    "dependency-check": dependency_check.scan,
    # % if cookiecutter.ci_scanning == "github"
    "workflows": workflows.scan,
    # % endif
    "sbom": scans.sbom,
}


def main(names: list[str]) -> int:
    if unknown := set(names) - SCANS.keys():
        sys.exit(f"No such scan: {', '.join(sorted(unknown))}. There are: {', '.join(SCANS)}.")
    rows = [("tool", "result", "report"), ("---", "---", "---")]
    for name in names or SCANS:
        print(f"== {name}", flush=True)
        rows.append((name, *look(name)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = "".join("| " + " | ".join(map(str.ljust, row, widths)) + " |\n" for row in rows)
    (REPORTS / "summary.md").write_text(f"### Scans\n\n{table}\n", encoding="utf-8")
    print(f"\n{table}", end="")
    results = [result for _, result, _ in rows[2:]]
    missed = any(result.startswith("not run") for result in results)
    if missed:
        print("\nA scan that did not run has found nothing because it did not look; in CI it fails.")
    return int(any(result.startswith("found") for result in results) or (missed and "CI" in os.environ))


def look(name: str) -> tuple[str, str]:
    """Returns the result of a scan and the path of its report."""
    folder = REPORTS / name
    shutil.rmtree(folder, ignore_errors=True)  # an old report must never pass for a new one
    folder.mkdir(parents=True)
    try:
        found = SCANS[name](folder)
        result = f"found {len(found)}" if found else "passed"
    except scans.NotRun as reason:
        found, result = [], f"not run: {reason}"
    except Exception as error:
        # A report in a form that nobody expected says nothing, and so passes nothing.
        found, result = [], f"not run: {type(error).__name__}: {error}"
    for line in found:
        print(line)
    reports = sorted(folder.glob("*.*"), key=lambda path: (path.suffix != ".html", path))
    return result.replace("|", "/"), reports[0].as_posix() if reports else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
