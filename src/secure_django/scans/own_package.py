"""Compare secure-django with the advisories of the repository that it came from.

The repository is that of .cruft.json, so that projects of a fork ask the fork.
ADVISORIES_URL names a copy of its advisories.json inside a company.
"""

import json
import os
import tempfile
import tomllib
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen  # noqa: TID251  # the URL is an operator's

from secure_django.advisories import (
    PACKAGE,
    Advisory,
    find_advisories,
    read_advisories,
)
from secure_django.commands.programs import NotRun, run

ADVISORIES = "advisories.json"
RECORD = Path(".cruft.json")
OWN_VULNERABILITY = (
    "uv.lock: secure-django {version}: {name} {summary}, fixed in {fixed}"
)
FIX = "run `uv run poe package update {fixed}`"
SECONDS = 8  # without an answer
MAX_BYTES = 5_000_000
# A private repository is read by the credentials that Git has, or not at all.
GIT_CLONE = (
    *("git", "-c", "http.lowSpeedLimit=1", "-c", f"http.lowSpeedTime={SECONDS}"),
    *("clone", "--quiet", "--depth=1", "--no-checkout"),
)


def audit_own_package(known: Collection[str]) -> dict[str, str]:
    """Compare secure-django with the advisories of the repository it came from.

    No database knows the releases of a fork, and OSV learns of an advisory later.
    Return a line for each advisory by its id, or by that under which it is in `known`:
    this line names the command, and that of OSV does not.
    """
    version = find_own_version()
    has_source = RECORD.is_file() or os.environ.get("ADVISORIES_URL")
    if not version or not has_source:  # without a record, it is from an index
        return {}
    findings = {}
    for advisory in find_published(version):
        names = [f"{it} {PACKAGE}" for it in (advisory.name, *advisory.aliases)]
        key = next((name for name in names if name in known), names[0])
        findings[key] = describe_own(advisory, version)
    return findings


def find_published(version: str) -> list[Advisory]:
    """Return the advisories of the list that are about a version."""
    url = os.environ.get("ADVISORIES_URL", "")
    source = url or find_template()
    try:
        records = read_advisories(download(url) if url else clone_advisories(source))
        return find_advisories(records, version)
    except (OSError, ValueError, NotRun) as error:
        reason = " ".join(str(error).split())
        raise NotRun(f"{ADVISORIES} of {source} cannot be read: {reason}") from error


def describe_own(advisory: Advisory, version: str) -> str:
    """Return an advisory as one line, with the command that takes the fix."""
    fixed = advisory.fixed or "no release"
    text = OWN_VULNERABILITY.format(
        version=version, name=advisory.name, summary=advisory.summary, fixed=fixed
    )
    advice = FIX.format(fixed=advisory.fixed) if advisory.fixed else "read the advisory"
    return f"{text}: {advice}"


def find_own_version() -> str:
    """Return the locked version of secure-django, or nothing."""
    try:
        locked = tomllib.loads(Path("uv.lock").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # uv says what is wrong with it
        return ""
    packages = locked.get("package", [])
    own = [package for package in packages if package["name"] == PACKAGE]
    return str(own[0]["version"]) if own else ""


def find_template() -> str:
    """Return the URL of the repository that the project came from."""
    try:
        record = json.loads(RECORD.read_text(encoding="utf-8"))
        return str(record["template"])
    except (ValueError, KeyError, TypeError):
        raise NotRun(f"{RECORD} is damaged: restore it") from None


def download(url: str) -> str:
    """Return the text at a URL; raise OSError or ValueError if there is none."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise NotRun("ADVISORIES_URL has to begin with https://")
    # The scheme is one of the two above.
    with urlopen(url, timeout=SECONDS) as response:  # noqa: S310  # nosec B310
        text: str = response.read(MAX_BYTES).decode("utf-8")
    return text


def clone_advisories(template: str) -> str:
    """Return the list of the newest commit of a repository."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        run(*GIT_CLONE, "--", template, folder, GIT_TERMINAL_PROMPT="0")
        return run("git", "-C", folder, "show", f"HEAD:{ADVISORIES}")
