"""Run check, test and security, and print a table of the results."""

import sys
import time

from scripts.scans import run, table

TASKS = ("check", "test", "security")


def main() -> int:
    rows = [("task", "result", "seconds"), ("---", "---", "---")]
    for task in TASKS:
        started = time.monotonic()
        code = run("poe", task, capture=False).returncode
        rows.append((task, "failed" if code else "passed", f"{time.monotonic() - started:.0f}"))
    print(f"\n{table(rows)}", end="")
    return int(any(result == "failed" for _, result, _ in rows))


if __name__ == "__main__":
    sys.exit(main())
