"""Runs of the guard in a project of its own."""

import os
import subprocess
import sys
from pathlib import Path

LEFT_OUT = ("DJANGO_", "PYTEST_", "GITHUB_")
TEMPORARY_FOLDERS = "PYTEST_DEBUG_TEMPROOT"


def run_guard(project: Path, *options: str, **variables: str) -> str:
    """Return what pytest prints, with lines of any length."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name == TEMPORARY_FOLDERS or not name.startswith(LEFT_OUT)
    }
    command = ["pytest", "-n0", "-p", "no:cacheprovider", "--color=no"]
    process = subprocess.run(
        [sys.executable, "-m", *command, *options],
        cwd=project,
        env=environment | {"COLUMNS": "300"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return process.stdout + process.stderr


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
