"""Packages of npm, whose install scripts do not run."""

import shutil
import subprocess
from pathlib import Path

import pytest

INSTALL = ("install", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund")


def npm_install(folder: Path, package: str) -> None:
    """Install a package into a folder, or skip the test without npm or a network."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    done = subprocess.run(
        [npm, *INSTALL, "--loglevel=error", package],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1]
        pytest.skip(f"npm cannot install {package}: {reason}")
