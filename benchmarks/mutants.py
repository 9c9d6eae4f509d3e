"""Break the package at random places, and count how often its tests notice.

`mutations` breaks the controls that its authors thought of; this breaks anything:
conditions, comparisons, statements, decorators, arguments, entries of lists, fields and
methods of classes, and constants. A mutant that no test notices is a survivor. One that
only keeps the package from starting shows nothing about the tests, and does not count.
Nor does one that equivalent.toml lists: the package does the same with it. The tests
are those of the quick tier, which run the package in place. Type annotations, the type
of a `cast` and the arguments of `@dataclass` are left alone, since nothing that runs
depends on them, and so are sentences, which no test should repeat.
"""

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Queue

from benchmarks import print_table
from benchmarks.covering import (
    PACKAGE,
    Coverage,
    Subject,
    package,
    tested_by,
    trace,
)
from benchmarks.mutations import changed_since

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
COUNT = 200
ENOUGH = 50
# A mutant that makes the tests endless is noticed too.
TIMEOUT_SECONDS = 300
# Rooms that only tests need, and what nothing runs.
LEFT_OUT = {"controls", "guard", "migrations", "testing"}
# A test that fails, or whose fixtures do. A module that cannot be imported has no test.
FAILED = re.compile(r"^(?:FAILED|ERROR) \S+::", re.MULTILINE)
SENTENCE = re.compile(r"[A-Z][a-z ].* ", re.DOTALL)
NOTICED, SURVIVES, STILLBORN = "noticed", "survives", "does not start"
SLOW = {"tests/conf/test_settings.py", "src/secure_django/guard/test_table.py"}
# What is run in a process of its own, where coverage does not see it.
UNSEEN = {
    "src/secure_django/conf/": ["tests/conf/test_settings.py"],
    "src/secure_django/photos/checks.py": ["tests/conf/test_settings.py"],
    "src/secure_django/photos/decoder.py": ["tests/photos/test_images.py"],
}
OPPOSITES: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}


@dataclass(frozen=True)
class Mutant:
    """A change of the text of a file between two offsets, in bytes.

    `statement` is the line that coverage names.
    """

    path: str
    statement: int
    line: int
    kind: str
    start: int
    end: int
    text: str

    def apply(self, source: bytes) -> bytes:
        """Return the changed source."""
        return source[: self.start] + self.text.encode() + source[self.end :]

    def describe(self, source: bytes) -> tuple[str, str, str]:
        """Return the path, the change and its line, as in equivalent.toml."""
        before, after = (
            " ".join(text.split())[:60]
            for text in (source[self.start : self.end].decode(), self.text)
        )
        return (
            self.path,
            f"{before} → {after}",
            source.decode().splitlines()[self.line - 1].strip(),
        )


