"""Run all scans, or the named ones, and print a table of the results. The reports are in reports/."""

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
        sys.exit(f"Unknown scan: {', '.join(sorted(unknown))}. Known scans: {', '.join(SCANS)}.")
    # A console that cannot show a character shows its code point.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    rows = [run_scan(name) for name in names or SCANS]
    table = scans.table([("tool", "result", "report"), ("---", "---", "---"), *rows])
    (REPORTS / "summary.md").write_text(f"### Scans\n\n{table}\n", encoding="utf-8")
    print(f"\n{table}", end="")
    if missed := any(result.startswith("not run") for _, result, _ in rows):
        print("\nA scan that did not run shows nothing about this project; in CI it counts as a failure.")
    return int(any(result.startswith("found") for _, result, _ in rows) or (missed and "CI" in os.environ))


def run_scan(name: str) -> tuple[str, str, str]:
    """Run a scan; return its row of the table: its name, the result and the path of the report."""
    print(f"== {name}", flush=True)
    folder = REPORTS / name
    shutil.rmtree(folder, ignore_errors=True)  # an old report must not be taken for a new one
    folder.mkdir(parents=True)
    try:
        found = SCANS[name](folder)
    except scans.NotRun as reason:
        result = f"not run: {reason}"
    except Exception as error:  # a report in an unexpected form shows nothing, so the scan must not pass
        result = f"not run: {type(error).__name__}: {error}"
    else:
        sys.stdout.writelines(f"{line}\n" for line in found)
        result = f"found {len(found)}" if found else "passed"
    reports = sorted(folder.glob("*.*"), key=lambda path: (path.suffix != ".html", path))
    return name, result.replace("|", "/"), reports[0].as_posix() if reports else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
