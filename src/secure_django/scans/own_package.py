"""Compare secure-django with the advisories of the repository that it came from.

That is the repository of .cruft.json, which may be a fork, and the one that every fork
comes from. ADVISORIES_URL names a copy of advisories.json inside a company.
"""

import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Collection
from functools import partial
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (  # noqa: TID251  # the URL is an operator's
    HTTPRedirectHandler,
    Request,
    build_opener,
)

from secure_django.advisories import (
    PACKAGE,
    UPSTREAM,
    Advisory,
    Record,
    find_advisories,
    read_advisories,
    read_contents,
)
from secure_django.commands.programs import SAFE_PROTOCOLS, NotRun, run
from secure_django.commands.record import RECORD, read_record
from secure_django.untrusted import MAX_BYTES, decode, printable

ADVISORIES = "advisories.json"
OWN_VULNERABILITY = (
    "uv.lock: secure-django {version}: {name} {summary}, fixed in {fixed}"
)
FIX = "run `uv run poe package update {fixed}`"
FIX_OF_FORK = "take a release of {template} that has the fix"
SECONDS = 8  # without an answer
MOST_SECONDS = 60  # for all of it
# A private repository is read by the credentials that Git has, or not at all.
GIT_CLONE = (
    *("git", "-c", "http.lowSpeedLimit=1", "-c", f"http.lowSpeedTime={SECONDS}"),
    *("clone", "--quiet", "--depth=1", "--no-checkout"),
)
UNSAFE = {"http", "git", "ftp"}
PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")
TOKEN = re.compile(r"[?#].*")
# Before the path of a repository: https://, ssh://git@ or git@.
PROTOCOL = re.compile(r"^(?:\w+://)?(?:[^/@]*@)?")


def find_sources() -> list[str]:
    """Return where advisories are published: a copy, or the repositories."""
    copy = os.environ.get("ADVISORIES_URL")
    if copy:
        return [copy]
    template = find_template()
    if not template or is_same_repository(template, UPSTREAM):
        return [template or UPSTREAM]
    return [template, UPSTREAM]


def audit_own_package(source: str, known: Collection[str]) -> dict[str, str]:
    """Compare secure-django with the advisories of a source.

    OSV learns of them later, and of a fork's numbers never. Return a line for each
    advisory by its id, or by that under which it is in `known`: this line names the
    command, and that of OSV does not.
    """
    version = find_own_version()
    if not version:
        return {}
    findings = {}
    for advisory in find_published(source):
        names = [f"{it} {PACKAGE}" for it in (advisory.name, *advisory.aliases)]
        key = next((name for name in names if name in known), names[0])
        findings[key] = describe_own(advisory, version)
    return findings


def find_published(source: str) -> list[Advisory]:
    """Return the advisories of a source that are about the installed package."""
    try:
        return find_advisories(read_source(source), read_contents())
    except (OSError, ValueError, HTTPException, NotRun) as error:
        where = without_secrets(source)
        reason = PASSWORD.sub("", str(error).replace(source, where))
        raise NotRun(f"{ADVISORIES} of {where} cannot be read: {reason}") from error


def without_secrets(url: str) -> str:
    """Return a URL without what may be a password or a token."""
    return TOKEN.sub("", PASSWORD.sub("", url))


def read_source(source: str) -> list[Record]:
    """Return the records of a copy or of a repository."""
    is_copy = source == os.environ.get("ADVISORIES_URL")
    return read_advisories(download(source) if is_copy else clone_advisories(source))


def describe_own(advisory: Advisory, version: str) -> str:
    """Return an advisory as one line, with what brings the fix."""
    text = OWN_VULNERABILITY.format(
        version=version,
        name=advisory.name,
        summary=printable(advisory.summary),
        fixed=advisory.fixed or "no release",
    )
    return f"{text}: {advise(advisory)}"


def advise(advisory: Advisory) -> str:
    """Return what to do about an advisory."""
    template = find_template()
    if not advisory.fixed:
        return "read the advisory"
    if template and not is_same_repository(template, UPSTREAM):
        return FIX_OF_FORK.format(template=without_secrets(template))
    return FIX.format(fixed=advisory.fixed)


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
    """Return the URL of the repository that the project came from, if one is recorded.

    Without a record, the package is from an index.
    """
    if not os.path.lexists(RECORD):
        return ""
    template: str = read_record()["template"]
    return template


def is_same_repository(first: str, second: str) -> bool:
    """Return whether two URLs name one repository, by HTTPS or SSH."""
    return normalize(first) == normalize(second)


def normalize(url: str) -> str:
    path = PROTOCOL.sub("", url).replace(":", "/")
    return path.rstrip("/").removesuffix(".git").casefold()


class OnlyHTTPS(HTTPRedirectHandler):
    """Follow no redirect to where somebody on the way could write the answer."""

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        if urlsplit(newurl).scheme != "https":
            fp.close()
            raise URLError("it redirects to a URL without https://")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(url: str) -> str:
    """Return the text at a URL; raise OSError, HTTPException or ValueError if none."""
    if urlsplit(url).scheme != "https":
        raise NotRun("ADVISORIES_URL has to begin with https://")
    return decode(call_within(MOST_SECONDS, partial(read_url, url)))


def read_url(url: str) -> bytes:
    """Return what a URL has, or one byte more than is read."""
    try:
        with build_opener(OnlyHTTPS).open(url, timeout=SECONDS) as response:
            content: bytes = response.read(MAX_BYTES + 1)
    except HTTPError as error:
        error.close()
        raise
    return content


def call_within(seconds: float, function: Callable[[], bytes]) -> bytes:
    """Return what a function returns within a time, or raise what it raises.

    A timeout of a connection would start again with each byte.
    """
    answers: Queue[bytes | Exception] = Queue()

    def answer() -> None:
        try:
            answers.put(function())
        except Exception as error:  # raised below
            answers.put(error)

    Thread(target=answer, daemon=True).start()
    try:
        result = answers.get(timeout=seconds)
    except Empty:
        raise NotRun(f"no whole answer within {seconds:.0f} seconds") from None
    if isinstance(result, Exception):
        raise result
    return result


def clone_advisories(template: str) -> str:
    """Return the list of the newest commit of a repository."""
    if urlsplit(template).scheme in UNSAFE:
        raise NotRun(f"`template` of {RECORD} has to begin with https:// or ssh://")
    file = f"HEAD:{ADVISORIES}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        clone = (*GIT_CLONE, "--", template, folder)
        run(
            *clone,
            seconds=MOST_SECONDS,
            GIT_TERMINAL_PROMPT="0",
            GIT_ALLOW_PROTOCOL=SAFE_PROTOCOLS,
        )
        size = run("git", "-C", folder, "cat-file", "-s", file)
        if int(size) > MAX_BYTES:
            raise NotRun(f"it has more than {MAX_BYTES:,} bytes")
        return run("git", "-C", folder, "show", file)