class Finder(ast.NodeVisitor):
    """Find all mutants of a module."""

    def __init__(self, path: str, source: bytes) -> None:
        """Take a module."""
        self.path, self.source, self.found, self.statement = (
            path,
            source,
            list[Mutant](),
            1,
        )
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.visit(ast.parse(source))

    def visit(self, node: ast.AST) -> None:
        """Remember the statement that a node is in."""
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            self.statement = node.lineno
        super().visit(node)

    def change(self, kind: str, line: int, start: int, end: int, text: str) -> None:
        """Add a mutant."""
        self.found.append(
            Mutant(self.path, self.statement, line, kind, start, end, text)
        )

    def span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        """Return where a node starts and ends."""
        end = self.starts[(node.end_lineno or node.lineno) - 1] + (
            node.end_col_offset or 0
        )
        return self.starts[node.lineno - 1] + node.col_offset, end

    def add(
        self,
        kind: str,
        node: ast.expr | ast.stmt | ast.keyword,
        text: str,
        *,
        comma: bool = False,
    ) -> None:
        """Add a mutant that replaces a node, and the comma after it or before it."""
        start, end = self.span(node)
        if comma:
            after = len(self.source[end:]) - len(self.source[end:].lstrip())
            if self.source[end + after : end + after + 1] == b",":
                end += after + 1
            else:
                start = len(self.source[:start].rstrip().removesuffix(b","))
        self.change(kind, node.lineno, start, end, text)

    def negate(self, test: ast.expr) -> None:
        """Add the mutant whose condition is the opposite."""
        start, end = self.span(test)
        self.add(
            "condition negated", test, f"(not ({self.source[start:end].decode()}))"
        )

    def visit_If(self, node: ast.If | ast.While | ast.IfExp) -> None:
        """Negate the condition."""
        self.negate(node.test)
        self.generic_visit(node)

    visit_While = visit_IfExp = visit_If  # noqa: N815 - the names are ast's

    def visit_comprehension(self, node: ast.comprehension) -> None:
        """Negate the conditions."""
        for test in node.ifs:
            self.negate(test)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        """Change the operator between two values."""
        left, right = self.span(node.left)[1], self.span(node.comparators[0])[0]
        if len(node.ops) == 1 and not set(b"()") & set(self.source[left:right]):
            text = f" {OPPOSITES[type(node.ops[0])]} "
            self.change("comparison changed", node.lineno, left, right, text)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.ClassDef) -> None:
        """Remove decorators."""
        for decorator in node.decorator_list:
            start, end = self.span(decorator)
            self.change("decorator removed", decorator.lineno, start - 1, end, "")
            if not ast.unparse(decorator).startswith("dataclass("):
                self.visit(decorator)
        parts = (
            node.keywords if isinstance(node, ast.ClassDef) else [node.args]
        ) + node.body
        for part in parts:
            self.visit(part)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Remove fields and methods."""
        for member in node.body:
            if isinstance(member, ast.FunctionDef):
                start, end = (
                    self.starts[member.lineno - 1] + member.col_offset,
                    self.span(member)[1],
                )
                for decorator in member.decorator_list:
                    start = min(start, self.span(decorator)[0] - 1)
                self.change("method removed", member.lineno, start, end, "pass")
            elif isinstance(member, ast.Assign | ast.AnnAssign) and member.value:
                self.add("field removed", member, "pass")
        self.visit_FunctionDef(node)

    def visit_TypeAlias(self, node: ast.TypeAlias) -> None:
        """Leave types alone."""

    def visit_Call(self, node: ast.Call) -> None:
        """Remove named arguments, except the words of a command's help."""
        if ast.unparse(node.func) == "cast":
            self.visit(node.args[1])
            return
        for keyword in node.keywords:
            if keyword.arg and keyword.arg not in {"help", "metavar"}:
                self.add("argument removed", keyword, "", comma=True)
        self.generic_visit(node)

    def visit_List(self, node: ast.List | ast.Set | ast.Tuple) -> None:
        """Remove entries."""
        for element in node.elts:
            self.add("entry removed", element, "", comma=True)
        self.generic_visit(node)

    visit_Set = visit_List  # noqa: N815

    def visit_Tuple(self, node: ast.Tuple) -> None:
        """Remove entries of what is a list rather than a pair."""
        if len(node.elts) > 2:  # noqa: PLR2004
            self.visit_List(node)
        else:
            self.generic_visit(node)

    def visit_Raise(
        self, node: ast.Raise | ast.AugAssign | ast.Delete | ast.Expr
    ) -> None:
        """Remove the statement."""
        self.add("statement removed", node, "pass")
        self.generic_visit(node)

    visit_AugAssign = visit_Delete = visit_Raise  # noqa: N815

    def visit_Expr(self, node: ast.Expr) -> None:
        """Remove calls; leave docstrings alone."""
        if isinstance(node.value, ast.Call):
            self.visit_Raise(node)
        elif not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Leave formatted strings alone."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Leave the annotation alone."""
        if node.value:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        """Leave annotations alone."""

    def visit_Constant(self, node: ast.Constant) -> None:
        """Change the value."""
        self.constant(node)

    def constant(self, node: ast.Constant) -> None:
        """Add the mutant of a constant."""
        start, _ = self.span(node)
        match node.value:
            case bool():
                self.add("constant changed", node, str(not node.value))
            case int():
                self.add("constant changed", node, str(node.value + 1))
            case str() if self.source[start : start + 1] in {
                b'"',
                b"r",
            } and not SENTENCE.match(node.value):
                self.add("constant changed", node, '"mutated"' if node.value else '"m"')


def find_all(folder: Path) -> Iterator[tuple[Mutant, bytes]]:
    """Yield each mutant of the package in a repository, with its module's source."""
    for path in sorted((folder / PACKAGE).rglob("*.py")):
        if LEFT_OUT & set(path.parts):
            continue
        source = path.read_bytes()
        for mutant in Finder(path.relative_to(folder).as_posix(), source).found:
            yield mutant, source


def find(folder: Path) -> list[Mutant]:
    """Return the mutants that Python can parse and that may not be equivalent.

    A mutant is equivalent if equivalent.toml lists it.
    """
    found, known = [], {(it["path"], it["change"], it["line"]) for it in equivalent()}
    for mutant, source in find_all(folder):
        if mutant.describe(source) not in known:
            try:
                compile(mutant.apply(source), mutant.path, "exec")
            except SyntaxError:
                continue
            found.append(mutant)
    return found


def equivalent() -> list[dict[str, str]]:
    """Return the changes that are known to change nothing, each with its reason."""
    mutants: list[dict[str, str]] = tomllib.loads(
        EQUIVALENT.read_text(encoding="utf-8")
    )["mutants"]
    return mutants


def chosen_tests(mutant: Mutant, tests: Coverage, subject: Subject) -> list[str]:
    """Return the tests that can notice a mutant, the likeliest first.

    Return all modules if the tests are unknown.
    """
    found = tests.get((mutant.path, mutant.statement), {""})
    unseen = [
        module
        for start, modules in UNSEEN.items()
        if mutant.path.startswith(start)
        for module in modules
    ]
    near = Counter(
        test.partition("::")[0]
        for (path, _), tests_of_line in tests.items()
        if path == mutant.path
        for test in tests_of_line
        if test
    )
    # First those that run most of the module, then those beside it, and last those that
    # start processes.
    return sorted(
        subject.modules() if "" in found else found | set(unseen),
        key=lambda test: (
            test in SLOW,
            -near[test.partition("::")[0]],
            not is_beside(test, mutant),
        ),
    )


