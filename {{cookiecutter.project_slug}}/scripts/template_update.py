"""Merge a release of the template into this project: the newest, or the named one.

Nothing is committed. With answers alone, it merges what they add or remove. .cruft.json
names the template, whose update.py does the merge.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.security import NotRun, run

RECORD = Path(".cruft.json")


def main(wanted: str, answers: list[str]) -> None:
    try:
        address = json.loads(RECORD.read_text(encoding="utf-8"))["template"]
    except (OSError, ValueError, KeyError):
        sys.exit(
            f"{RECORD} is missing or damaged."
            " It records the template, the release and the answers: restore it."
        )
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            run("git", "clone", "--quiet", "--", address, folder)
            tags = re.findall(
                r"^v\d+\.\d+\.\d+$",
                run("git", "-C", folder, "tag", "--sort=v:refname"),
                re.MULTILINE,
            )
            release = (
                f"v{wanted.removeprefix('v')}" if wanted else (tags or ["v1.0.0"])[-1]
            )
            if release not in tags:
                sys.exit(
                    f"The template has no release {release}."
                    f" Its releases: {', '.join(tags) or 'none'}."
                )
            run("git", "-C", folder, "checkout", "--quiet", "--detach", release)
            arguments = ["" if answers and not wanted else release, *answers]
            done = subprocess.run(  # noqa: S603
                [sys.executable, f"{folder}/update.py", *arguments], check=False
            )
    except NotRun as reason:
        sys.exit(f"git failed: {reason}")
    sys.exit(done.returncode)
