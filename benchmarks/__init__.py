"""Measurements of the template. Each module prints a Markdown table.

README.md describes them.
"""

import contextlib
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django

from tests.support import postgresql
from tests.support.baking import ROOT, Answers, copy_template, run, typed


def require_packages(*packages: str) -> None:
    """End with the names of Debian's packages that are missing here.

    Each program has its package's name, but those of PostgreSQL.
    """
    missing = [
        package
        for package in packages
        if not (
            postgresql.programs() if package == "postgresql" else shutil.which(package)
        )
    ]
    if missing:
        sys.exit(f"Install {', '.join(missing)}: this benchmark needs such a server.")


def generate(template: Path, output: Path, answers: Answers, home: Path) -> Path:
    """Generate a project by the cookiecutter command, and return its folder."""
    command = [
        sys.executable,
        "-m",
        "cookiecutter",
        "--no-input",
        "-o",
        str(output),
        str(template),
        *typed(**answers),
    ]
    run(home, *command, HOME=str(home), USERPROFILE=str(home))
    return output / "my-secure-site"


@contextlib.contextmanager
def generated(answers: Answers) -> Iterator[Path]:
    """Yield a generated project in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        yield generate(copy_template(home / "template"), home, answers, home)


def import_engine(module: str) -> Any:  # noqa: ANN401
    """Return a module of the package, in the site of its tests."""
    sys.path.insert(0, str(ROOT / "tests" / "site"))
    os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
    django.setup()
    return importlib.import_module(module)


def print_table(header: list[str], rows: list[list[object]]) -> None:
    """Print a Markdown table; floats get two decimals."""
    print("|", " | ".join(header), "|")
    print(
        "|",
        " | ".join("---" if isinstance(cell, str) else "---:" for cell in rows[0]),
        "|",
    )
    for row in rows:
        print(
            "|",
            " | ".join(
                f"{cell:,.2f}" if isinstance(cell, float) else str(cell) for cell in row
            ),
            "|",
        )
