"""How much Python is emitted, which its owner has to read: files and lines, without migrations, tests apart."""

from pathlib import Path

from benchmarks import generated, print_table
from tests.baking import ALL_OFF, ALL_ON

AIMS = {"nothing chosen": (ALL_OFF, 40, 1200, 1000), "everything chosen": (ALL_ON, 80, 2600, 2200)}


def is_test(path: Path) -> bool:
    """Tell whether a file is there for tests alone."""
    return "tests" in path.parts or path.name == "conftest.py"


def lines(paths: list[Path]) -> int:
    """Count the lines of files."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def count(project: Path) -> tuple[int, int, int]:
    """Return how many files there are, how many lines they have, and how many the tests."""
    paths = [path.relative_to(project) for path in project.rglob("*.py") if "migrations" not in path.parts]
    code = [project / path for path in paths if not is_test(path)]
    return len(code), lines(code), lines([project / path for path in paths if is_test(path)])


def main() -> None:
    """Print what both ends of the range emit, beside what they should."""
    rows: list[list[object]] = []
    for name, (answers, *aims) in AIMS.items():
        with generated(answers) as project:
            what = (f"{name}: {it}" for it in ("files", "lines", "lines of tests"))
            rows += map(list, zip(what, count(project), aims, strict=True))
    print_table(["Python that is emitted", "count", "aim, at most"], rows)


if __name__ == "__main__":
    main()
