"""The command `poe app`."""

import shutil
import sys
from pathlib import Path

from secure_django.commands.new_app.kinds import describe_kinds
from secure_django.commands.new_app.names import check_name, read_fields
from secure_django.commands.new_app.writing import ENTRIES, create_app, write_files
from secure_django.commands.programs import NotRun, check_project

USAGE = "uv run poe app NAME [FIELD:KIND ...] [--admin]"


def main(name: str, fields: list[str], admin: bool, help: bool = False) -> None:
    """Make an app, or end with a reason and change nothing."""
    if help:
        print(describe_usage())
        return
    if not name:
        sys.exit(describe_usage())
    check_project()
    check_name(name)
    chosen = read_fields(fields, name)
    paths = {entry.path for entry in ENTRIES if Path(entry.path).is_file()}
    texts = {path: Path(path).read_text(encoding="utf-8") for path in paths}
    try:
        create_app(name, chosen, admin, dict(texts))
    except NotRun as reason:
        shutil.rmtree(name, ignore_errors=True)
        write_files(texts)
        sys.exit(f"{name} does not work: {reason}. Nothing was changed.")
    print(
        f"{name}/ is ready. `uv run poe start` applies its migration;"
        f" then open http://localhost:8000/{name}/"
    )


def describe_usage() -> str:
    return (
        f"Usage: {USAGE}\n\n"
        "Makes an app whose pages are private. Each object has a title and these\n"
        "fields; without any, it has a text too. With --admin, staff have a page of it."
        f"\n\n{describe_kinds()}\n\n"
        "docs/your-first-app.md explains what comes out."
    )
