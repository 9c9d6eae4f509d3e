"""The controls that the package's tests show, by their markers.

Run it to record them in the package: uv run python -m tests.support.controls
"""

import ast
import json
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from secure_django.controls.project import PACKAGE, SUITES
from secure_django.controls.release import FILE

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
# Their tests generate projects; none shows a control.
OTHERS = {"production", "recipes", "site", "support", "template"}


def files_with_tests() -> list[Path]:
    files = [path for suite in SUITES for path in PACKAGE.glob(f"{suite}/test_*.py")]
    files += [
        path
        for path in TESTS.rglob("test_*.py")
        if path.relative_to(TESTS).parts[0] not in OTHERS
    ]
    # By their names alone: the folders of the two can be in any order.
    return sorted(files, key=name_of)


def name_of(path: Path) -> str:
    is_of_package = path.is_relative_to(PACKAGE)
    return path.relative_to(PACKAGE.parent if is_of_package else ROOT).as_posix()


def read_functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            yield node


def controls_of(function: ast.FunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        if ast.unparse(decorator).startswith("pytest.mark.control("):
            assert isinstance(decorator, ast.Call)
            (argument,) = decorator.args
            assert isinstance(argument, ast.Constant)
            yield str(argument.value)


def read_markers() -> dict[str, list[str]]:
    """Return the tests of each control."""
    tests = defaultdict(list)
    for path in files_with_tests():
        for function in read_functions(path):
            for control in controls_of(function):
                tests[control].append(f"{name_of(path)}::{function.name}")
    return dict(sorted(tests.items()))


def make_release() -> dict[str, Any]:
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    suite = [
        f"{name_of(path)}::{function.name}"
        for path in files_with_tests()
        if path.is_relative_to(PACKAGE)
        for function in read_functions(path)
    ]
    return {
        "version": metadata["project"]["version"],
        "suite": suite,
        "controls": read_markers(),
    }


if __name__ == "__main__":
    text = json.dumps(make_release(), indent=2, ensure_ascii=False)
    FILE.write_text(f"{text}\n", encoding="utf-8", newline="\n")
