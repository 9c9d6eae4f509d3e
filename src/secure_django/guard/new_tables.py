"""The tables that the survey writes: for apps that have none."""

from pathlib import Path
from typing import NamedTuple

from django.apps import apps

from secure_django.guard.access import align
from secure_django.guard.tables import (
    CONFIG,
    LABELS,
    ROOT,
    ROOT_TABLE,
    TABLE_BESIDE,
    TABLE_OF_TESTS,
    TABLES,
    WITH_OWN_TABLE,
    is_own_path,
)

TEXT = '''"""Who gets which answer from {pages}.

`pytest --guard-survey` has measured it: read each row, and correct it or the view. What
a table may have beside ROWS is in secure_django/docs/guard.md.
"""
{decisions}
ROWS = """
{rows}
"""
'''


class NewTable(NamedTuple):
    app: str
    path: Path
    columns: list[str]
    rows: list[str]
    decisions: list[str]  # sentences of what the person has to decide

    @property
    def name(self) -> str:
        return name_of_file(self.path)

    def write(self) -> None:
        """Write the file; raise FileExistsError rather than change one."""
        with self.path.open("x", encoding="utf-8") as file:
            file.write(self.text())

    def text(self) -> str:
        heading = align("# route", self.columns)
        comments = [f"# - {sentence}" for sentence in self.decisions]
        if comments:
            comments = ["", "# To be decided:", *comments]
        return TEXT.format(
            pages=f"the pages of {self.app}"
            if self.app
            else "pages without another table",
            decisions="\n".join([*comments, ""]),
            rows="\n".join([heading, *self.rows]),
        )


def folder_of(app: str) -> Path:
    return Path(apps.get_app_config(LABELS[app]).path) if app else CONFIG.root


def path_of_table(app: str) -> Path:
    """Return the file of an app's table: among its tests if they are a package."""
    folder = folder_of(app)
    if app in WITH_OWN_TABLE:
        return Path(str(TABLES[app].__file__))
    file = folder / TABLE_OF_TESTS
    has_tests = app != ROOT and (folder / "tests" / "__init__.py").is_file()
    # A module of tests may have this name by chance.
    return file if has_tests and not file.exists() else folder / TABLE_BESIDE


def has_file(app: str) -> bool:
    """Return whether an app, or what is in none, has a table of its own."""
    return ROOT_TABLE is not None if app == ROOT else app in WITH_OWN_TABLE


def is_writable(app: str) -> bool:
    """Return whether an app's folder is the project's, and not of a package."""
    return is_own_path(folder_of(app)) or app == ROOT


def name_of_file(path: Path) -> str:
    return path.relative_to(CONFIG.root, walk_up=True).as_posix()
