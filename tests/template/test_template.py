"""The template's own code: style, types, tracked files."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.baking import ROOT, copy_template, paths, run


def test_template_style_and_format() -> None:
    run(ROOT, "ruff", "check", "--no-cache")
    run(ROOT, "ruff", "format", "--check", "--no-cache")


@pytest.mark.tier("whole")
def test_template_types() -> None:
    run(ROOT, sys.executable, "-m", "mypy")


def test_no_secrets_caches_or_lock_files_are_tracked() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    names = {Path(path).name for path in tracked}
    assert not names & {"uv.lock", ".env", "db.sqlite3"}
    assert not [path for path in tracked if "__pycache__" in path or "_cache/" in path]


def test_project_that_was_generated_in_a_clone_is_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The README's first two commands do so, and then run these tests."""
    clone = tmp_path / "clone"
    for path in ("README.md", "site/.cruft.json", "site/README.md", "docs/page.md"):
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).touch()
    run(clone, "git", "init", "--quiet")
    monkeypatch.setattr("tests.support.baking.ROOT", clone)
    assert paths(copy_template(tmp_path / "copy")) == {"README.md", "docs/page.md"}
