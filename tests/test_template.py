"""The template's own code: style, types, tracked files."""

import subprocess
import sys
from pathlib import Path

from tests.support.baking import ROOT, run


def test_template_style_and_format() -> None:
    run(ROOT, "ruff", "check", "--no-cache")
    run(ROOT, "ruff", "format", "--check", "--no-cache")


def test_template_types() -> None:
    run(ROOT, sys.executable, "-m", "mypy")


def test_no_secrets_caches_or_lock_files_are_tracked() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    names = {Path(path).name for path in tracked}
    assert not names & {"uv.lock", ".env", "db.sqlite3"}
    assert not [path for path in tracked if "__pycache__" in path or "_cache/" in path]
