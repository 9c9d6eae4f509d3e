"""The size of projects and of the package, and how much a reader meets at once.

Of a project, what its team owns counts: not the package in vendor/.

Size is only reported: a bound on lines would reward whoever packs them. Density is
bounded, and tests/template/test_upstream.py enforces it.
"""

import argparse
import ast
import io
import statistics
import subprocess
import sys
import tempfile
import tokenize
from pathlib import Path
from typing import Literal, NamedTuple

from complexipy import code_complexity

from benchmarks import generated, print_table
from tests.support.baking import ALL_OFF, ALL_ON, ROOT, Answers

PACKAGE = ROOT / "src"
GUARD = PACKAGE / "secure_django" / "guard"
TESTS = ROOT / "tests"
HURRIED = TESTS / "guard" / "hurried"  # bad code on purpose
COLUMNS = 88
# The cognitive complexity that complexipy's guidelines call simple.
SIMPLE = 10

TEST_FILES = {"conftest.py", "tests.py"}
# In the package, `testing` has fixtures, and `controls` tests of an assembled project.
TEST_FOLDERS = {"controls", "testing", "tests"}
FOREIGN_FOLDERS = {".git", ".venv", "node_modules", "vendor"}

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SEQUENCES = (ast.Tuple, ast.List)
# What stands in the body of a statement, and is counted by itself.
INNER = (ast.stmt, ast.ExceptHandler)


type Kind = Literal["code", "shell", "tests", "migrations"]


class Size(NamedTuple):
    """How much there is. Lines are neither blank nor of comments or docstrings."""

    all_files: int
    words: int
    files: int
    lines: int
    complexity: int
    shell_lines: int
    test_lines: int
    migration_lines: int


class Density(NamedTuple):
    """How much a reader meets at once."""

    statement_nodes: int
    packed_assignments: float
    complex_functions: float
    line_width: float
    conditional_expressions: float
    walruses: float
    one_word_functions: float


LABELS = {
    "all_files": "files, without migrations and locks",
    "words": "words of documents",
    "files": "files of Python",
    "lines": f"lines of Python after `ruff format` at {COLUMNS}",
    "complexity": "cognitive complexity, sum",
    "shell_lines": "lines of shell",
    "test_lines": "lines of tests",
    "migration_lines": "lines of migrations",
    "statement_nodes": "AST nodes a statement, 90th percentile",
    "packed_assignments": "packed assignments per 100 statements",
    "complex_functions": f"functions with a cognitive complexity over {SIMPLE}, %",
    "line_width": "mean width of a line, without its indentation",
    "conditional_expressions": "conditional expressions per 100 statements",
    "walruses": "walruses per 100 statements",
    "one_word_functions": "functions named by one word, %",
}

AIMS: dict[str, float] = {
    "statement_nodes": 18,
    "packed_assignments": 0.2,
    "complex_functions": 3,
    "line_width": 35,
    "conditional_expressions": 1,
    "walruses": 0.2,
}


class Bounds(NamedTuple):
    """The figures of density that may not grow."""

    statement_nodes: int
    packed_assignments: float
    complex_functions: float


class Extreme(NamedTuple):
    """The answers of a project, how dense its code may be, and aims of its size."""

    answers: Answers
    bounds: Bounds
    aims: dict[str, float]


# Each bound is the figure reached, rounded up. Lower it whenever the figure falls.
EXTREMES = {
    "nothing chosen": Extreme(
        ALL_OFF | {"deployment": "platform"},
        Bounds(statement_nodes=19, packed_assignments=0, complex_functions=0),
        {"all_files": 55, "words": 7_000, "lines": 320, "test_lines": 150},
    ),
    "everything chosen": Extreme(
        ALL_ON,
        Bounds(statement_nodes=18, packed_assignments=0, complex_functions=0),
        {"all_files": 110, "words": 11_000, "lines": 500, "test_lines": 400},
    ),
}

ENGINE_BOUNDS = Bounds(
    statement_nodes=18, packed_assignments=0.1, complex_functions=1.1
)
GUARD_BOUNDS = Bounds(statement_nodes=20, packed_assignments=0, complex_functions=0.5)
TEST_BOUNDS = Bounds(statement_nodes=21, packed_assignments=0.3, complex_functions=2.2)


class Part(NamedTuple):
    """A folder of this repository, what counts there, and how dense it may be."""

    folder: Path
    kinds: tuple[Kind, ...]
    bounds: Bounds
    without: Path | None = None  # a folder with bounds of its own