def is_beside(test: str, mutant: Mutant) -> bool:
    """Tell whether a test, or a module of tests, is beside what a mutant changes."""
    place = tested_by(test)
    return bool(place) and mutant.path.startswith(place)


def outcome(mutant: Mutant, subject: Subject, tests: list[str]) -> str:
    """Tell what tests make of a mutant: it is noticed, survives, or does not start."""
    path = subject.folder / mutant.path
    source = path.read_bytes()
    path.write_bytes(mutant.apply(source))
    try:
        done = subject.run_tests(tests, TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return NOTICED
    finally:
        path.write_bytes(source)
    if not done.returncode:
        return SURVIVES
    return NOTICED if FAILED.search(done.stdout) else STILLBORN


def measure(subject: Subject, sample: list[Mutant]) -> Iterator[tuple[Mutant, str]]:
    """Yield each mutant of a sample with its outcome."""
    tests = trace(subject)
    copies: Queue[Subject] = Queue()
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        for number in range(os.cpu_count() or 1):
            copied = shutil.copytree(subject.folder, Path(folder) / str(number))
            copies.put(replace(subject, folder=copied))

        def check(mutant: Mutant) -> str:
            copy = copies.get()
            try:
                return outcome(mutant, copy, chosen_tests(mutant, tests, copy))
            finally:
                copies.put(copy)

        yield from zip(sample, threads.map(check, sample), strict=True)


def parse_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    seed = random.SystemRandom().randrange(10**6)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument(
        "--minimum", type=float, default=0.85, help="the share that must be noticed"
    )
    parser.add_argument(
        "--changed", metavar="COMMIT", help="break only files that differ from it"
    )
    parser.add_argument(
        "paths", nargs="*", help="break only files whose path starts with one of these"
    )
    return parser.parse_args()


def draw(subject: Subject, options: argparse.Namespace) -> list[Mutant]:
    """Return a sample of the mutants that the options allow."""
    mutants = find(subject.folder)
    if options.paths:
        starts = tuple(options.paths)
        mutants = [mutant for mutant in mutants if mutant.path.startswith(starts)]
    if options.changed:
        changed = changed_since(options.changed)
        mutants = [mutant for mutant in mutants if mutant.path in changed]
    count = min(options.count, len(mutants))
    sample = random.Random(options.seed).sample(mutants, count)  # noqa: S311
    note(f"{count} of {len(mutants)} mutants, seed {options.seed}")
    return sample


def note(text: str) -> None:
    """Print the progress, apart from the result."""
    print(text, file=sys.stderr, flush=True)


def try_all(
    subject: Subject, sample: list[Mutant]
) -> tuple[Counter[tuple[str, str]], list[list[object]]]:
    """Return how often each result came in each room, and a row for each survivor."""
    totals = Counter[tuple[str, str]]()
    survivors: list[list[object]] = []
    for number, (mutant, result) in enumerate(measure(subject, sample), start=1):
        totals[room_of(mutant), result] += 1
        if number % 20 == 0:
            note(f"{number} of {len(sample)}")
        if result == SURVIVES:
            source = (subject.folder / mutant.path).read_bytes()
            path, change, line = mutant.describe(source)
            place = f"{path}:{mutant.line}"
            survivors.append([place, mutant.kind, f"`{change}`", f"`{line}`"])
            note("  ".join(map(str, survivors[-1])))
    return totals, survivors


def room_of(mutant: Mutant) -> str:
    """Return the room or the module of the package that a mutant changes."""
    return mutant.path.split("/")[2]


def main() -> None:
    """Print the survivors and the share noticed; exit with an error below a minimum."""
    options = parse_options()
    started = time.monotonic()
    with package() as subject:
        sample = draw(subject, options)
        if not sample:
            print("No mutant is in what changed.")
            return
        totals, survivors = try_all(subject, sample)
    header = ["survivor", "kind", "change", "line"]
    print_table(header, survivors or [["none", "", "", ""]])
    print()
    results = (NOTICED, SURVIVES, STILLBORN)
    rooms = sorted({room for room, _ in totals})
    rows = [[room, *(totals[room, result] for result in results)] for room in rooms]
    print_table(["room", *results], rows)
    noticed = sum(totals[room, NOTICED] for room in rooms)
    survived = len(survivors)
    share = noticed / max(noticed + survived, 1)
    seconds = time.monotonic() - started
    print(f"\n{share:.1%} noticed, seed {options.seed} ({seconds:.0f} seconds).")
    # A few mutants of the files of a request say little about a share.
    if share < options.minimum and len(sample) >= ENOUGH:
        sys.exit(1)


if __name__ == "__main__":
    main()
