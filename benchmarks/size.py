"""The size of emitted projects: files and lines of Python and shell. Tests and migrations are counted apart."""

from pathlib import Path
from typing import NamedTuple

from benchmarks import generated, print_table
from tests.support.baking import ALL_OFF, ALL_ON, Answers


class Extreme(NamedTuple):
    """The answers of a project, and the most lines of code that it may have."""

    answers: Answers
    aim: int
    bound: int  # the figure reached; tests/test_upstream.py enforces it


EXTREMES = {
    "nothing chosen": Extreme(ALL_OFF, aim=3_500, bound=5_280),
    "everything chosen": Extreme(ALL_ON, aim=4_800, bound=6_620),
}


class Size(NamedTuple):
    """The number of files with code, and lines."""

    files: int
    lines: int
    tests: int
    migrations: int


def is_code(path: Path) -> bool:
    """Tell whether a file is Python or a shell script."""
    if path.suffix == ".py":
        return True
    with path.open("rb") as file:
        shebang = file.readline(100)
    return shebang.startswith(b"#!") and shebang.rstrip().endswith(b"sh")


def is_test(path: Path) -> bool:
    """Tell whether a file is only used by tests."""
    return "tests" in path.parts or path.as_posix() in {"conftest.py", "core/testing.py"}


def lines(paths: list[Path]) -> int:
    """Return the number of lines of files."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def count(project: Path) -> Size:
    """Return the size of a project that has no virtual environment in its folder."""
    code, tests, migrations = list[Path](), list[Path](), list[Path]()
    for path in (it for it in project.rglob("*") if it.is_file() and is_code(it)):
        inside = path.relative_to(project)
        (migrations if "migrations" in inside.parts else tests if is_test(inside) else code).append(path)
    return Size(len(code), lines(code), lines(tests), lines(migrations))


def main() -> None:
    """Print the size of a project with nothing and with everything chosen."""
    rows: list[list[object]] = []
    for name, extreme in EXTREMES.items():
        with generated(extreme.answers) as project:
            rows.append([name, *count(project), extreme.bound, extreme.aim])
    print_table(["emitted code", "files", "lines", "lines of tests", "of migrations", "bound", "aim"], rows)


if __name__ == "__main__":
    main()
