"""Merge a release of the template into this project: the newest, or the named one.

Before the first release, it merges the newest commit. Nothing is committed. With
answers alone, it merges what they add or remove. .cruft.json names the template, whose
update.py does the merge. With `patch`, it keeps this project's changes of
vendor/secure-django in a patch instead of refusing them.
"""

import re
import subprocess
import sys
import tempfile

from secure_django.commands.programs import (
    SAFE_PROTOCOLS,
    NotRun,
    check_project,
    run,
)
from secure_django.commands.record import require_record


def main(wanted: str, answers: list[str], patch: bool = False) -> None:
    """Run update.py of the release, whose exit code is that of this command."""
    check_project()
    record = require_record()
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            release = clone_template(folder, record["template"], wanted)
            command = [sys.executable, f"{folder}/update.py"]
            if wanted or not answers:
                command += [release, *answers]
            else:
                command += ["", *answers]  # no release: the answers alone
            if patch:
                command.append("--patch")
            update = subprocess.run(command, check=False)  # noqa: S603
    except NotRun as reason:
        sys.exit(f"git failed: {reason}")
    sys.exit(update.returncode)


def clone_template(folder: str, template: str, wanted: str) -> str:
    """Clone the template into a folder, at a release; return its tag or commit."""
    clone = ("git", "clone", "--quiet", "--", template, folder)
    run(*clone, GIT_ALLOW_PROTOCOL=SAFE_PROTOCOLS)
    release = find_release(folder, wanted)
    run("git", "-C", folder, "checkout", "--quiet", "--detach", release)
    return release


def find_release(folder: str, wanted: str) -> str:
    """Return the tag of the wanted release, or else of the newest.

    Before the first release, it is the newest commit.
    """
    output = run("git", "-C", folder, "tag", "--sort=v:refname")
    tags = re.findall(r"^v\d+\.\d+\.\d+$", output, re.MULTILINE)
    if wanted:
        release = f"v{wanted.removeprefix('v')}"
        check_release(release, tags)
        return release
    if tags:
        return str(tags[-1])
    return run("git", "-C", folder, "rev-parse", "HEAD").strip()


def check_release(release: str, tags: list[str]) -> None:
    """End with a sentence unless the template has a release."""
    if release in tags:
        return
    names = f"Its releases: {', '.join(tags)}."
    if not tags:
        names = "It has none yet: without a number, its newest commit is taken."
    sys.exit(f"The template has no release {release}. {names}")
