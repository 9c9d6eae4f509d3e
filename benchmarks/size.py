"""The size of emitted projects: Python files and lines, without migrations; tests are counted apart."""

from pathlib import Path

from benchmarks import generated, print_table
from tests.support.baking import ALL_OFF, ALL_ON

# The most lines that a project may have, without tests.
BUDGETS = {"nothing chosen": (ALL_OFF, 2_900), "everything chosen": (ALL_ON, 3_900)}


def is_test(path: Path) -> bool:
    """Tell whether a file is only used by tests."""
    return "tests" in path.parts or path.as_posix() in {"conftest.py", "core/testing.py"}


def lines(paths: list[Path]) -> int:
    """Return the number of lines of files."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def count(project: Path) -> tuple[int, int, int]:
    """Return the number of files without tests, of their lines, and of the lines of tests."""
    paths = [path.relative_to(project) for path in project.rglob("*.py") if "migrations" not in path.parts]
    code = [project / path for path in paths if not is_test(path)]
    return len(code), lines(code), lines([project / path for path in paths if is_test(path)])


def main() -> None:
    """Print the size of a project with nothing and with everything chosen, and the budgets."""
    rows: list[list[object]] = []
    for name, (answers, budget) in BUDGETS.items():
        with generated(answers) as project:
            rows.append([name, *count(project), budget])
    print_table(["emitted Python", "files", "lines", "lines of tests", "budget, lines"], rows)


if __name__ == "__main__":
    main()
