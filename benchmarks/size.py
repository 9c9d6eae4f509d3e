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


def main() -> None:
    """Print what both ends of the range emit, beside what they should."""
    rows: list[list[object]] = []
    for name, (answers, most_files, most_lines, most_test_lines) in AIMS.items():
        with generated(answers) as project:
            paths = [path.relative_to(project) for path in project.rglob("*.py") if "migrations" not in path.parts]
            code = [project / path for path in paths if not is_test(path)]
            tests = [project / path for path in paths if is_test(path)]
            rows += [
                [f"{name}: files", len(code), most_files],
                [f"{name}: lines", lines(code), most_lines],
                [f"{name}: lines of tests", lines(tests), most_test_lines],
            ]
    print_table(["Python that is emitted", "count", "aim, at most"], rows)


if __name__ == "__main__":
    main()
