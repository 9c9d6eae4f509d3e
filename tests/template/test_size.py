"""The measure of benchmarks/size.py: what it counts, and that packing raises it."""

import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmarks import size
from benchmarks.size import Density, Size, count, measure, measure_density

# Real code, which has comments, docstrings and long lines.
SOURCE = Path(size.__file__).read_text(encoding="utf-8")

PLAIN = """
def total_price(order):
    price = find_price(order.product)
    discount = find_discount(order.customer)
    rest = subtract(price, discount)
    return round_up(rest)
"""
TUPLE = """
def total_price(order):
    price, discount = find_price(order.product), find_discount(order.customer)
    rest = subtract(price, discount)
    return round_up(rest)
"""
CHAIN = """
def total_price(order):
    price = first_price = find_price(order.product)
    discount = find_discount(order.customer)
    rest = subtract(price, discount)
    return round_up(rest)
"""
NESTED_CALLS = """
def total_price(order):
    discount = find_discount(order.customer)
    return round_up(subtract(find_price(order.product), discount))
"""

GUARDS = """
def is_due(order):
    if not order.is_paid:
        return False
    if not order.is_packed:
        return False
    for item in order.items:
        if item.is_missing:
            return False
        if item.is_broken:
            return False
    return True
"""
NESTED_BLOCKS = """
def is_due(order):
    if order.is_paid:
        if order.is_packed:
            for item in order.items:
                if not item.is_missing:
                    if not item.is_broken:
                        continue
                return False
            return True
    return False
"""


def write(folder: Path, source: str) -> Path:
    """Write a folder with one module."""
    (folder / "module.py").write_text(source, encoding="utf-8")
    return folder


def density_of(folder: Path, source: str) -> Density:
    """Return how dense a module is."""
    return measure_density(write(folder, source))


def format_at(columns: int, source: str) -> str:
    """Return what Ruff makes of a source at another width."""
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "-"]
    command += ["--line-length", str(columns)]
    formatted = subprocess.run(
        command, input=source, check=True, capture_output=True, encoding="utf-8"
    )
    return formatted.stdout


def add_comments(source: str) -> str:
    """Return a source with a comment above and behind many lines."""
    comment = "# a reason that makes the line longer than 88 columns, if it is its own"
    code = r"^( +)(\w.*[,:()\]])$"
    return re.sub(code, rf"\1{comment}\n\1\2  {comment}", source, flags=re.MULTILINE)


def remove_docstrings(source: str) -> str:
    """Return a source without the docstrings of its functions and classes."""
    return re.sub(r'^ +"""[^"]+"""$', "", source, flags=re.MULTILINE)


LAYOUTS: dict[str, Callable[[str], str]] = {
    "60 columns": partial(format_at, 60),
    "140 columns": partial(format_at, 140),
    "more comments": add_comments,
    "no docstrings": remove_docstrings,
}


def test_size_counts_code_shell_tests_and_migrations_apart(tmp_path: Path) -> None:
    files = {
        "app.py": '"""A."""\n\nimport os  # reason\n\n# Reason.\nname = os.name\n',
        "deploy/set-up": "#!/bin/sh\n\n# Reason.\nset -e\n",
        "deploy/site.conf": "server {}\n",
        "app/tests/test_app.py": "1\n2\n3\n4\n",
        "conftest.py": "5\n",
        "secure_django/testing/__init__.py": "6\n",
        "secure_django/guard/test_access.py": "7\n",
        "vendor/secure-django/src/package.py": "8\n",
        "app/migrations/0001_initial.py": "7\n",
        "docs/start.md": "# Three short words\n",
        "uv.lock": "9\n",
        ".venv/package.py": "8\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert count(tmp_path) == Size(
        all_files=8,
        words=4,
        files=1,
        lines=2,
        complexity=0,
        shell_lines=1,
        test_lines=7,
        migration_lines=1,
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_changes_no_figure(layout: str, tmp_path: Path) -> None:
    changed = LAYOUTS[layout](SOURCE)
    assert changed != SOURCE
    expected = measure(write(tmp_path, SOURCE))
    assert measure(write(tmp_path, changed)) == expected


@pytest.mark.parametrize("packed", [TUPLE, CHAIN])
def test_packed_assignment_raises_a_bounded_figure(packed: str, tmp_path: Path) -> None:
    assert density_of(tmp_path, PLAIN).packed_assignments == 0
    assert density_of(tmp_path, packed).packed_assignments > 0


def test_nested_calls_raise_a_bounded_figure(tmp_path: Path) -> None:
    plain = density_of(tmp_path, PLAIN)
    nested = density_of(tmp_path, NESTED_CALLS)
    assert nested.statement_nodes > plain.statement_nodes


def test_nested_blocks_raise_a_bounded_figure(tmp_path: Path) -> None:
    assert density_of(tmp_path, GUARDS).complex_functions == 0
    assert density_of(tmp_path, NESTED_BLOCKS).complex_functions == 100


def test_unpacking_of_one_value_is_not_packed(tmp_path: Path) -> None:
    source = (
        "head, tail = path.split()\nfor name, text in pages:\n    show(name, text)\n"
    )
    assert density_of(tmp_path, source).packed_assignments == 0


def test_statements_are_counted_without_their_bodies(tmp_path: Path) -> None:
    flat = density_of(tmp_path, "if ready:\n    pass\n")
    full = density_of(tmp_path, f"if ready:\n{'    pass\n' * 30}")
    assert flat.statement_nodes == 3
    assert full.statement_nodes == 1, "nine of ten are `pass`"
