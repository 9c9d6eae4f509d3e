"""Run all scans, or the named ones, and print a table of the results. The reports are in reports/."""

import os
import shutil
import sys
import time
from pathlib import Path

from scripts import dependency_check, scans

REPORTS = Path("reports")
SCANS = {
    "bandit": (scans.bandit, "insecure calls in the code"),
    "leaks": (scans.leaks, "secrets in commits"),
    "audit": (scans.audit, "known vulnerabilities (OSV)"),
    "dependency-check": (dependency_check.scan, "the same in the NVD, which knows fewer"),
    # % if cookiecutter.ci_scanning == "github"
    "workflows": (scans.workflows, "vulnerable workflows"),
    # % endif
    "sbom": (scans.sbom, "nothing: writes the SBOM"),
}


def main(names: list[str]) -> int:
    if unknown := set(names) - SCANS.keys():
        sys.exit(f"Unknown scan: {', '.join(sorted(unknown))}. Known scans: {', '.join(SCANS)}.")
    # A console that cannot show a character shows its code point.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    rows = [run_scan(name) for name in names or SCANS]
    lines = [(name, result.partition(":")[0], taken, SCANS[name][1]) for name, result, taken in rows]
    table = scans.table([("tool", "result", "seconds", "looks for"), ("---",) * 4, *lines])
    missed = [f"{name}: {result}" for name, result, _ in rows if result.startswith("not run")]
    if missed:
        missed += ["", "A scan that did not run shows nothing, and counts as a failure in CI."]
        table += "\n" + "\n".join(missed) + "\n"
    (REPORTS / "summary.md").write_text(f"### Scans\n\n{table}\n", encoding="utf-8")
    print(f"\n{table}", end="")
    return int(any(result.startswith("found") for _, result, _ in rows) or (missed != [] and "CI" in os.environ))


def run_scan(name: str) -> tuple[str, str, str]:
    print(f"== {name}", flush=True)
    started = time.monotonic()
    folder = REPORTS / name
    shutil.rmtree(folder, ignore_errors=True)  # an old report must not be taken for a new one
    folder.mkdir(parents=True)
    try:
        found = SCANS[name][0](folder)
    except scans.NotRun as reason:
        result = f"not run: {reason}"
    except Exception as error:  # a report in an unexpected form shows nothing, so the scan must not pass
        result = f"not run: {type(error).__name__}: {error}"
    else:
        sys.stdout.writelines(f"{line}\n" for line in found)
        result = f"found {len(found)}" if found else "passed"
    if reports := sorted(folder.glob("*.*"), key=lambda path: (path.suffix != ".html", path)):
        print(f"Report: {reports[0].as_posix()}")
    return name, result, f"{time.monotonic() - started:.0f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
