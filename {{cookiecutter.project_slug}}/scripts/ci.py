"""Run checks and tests, each to its end, and print a table of the results, with the reason of each failure."""

import os
import shutil
import subprocess
import sys
import time

from scripts.scans import table

STEPS = {
    "style": "ruff check",
    "format": "ruff format --check",
    "imports": "lint-imports --no-logo --no-cache",
    "types": "mypy .",
    "settings": "python manage.py check --deploy --fail-level WARNING",
    "migrations": "python manage.py makemigrations --check --dry-run --skip-checks",
}


def main(names: list[str]) -> int:
    # A console that cannot show a character shows its code point.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    failed = []
    rows = [("step", "result", "seconds", "why"), ("---",) * 4]
    for name in names:
        started = time.monotonic()
        code, last = show(*STEPS.get(name, f"poe {name}").split())
        failed += [name] if code else []
        result, why = ("failed", last) if code else ("passed", "")
        rows.append((name, result, f"{time.monotonic() - started:.0f}", why))
    print(f"\n{table(rows)}", end="")
    if failed:
        print(f"\nFailed: {', '.join(failed)}")
    return int(failed != [])


def show(program: str, *arguments: str) -> tuple[int, str]:
    """Run a command, print its output as it comes, and return the exit code and the last line that says something."""
    print("==", program, *arguments, flush=True)
    last = ""
    with subprocess.Popen(  # noqa: S603 - no shell, and all arguments come from this project
        [shutil.which(program) or program, *arguments],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "core.tests.settings", "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            text = line.strip("= \n")
            last = text if text and not text.startswith("[") else last  # a hint of Ruff
    return process.returncode, last


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