PARTS = {
    "the engines": Part(PACKAGE, ("code",), ENGINE_BOUNDS, without=GUARD),
    # Each project collects the tests of the guard.
    "the guard": Part(GUARD, ("code", "tests"), GUARD_BOUNDS),
    "the tests": Part(TESTS, ("code", "tests"), TEST_BOUNDS, without=HURRIED),
}


class Module(NamedTuple):
    """A Python file without comments, as Ruff formats it."""

    source: str
    tree: ast.Module


def is_shell(path: Path) -> bool:
    """Return whether a file is a shell script."""
    with path.open("rb") as file:
        first_line = file.readline(100).rstrip()
    return first_line.startswith(b"#!") and first_line.endswith(b"sh")


def kind_of(path: Path, folder: Path) -> Kind | None:
    """Return what a file in a folder counts as, if it counts."""
    parts = path.relative_to(folder).parts
    if not path.is_file() or not FOREIGN_FOLDERS.isdisjoint(parts):
        return None
    if path.suffix != ".py":
        return "shell" if is_shell(path) else None
    is_test = path.name in TEST_FILES or path.name.startswith("test_")
    if is_test or not TEST_FOLDERS.isdisjoint(parts):
        return "tests"
    if "migrations" in parts:
        return "migrations"
    return "code"


def own_files(folder: Path) -> list[Path]:
    """Return the files that a team owns, without migrations and locks."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and FOREIGN_FOLDERS.isdisjoint(path.relative_to(folder).parts)
        and path.parent.name != "migrations"
        and path.suffix != ".lock"
    ]


def count_words(paths: list[Path]) -> int:
    """Return the number of words of Markdown files, separated by spaces."""
    documents = [path for path in paths if path.suffix == ".md"]
    return sum(len(path.read_text(encoding="utf-8").split()) for path in documents)


def find_files(folder: Path, *kinds: Kind, without: Path | None = None) -> list[Path]:
    """Return the files of some kinds, but none of a folder in it."""
    paths = sorted(folder.rglob("*"))
    found = [path for path in paths if kind_of(path, folder) in kinds]
    return [path for path in found if without is None or without not in path.parents]


def remove_comments(source: str) -> str:
    """Return the source without comments, since Ruff breaks a line for a long one."""
    lines = io.StringIO(source).readlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column] + "\n"
    return "".join(lines)


def format_files(folder: Path) -> None:
    """Format Python files; a comma at the end of a list does not keep it open."""
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--no-cache"]
    command += ["--quiet", "--line-length", str(COLUMNS)]
    command += ["--config", "format.skip-magic-trailing-comma=true"]
    subprocess.run([*command, str(folder)], check=True)


def read_modules(
    folder: Path, *kinds: Kind, without: Path | None = None
) -> list[Module]:
    """Return the Python files of some kinds, formatted."""
    with tempfile.TemporaryDirectory() as temporary:
        copies = []
        for number, path in enumerate(find_files(folder, *kinds, without=without)):
            source = path.read_text(encoding="utf-8")
            copy = Path(temporary, f"{number}.py")
            copy.write_text(remove_comments(source), encoding="utf-8")
            copies.append(copy)
        format_files(Path(temporary))
        sources = [copy.read_text(encoding="utf-8") for copy in copies]
    return [Module(source, ast.parse(source)) for source in sources]


def is_docstring(node: ast.AST) -> bool:
    """Return whether a node is a statement that is only a string."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return False
    return isinstance(node.value.value, str)


def lines_of_code(module: Module) -> list[str]:
    """Return the lines that are neither blank nor of a docstring."""
    lines = module.source.split("\n")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Expr) and is_docstring(node):
            last_row = node.end_lineno or node.lineno
            for row in range(node.lineno, last_row + 1):
                lines[row - 1] = ""
    return [line.strip() for line in lines if line.strip()]


def count_lines(modules: list[Module]) -> int:
    """Return the number of lines of code."""
    return sum(len(lines_of_code(module)) for module in modules)


def count_shell_lines(paths: list[Path]) -> int:
    """Return the number of lines that are neither blank nor a comment."""
    texts = [path.read_text(encoding="utf-8") for path in paths]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return sum(line != "" and not line.startswith("#") for line in lines)


def measure_complexities(modules: list[Module]) -> list[int]:
    """Return the cognitive complexity of each function."""
    complexities: list[int] = []
    for module in modules:
        functions = code_complexity(module.source, with_plans=False).functions
        complexities += [function.complexity for function in functions]
    return complexities


def count(folder: Path) -> Size:
    """Return how much a folder has."""
    modules = read_modules(folder, "code")
    files = own_files(folder)
    return Size(
        all_files=len(files),
        words=count_words(files),
        files=len(modules),
        lines=count_lines(modules),
        complexity=sum(measure_complexities(modules)),
        shell_lines=count_shell_lines(find_files(folder, "shell")),
        test_lines=count_lines(read_modules(folder, "tests")),
        migration_lines=count_lines(read_modules(folder, "migrations")),
    )


