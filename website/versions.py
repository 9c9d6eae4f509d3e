"""Build a folder of the site for each release.

GitHub Pages serve what one run uploads, so each run builds the newest release of every
minor version again, each by its own code. `versions.json` is for the theme's menu.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path

TAG = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
REDIRECT = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>secure-django</title>
<meta http-equiv="refresh" content="0; url={version}/">
<a href="{version}/">secure-django {version}</a>
</html>
"""


def newest_tags(tags: list[str]) -> dict[str, str]:
    """Return the newest tag of each minor version, the newest version first."""
    numbers = [
        tuple(map(int, match.groups())) for match in map(TAG.fullmatch, tags) if match
    ]
    newest: dict[str, str] = {}
    for major, minor, patch in sorted(numbers):
        newest[f"{major}.{minor}"] = f"v{major}.{minor}.{patch}"
    return dict(reversed(newest.items()))


def build_versions(root: Path, output: Path) -> None:
    """Build the site of each release that has one, and a page that leads to the newest.

    A release from before the site has no folder `website/` and is left out.
    """
    tags = newest_tags(git(root, "tag", "--list", "v*").split())
    output.mkdir(parents=True, exist_ok=True)
    built = []
    for version, tag in tags.items():
        if git(root, "ls-tree", tag, "website/__main__.py"):
            build_tag(root, tag, version, output)
            built.append(version)
    if not built:
        message = "no tag has a site: make a release first"
        raise SystemExit(message)
    entries = [{"version": it, "title": it, "aliases": []} for it in built]
    entries[0]["aliases"] = ["latest"]
    (output / "versions.json").write_text(json.dumps(entries), encoding="utf-8")
    page = REDIRECT.format(version=built[0])
    (output / "index.html").write_text(page, encoding="utf-8")


def build_tag(root: Path, tag: str, version: str, output: Path) -> None:
    """Build the site of a tag by its own code, in a work tree."""
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "tree"
        git(root, "worktree", "add", "--detach", str(tree), tag)
        try:
            command = ["uv", "run", "--only-group", "docs", "python", "-m", "website"]
            command += ["--ref", tag, "--version", version]
            command += ["--output", str((output / version).resolve())]
            subprocess.run(command, cwd=tree, check=True)
        finally:
            git(root, "worktree", "remove", "--force", str(tree))


def git(root: Path, *arguments: str) -> str:
    """Return the output of a command of Git."""
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=root, check=True, capture_output=True, text=True
    ).stdout
