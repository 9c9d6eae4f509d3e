"""Merge a release of the template into this project: the newest, or the named one. Nothing is committed.

.cruft.json names the template. The merge is done by the release itself: by its update.py.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.security import NotRun, run

RECORD = Path(".cruft.json")


def main(wanted: str) -> None:
    try:
        address = json.loads(RECORD.read_text(encoding="utf-8"))["template"]
    except (OSError, ValueError, KeyError):
        sys.exit(f"{RECORD} is missing or damaged. It records the template, the release and the answers: restore it.")
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            run("git", "clone", "--quiet", "--", address, folder)
            listed = run("git", "-C", folder, "tag", "--sort=version:refname")
            tags = re.findall(r"^v\d+\.\d+\.\d+$", listed, re.MULTILINE)
            release = f"v{wanted.removeprefix('v')}" if wanted else (tags or ["v1.0.0"])[-1]
            if release not in tags:
                sys.exit(f"The template has no release {release}. Its releases: {', '.join(tags) or 'none'}.")
            run("git", "-C", folder, "checkout", "--quiet", "--detach", release)
            done = subprocess.run([sys.executable, f"{folder}/update.py", release], check=False)  # noqa: S603
    except NotRun as reason:
        sys.exit(f"git failed: {reason}")
    sys.exit(done.returncode)