def is_statement(node: ast.AST) -> bool:
    """Return whether a node is a statement that is no docstring."""
    return isinstance(node, ast.stmt) and not is_docstring(node)


def count_nodes(node: ast.AST) -> int:
    """Return the number of nodes of a statement, without the statements in its body."""
    children = ast.iter_child_nodes(node)
    parts = [child for child in children if not isinstance(child, INNER)]
    return 1 + sum(map(count_nodes, parts))


def is_packed(statement: ast.AST) -> bool:
    """Return whether a statement assigns twice: `a, b = x, y` or `a = b = x`."""
    if not isinstance(statement, ast.Assign):
        return False
    if len(statement.targets) > 1:
        return True
    target = statement.targets[0]
    return isinstance(target, SEQUENCES) and isinstance(statement.value, SEQUENCES)


def find_function_names(nodes: list[ast.AST]) -> list[str]:
    """Return the names that authors chose; Python chose those of special methods."""
    names = [node.name for node in nodes if isinstance(node, FUNCTIONS)]
    return [name.strip("_") for name in names if not name.startswith("__")]


def per_hundred(part: int, whole: int) -> float:
    """Return how many there are for each hundred of a whole."""
    return 100 * part / max(whole, 1)


def measure_density(folder: Path, *kinds: Kind, without: Path | None = None) -> Density:
    """Return how dense some kinds of a folder's files are, of which it has some."""
    modules = read_modules(folder, *kinds, without=without)
    lines = [line for module in modules for line in lines_of_code(module)]
    nodes = [node for module in modules for node in ast.walk(module.tree)]
    conditionals = [node for node in nodes if isinstance(node, ast.IfExp)]
    walruses = [node for node in nodes if isinstance(node, ast.NamedExpr)]
    statements = [node for node in nodes if is_statement(node)]
    packed = [statement for statement in statements if is_packed(statement)]
    node_counts = sorted(count_nodes(statement) for statement in statements)
    complexities = measure_complexities(modules)
    high_complexities = [number for number in complexities if number > SIMPLE]
    names = find_function_names(nodes)
    single_words = [name for name in names if "_" not in name]
    return Density(
        statement_nodes=node_counts[len(node_counts) * 9 // 10],
        packed_assignments=per_hundred(len(packed), len(statements)),
        complex_functions=per_hundred(len(high_complexities), len(complexities)),
        line_width=statistics.fmean(len(line) for line in lines),
        conditional_expressions=per_hundred(len(conditionals), len(statements)),
        walruses=per_hundred(len(walruses), len(statements)),
        one_word_functions=per_hundred(len(single_words), len(names)),
    )


def measure(folder: Path) -> dict[str, float]:
    """Return all figures of a folder: the density is that of its code."""
    size = count(folder)
    density = measure_density(folder, "code")
    return size._asdict() | density._asdict()


def print_figures(header: list[str], columns: list[dict[str, float]]) -> None:
    """Print a row for each figure, with a gap where a column has none."""
    rows: list[list[object]] = []
    for name, label in LABELS.items():
        cells = [column.get(name, "") for column in columns]
        rows.append([label, *cells])
    print_table(["figure", *header], rows)


def print_extremes() -> None:
    """Print the figures of the package, the density of other parts, and two projects.

    The projects are those with nothing and with everything chosen.
    """
    header: list[str] = []
    columns: list[dict[str, float]] = []
    for name, part in PARTS.items():
        if part.folder == PACKAGE:
            figures = measure(PACKAGE)
        else:
            figures = measure_density(part.folder, *part.kinds)._asdict()
        header += [name, "bound"]
        columns += [figures, part.bounds._asdict()]
    for kind, extreme in EXTREMES.items():
        with generated(extreme.answers) as project:
            figures = measure(project)
        header += [kind, "bound or aim"]
        columns += [figures, extreme.bounds._asdict() | extreme.aims]
    print_figures([*header, "aim"], [*columns, AIMS])


def main() -> None:
    """Print the figures of the package and of projects, or of other folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folders", nargs="*", metavar="NAME=FOLDER", help="count these folders instead"
    )
    options = parser.parse_args()
    if not options.folders:
        print_extremes()
        return
    figures: dict[str, dict[str, float]] = {}
    for argument in options.folders:
        name, _, folder = argument.partition("=")
        figures[name] = measure(Path(folder))
    print_figures([*figures, "aim"], [*figures.values(), AIMS])


if __name__ == "__main__":
    main()
