# /// script
# requires-python = ">=3.12"
# dependencies = []
# ///
# With this block, uv runs the file outside the project: no package is installed, so the
# code of none runs.

"""Raise all pins, and uv, to the newest releases that the cooldown allows.

    uv run renew.py            # prints what it raised, as a Markdown table
    uv run renew.py --python   # also adds the next line of Python, if it has all wheels

The pins are those of both pyproject.toml files, and of the recipes. A range of the
package that ends below a pin is moved up to it. The raw project's `[tool.uv]` states
the cooldown and its exceptions. Only versions change. Django stays in its line, because
a new line is a decision, as is a new major version of an image. Images get the digest
of their tag. The command needs the standard library, uv and Git. It asks the registries
of the images itself.

    uv run renew.py --limit 60  # ends after so many seconds; without it, after 300

Each step says on standard error what it waits for. After the limit, the command ends
with a sentence and changes nothing.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

ROOT = Path(__file__).resolve().parent
RAW = ROOT / "{{cookiecutter.project_slug}}"
PACKAGE = ROOT / "src"
RECIPES = ROOT / "docs" / "recipes"
WORKFLOWS = ".github/workflows/"
MANIFEST = RAW / "pyproject.toml"
# update.py starts cookiecutter in the version that the tests use.
PINNED = [ROOT / "pyproject.toml", MANIFEST, ROOT / "update.py"]
PIN = re.compile(
    r'"(?P<name>[A-Za-z0-9][\w.-]*)(?P<extras>\[[\w,-]+\])?(?P<operator>==|~=)(?P<version>\d[\w.]*)(?=[";])'
)
# What the package asks for, below the first line that was not tested.
RANGE = re.compile(
    r'"(?P<name>[A-Za-z0-9][\w.-]*)(?P<extras>\[[\w,-]+\])?'
    r'>=(?P<version>\d[\d.]*),<(?P<end>\d[\d.]*)(?=")'
)
ACTION = re.compile(
    r"uses: (?P<repository>[\w-]+/[\w.-]+)[\w./-]*@[0-9a-f]{40}"
    r" # v(?P<version>[\d.]+)$",
    re.MULTILINE,
)
IMAGE = re.compile(
    r"(?:^FROM |\bimage: |\bservices: \[)"
    r"(?P<name>[\w./-]+):(?P<version>\d[\d.]*)(?P<kind>[\w-]*)",
    re.MULTILINE,
)
# A line of the resolver's answer.
RESOLVED = re.compile(r"^([\w.-]+)(?:\[.*\])?==([^\s;]+)", re.MULTILINE)
# In the resolver's error: a package without a wheel.
NO_WHEEL = re.compile(
    r"(?:only found wheels for|versions of|Wheels are required for) `?([\w.-]+)"
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# `pin_images` adds digests where a bot of a project, or this command, raises them.
# Dependabot raises no image in a workflow, and Renovate pins those of GitLab itself.
WITH_DIGESTS = ("Dockerfile", "compose.yaml")
# Their versions are those of packages and of Python.
NOT_IMAGES = {"ghcr.io/astral-sh/uv", "python"}
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-apple-darwin", "x86_64-pc-windows-msvc")
# The documents say what held on a day, and the tests have a made-up template.
KEPT = {
    "CHANGELOG.md",
    "docs/comparison.md",
    "docs/decisions.md",
    "docs/support.md",
    "tests/template/test_renew.py",
}

# What to read where a person has to decide or to edit.
DJANGO_PAGE = "docs/support.md#move-to-django-62-lts says what to edit"
RANGE_PAGE = (
    "read its changelog beside docs/decisions.md#private-parts-of-other-packages"
)
IMAGE_PAGE = "read its changelog, then write the version into"

SECONDS = 300  # for the whole command, unless `--limit` says otherwise
# A registry that answers no word for so long is not waited for.
PATIENCE = 20
AT_ONCE = 8  # requests
ATTEMPTS = 2  # before the last: one for a token, one for a pause
LARGEST_ANSWER = 8_000_000  # bytes; nginx has 0.1 MB of tags
MOST_PAGES = 50  # of tags
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
DOCKER_HUB = "registry-1.docker.io"

type Texts = dict[Path, str]  # of files, by their path


class Clock:
    """The time that the command has, and what it does now."""

    def __init__(self) -> None:
        """Start with the time that a run has."""
        self.end = time.monotonic() + SECONDS
        self.step = ""

    def begin(self, step: str) -> None:
        """Say what the command waits for from now on."""
        self.step = step
        print(f"{step} …", file=sys.stderr, flush=True)

    def left(self) -> float:
        """Return the seconds that are left, or end the command without any."""
        seconds = self.end - time.monotonic()
        if seconds <= 0:
            self.stop()
        return seconds

    def stop(self) -> NoReturn:
        """End the command with what it waited for."""
        sys.exit(
            f"The time is over, and this had no answer yet: {self.step}. Nothing was "
            "changed. Run the command again, or give it more seconds: --limit 900."
        )


clock = Clock()


class Image(NamedTuple):
    """An image as a file names it: `kind` is what follows the version."""

    name: str
    version: str
    kind: str

    def __str__(self) -> str:
        """Return the image's name with its tag."""
        return f"{self.name}:{self.version}{self.kind}"


class Change(NamedTuple):
    """The versions of a package or an image before and after its renewal."""

    old: str
    new: str


def number(version: str) -> tuple[int, ...]:
    """Return a final version in a form that can be compared: 50.1 is 50.1.0."""
    significant = re.sub(r"(\.0)+$", "", version)
    return tuple(map(int, re.findall(r"\d+", significant)))


def line(version: str) -> str:
    """Return the line of a version, as in 6.1 for 6.1.3."""
    return ".".join(version.split(".")[:2])


def following(series: str) -> str:
    """Return the line after a line."""
    major, minor = series.split(".")
    return f"{major}.{int(minor) + 1}"


def uv(*arguments: str, sent: str = "") -> str:
    """Return what uv prints; raise CalledProcessError if it fails.

    The configuration of this project does not apply.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = ("uv", *arguments)
        process = subprocess.run(
            command,
            cwd=folder,
            input=sent,
            check=True,
            capture_output=True,
            encoding="utf-8",
            timeout=clock.left(),
        )
    return process.stdout


class Index:
    """What the package index offers under the raw project's cooldown."""

    def __init__(self) -> None:
        """Read the cooldown, the oldest line of Python, and the one after the last."""
        metadata = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))
        pythons = metadata["project"]["requires-python"]
        self.oldest, self.next_python = re.findall(r"3\.\d+", pythons)
        settings = metadata["tool"]["uv"]
        self.cooldown = settings["exclude-newer"]
        spans = settings["exclude-newer-package"]
        self.at_once = [name for name, span in spans.items() if span is False]

    def resolve(self, requirements: list[str], *options: str) -> dict[str, str]:
        """Return the newest versions that fit together.

        Nothing is built, so no package's code runs.
        """
        common = [
            "--no-build",
            "--no-python-downloads",
            "--no-header",
            "--no-annotate",
            "--no-strip-extras",
        ]
        common += [f"--exclude-newer={self.cooldown}"]
        common += [f"--exclude-newer-package={name}=false" for name in self.at_once]
        text = "\n".join(requirements)
        printed = uv("pip", "compile", "-", *common, *options, sent=text)
        versions: dict[str, str] = {}
        # Where no single version fits every Python, the oldest of them does.
        for name, version in RESOLVED.findall(printed):
            other = versions.get(name, version)
            versions[name] = min(version, other, key=number)
        return versions

    def resolve_everywhere(
        self, requirements: list[str], *options: str
    ) -> dict[str, str]:
        """Return the newest versions that fit together on every platform and Python.

        The Pythons are those that projects may use.
        """
        universal = (
            "--universal",
            "--fork-strategy",
            "fewest",
            "--python-version",
            self.oldest,
        )
        return self.resolve(requirements, *universal, *options)

    def has(self, requirement: str) -> bool:
        """Tell whether a release fits a requirement."""
        try:
            return bool(self.resolve_everywhere([requirement], "--no-deps"))
        except subprocess.CalledProcessError:
            return False


def canonical(name: str) -> str:
    """Return a package's name as the index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def with_extras(pin: re.Match[str]) -> str:
    """Return the name of a pin's package, with its extras."""
    return pin["name"] + (pin["extras"] or "")


def renew_packages(texts: Texts, index: Index) -> dict[str, Change]:
    """Raise the pins in the texts; return the change of each package.

    uv itself is one of the packages. A pin that the index no longer offers, or that is
    younger than the cooldown, is lowered: no project could be locked.
    """
    pins = [pin for path in PINNED for pin in PIN.finditer(texts[path])]
    old = {canonical(pin["name"]): pin["version"] for pin in pins}
    old["uv"] = installed_uv()
    new = find_newest(pins, old, index)

    def renew(pin: re.Match[str]) -> str:
        version = new[canonical(pin["name"])]
        if pin["operator"] == "~=" and version.count(".") == 1:
            version += ".0"  # with two numbers, it would admit new features
        return f'"{with_extras(pin)}{pin["operator"]}{version}'

    def widen(span: re.Match[str]) -> str:
        version = new.get(canonical(span["name"]), span["version"])
        if number(version) < number(span["end"]):
            return span[0]
        return f'"{with_extras(span)}>={version},<{following(line(version))}'

    for path in PINNED:
        texts[path] = PIN.sub(renew, texts[path])
    metadata = ROOT / "pyproject.toml"
    texts[metadata] = RANGE.sub(widen, texts[metadata])
    return {
        name: Change(version, new[name])
        for name, version in old.items()
        if version != new[name]
    }


def left_ranges(before: str, after: str) -> list[str]:
    """Return a sentence for each package whose range the renewal moved up."""
    old = {span["name"]: span["end"] for span in RANGE.finditer(before)}
    new = {span["name"]: span["version"] for span in RANGE.finditer(after)}
    return [
        f"{name} {version} leaves the range below {old[name]}: {RANGE_PAGE}."
        for name, version in sorted(new.items())
        if number(version) >= number(old[name])
    ]


def renew_pages(texts: Texts, index: Index) -> tuple[dict[str, Change], list[str]]:
    """Raise the pins of the recipes; return the changes, and what no longer fits.

    The packages of each page have to fit those of a project.
    """
    pins_of_project = list(PIN.finditer(texts[MANIFEST]))
    project = [pin[0].strip('"') for pin in pins_of_project]
    own = {canonical(pin["name"]) for pin in pins_of_project}
    changes: dict[str, Change] = {}
    misfits = []
    pins_of = {
        path: [pin for pin in PIN.finditer(text) if canonical(pin["name"]) not in own]
        for path, text in sorted(texts.items())
        if path.parent == RECIPES
    }
    pages = [path for path, pins in pins_of.items() if pins]

    def resolve(path: Path) -> dict[str, str]:
        wanted = [f"{with_extras(pin)}>={pin['version']}" for pin in pins_of[path]]
        try:
            return index.resolve_everywhere([*project, *wanted])
        except subprocess.CalledProcessError:
            return {}

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(resolve, pages))
    for path, newest in zip(pages, answers, strict=True):
        pins = pins_of[path]
        if not newest:
            names = ", ".join(sorted({pin["name"] for pin in pins}))
            misfits.append(
                f"docs/recipes/{path.name} no longer applies: its packages do not fit. "
                f"Edit the page, which names {names}."
            )
            continue
        for pin in pins:
            name = canonical(pin["name"])
            if newest[name] != pin["version"]:
                changes[name] = Change(pin["version"], newest[name])
                renewed = f'"{with_extras(pin)}{pin["operator"]}{newest[name]}'
                texts[path] = texts[path].replace(pin[0], renewed)
    return changes, misfits


def find_newest(
    pins: list[re.Match[str]], old: dict[str, str], index: Index
) -> dict[str, str]:
    """Return the newest versions that fit together, with Django in its line."""
    next_django = following(line(old["django"]))
    limit = f"django<{next_django}"
    allowed = index.resolve_everywhere([*old, limit], "--no-deps")
    floors = {
        name: min(version, allowed[name], key=number) for name, version in old.items()
    }
    # The floors are one solution, so the newest release of one package cannot pull down
    # another.
    wanted = {f"{with_extras(pin)}>={floors[canonical(pin['name'])]}" for pin in pins}
    uv_pin = f"uv>={floors['uv']}"
    newest = index.resolve_everywhere([*sorted(wanted), uv_pin, limit])
    for name, version in old.items():
        if number(newest[name]) == number(version):
            newest[name] = version  # as it is written: 50.1 is 50.1.0
    return newest


def installed_uv() -> str:
    """Return the version of uv that the image takes, which other files read there."""
    text = (RAW / "Dockerfile").read_text(encoding="utf-8")
    versions: list[str] = re.findall(r"astral-sh/uv:([\d.]+)", text)
    return versions[0]


def renew_uv(texts: Texts, version: str) -> None:
    """Install this uv everywhere.

    The Dockerfile has the version, which other files read there. GitLab's image repeats
    it. `required-version` stays: it is a lower bound, which a team's uv has to meet.
    """
    place = re.compile(r"(\bastral-sh/uv:)\d[\d.]*\d")
    for path, text in texts.items():
        texts[path] = place.sub(rf"\g<1>{version}", text)


def add_python(texts: Texts, new: str) -> None:
    """Add a line of Python to every list, and take it where one line is named."""
    major, minor = new.split(".")
    last = rf"{major}\.{int(minor) - 1}"
    in_list = re.compile(rf'(3\.\d+("?), "?){last}\b(?!\.)("?)')
    alone = re.compile(
        rf'(\bpython:|PYTHON: "|controls-|%5B|Python 3\.\d+ to ){last}\b'
    )
    for path, text in texts.items():
        bounded = text.replace(f",<{new}", f",<{following(new)}")
        listed = in_list.sub(rf"\g<0>, \g<2>{new}\g<2>", bounded)
        texts[path] = alone.sub(rf"\g<1>{new}", listed)


def is_released(python: str) -> bool:
    """Return whether uv, which needs no network for this, knows a line of Python."""
    options = ("--only-downloads", "--all-versions", "--output-format", "json")
    releases = json.loads(uv("python", "list", *options))
    of_line = re.compile(rf"{re.escape(python)}\.\d+")
    return any(of_line.fullmatch(release["version"]) for release in releases)


def find_missing_wheel(index: Index, texts: Texts) -> str:
    """Return which package has no wheel for the next line of Python, or nothing."""
    pins = [pin[0].strip('"') for pin in PIN.finditer(texts[MANIFEST])]
    version = ("--python-version", index.next_python)
    for platform in PLATFORMS:
        try:
            index.resolve(pins, *version, "--python-platform", platform)
        except subprocess.CalledProcessError as failure:
            match = NO_WHEEL.search(failure.stderr)
            package = match[1] if match else "a package"
            return f"{package} has no wheel for it on {platform}"
    return ""


def next_python(index: Index, texts: Texts) -> tuple[str, bool]:
    """Return what to say of the next line of Python, and whether it can be added."""
    new = index.next_python
    if not is_released(new):
        return "", False
    missing_wheel = find_missing_wheel(index, texts)
    if missing_wheel:
        return f"Python {new} is out, but {missing_wheel}.", False
    advice = "`uv run renew.py --python` adds it."
    return f"Python {new} is out, with wheels of every package: {advice}", True


class Answer(NamedTuple):
    """What a registry answered."""

    headers: HTTPMessage
    content: Any  # of JSON


def make_opener() -> OpenerDirector:
    """Return what opens URLs, redirects too: HTTPS alone."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler,
        HTTPSHandler,
        HTTPRedirectHandler,
        HTTPDefaultErrorHandler,
        HTTPErrorProcessor,
        UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def ask(url: str, token: str = "", accept: Iterable[str] = ()) -> Answer:
    """Return what a URL answers in JSON.

    Raise OSError or HTTPException if it cannot be read, and ValueError if the answer is
    no JSON, too large or too slow.
    """
    request = Request(url, headers={"Accept": ", ".join(accept) or "*/*"})  # noqa: S310 - the opener knows HTTPS alone
    if token:
        # No redirect receives it.
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    seconds = min(PATIENCE, clock.left())
    end = time.monotonic() + seconds
    content = b""
    with make_opener().open(request, timeout=seconds) as response:
        for chunk in iter(lambda: response.read1(65536), b""):
            content += chunk
            if len(content) > LARGEST_ANSWER or time.monotonic() > end:
                reason = f"{url} answers too much or too slowly"
                raise ValueError(reason)
        return Answer(response.headers, json.loads(content))


@cache
def find_token(challenge: str) -> str:
    """Return the token for everybody that a registry's challenge names."""
    scheme, _, rest = challenge.partition(" ")
    parameters = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    if scheme.lower() != "bearer" or "realm" not in parameters:
        reason = f"no token for everybody: {challenge}"
        raise ValueError(reason)
    realm = parameters.pop("realm")
    answer = ask(f"{realm}?{urlencode(parameters)}").content
    token: str = answer.get("token") or answer["access_token"]
    return token


class Repository:
    """The repository of an image, by the HTTP API that OCI's registries share."""

    def __init__(self, name: str) -> None:
        """Find the registry in the name; Docker Hub is the one without a host."""
        host, _, path = name.partition("/")
        if "." not in host:
            host = DOCKER_HUB
            path = name if "/" in name else f"library/{name}"
        self.url = f"https://{host}/v2/{path}/"
        self.token = ""

    def get(self, path: str, accept: Iterable[str] = ()) -> Answer:
        """Ask for a path below the repository, with a token if it is needed."""
        url = urljoin(self.url, path)
        for _ in range(ATTEMPTS):
            try:
                return ask(url, self.token, accept)
            except HTTPError as refused:
                self.prepare_again(refused)
        return ask(url, self.token, accept)

    def prepare_again(self, refused: HTTPError) -> None:
        """Wait, or take a token, as it asks, or raise its error."""
        if refused.code == HTTPStatus.TOO_MANY_REQUESTS:
            pause = refused.headers.get("Retry-After", "")
            wait(int(pause) if pause.isdecimal() else PATIENCE)
        elif refused.code == HTTPStatus.UNAUTHORIZED and not self.token:
            self.token = find_token(refused.headers.get("WWW-Authenticate", ""))
        else:
            raise refused

    def tags(self) -> list[str]:
        """Return all tags, of every page."""
        tags: list[str] = []
        path = "tags/list"
        for _ in range(MOST_PAGES):
            answer = self.get(path)
            tags += answer.content["tags"] or []
            following_page = re.search(r"<([^>]+)>", answer.headers.get("Link", ""))
            if not following_page:
                break
            path = urljoin(urljoin(self.url, path), following_page[1])
            if not path.startswith(self.url):
                break  # the token is for this registry alone
        return tags

    def digest(self, tag: str) -> str:
        """Return the digest of a tag, which covers every platform of the image."""
        answer = self.get(f"manifests/{tag}", INDEXES + MANIFESTS)
        return answer.headers.get("Docker-Content-Digest", "")

    def created(self, tag: str) -> datetime:
        """Return when an image was built."""
        manifest = self.get(f"manifests/{tag}", INDEXES + MANIFESTS).content
        if "manifests" in manifest:
            platform = manifest["manifests"][0]["digest"]
            manifest = self.get(f"manifests/{platform}", MANIFESTS).content
        config = self.get(f"blobs/{manifest['config']['digest']}").content
        return datetime.fromisoformat(config["created"])


def wait(seconds: int) -> None:
    """Wait as long as a registry asks for, if that is not beyond patience."""
    if seconds > min(PATIENCE, clock.left()):
        reason = f"the registry asks to wait for {seconds} seconds"
        raise OSError(reason)
    time.sleep(seconds)


UNREAD = (OSError, HTTPException, ValueError, KeyError, IndexError, TypeError)


def find_tags(name: str) -> list[str]:
    """Return the tags of an image, or none if they cannot be read."""
    try:
        return Repository(name).tags()
    except UNREAD:
        return []


def find_digest(image: Image) -> str:
    """Return the digest of an image's tag, or nothing if it cannot be read."""
    try:
        digest = Repository(image.name).digest(f"{image.version}{image.kind}")
    except UNREAD:
        return ""
    return digest if DIGEST.fullmatch(digest) else ""


def is_older(image: Image, cooldown: timedelta) -> bool:
    """Return whether an image can be read and is older than the cooldown."""
    try:
        built = Repository(image.name).created(f"{image.version}{image.kind}")
    except UNREAD:
        return False
    return datetime.now(UTC) - built.astimezone(UTC) > cooldown


def newest_version(image: Image, tags: list[str], cooldown: timedelta) -> str:
    """Return the newest version of the same form and major past the cooldown."""
    present = number(image.version)
    minor_parts = rf"(?:\.\d+){{{image.version.count('.')}}}"
    form = re.compile(rf"({present[0]}{minor_parts}){re.escape(image.kind)}")
    matches = filter(None, map(form.fullmatch, tags))
    versions = {match[1] for match in matches}
    later = {version for version in versions if number(version) > present}
    if image.name == "nginx":
        # Odd numbers are for development.
        later = {version for version in later if number(version)[1] % 2 == 0}
    for version in sorted(later, key=number, reverse=True):
        if is_older(image._replace(version=version), cooldown):
            return version
    return image.version


def newest_major(tags: list[str], kind: str) -> int:
    """Return the highest major version among the tags of a kind."""
    form = re.compile(rf"(\d+)[\d.]*{re.escape(kind)}")
    matches = filter(None, map(form.fullmatch, tags))
    return max((int(match[1]) for match in matches), default=0)


def find_images(texts: Texts) -> set[Image]:
    """Return the images that files of the raw folder and of the package name."""
    images = set()
    for path, text in texts.items():
        if path.is_relative_to(RAW) or path.is_relative_to(PACKAGE):
            images |= {Image(*match.groups()) for match in IMAGE.finditer(text)}
    return {image for image in images if image.name not in NOT_IMAGES}


def renew_images(
    texts: Texts, cooldown: timedelta
) -> tuple[dict[str, Change], list[str]]:
    """Raise the images of the raw folder and of the package wherever they are named.

    Return what changed, and what is left to people.
    """
    changes: dict[str, Change] = {}
    decisions = set()
    images = sorted(find_images(texts))
    names = sorted({image.name for image in images})
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tags_of = dict(zip(names, pool.map(find_tags, names), strict=True))
    for image in images:
        tags = tags_of[image.name]
        new = newest_version(image, tags, cooldown)
        if new != image.version:
            changes[f"{image.name}{image.kind}"] = Change(image.version, new)
            name = re.compile(rf"(?<![\w./-]){re.escape(str(image))}(?![\w.-])")
            renewed = str(image._replace(version=new))
            for path, text in texts.items():
                texts[path] = name.sub(renewed, text)
        major = newest_major(tags, image.kind)
        if not tags:
            decisions.add(f"not read: the tags of {image.name}")
        elif major > number(image.version)[0]:
            files = ", ".join(name_places(texts, image))
            decisions.add(f"{image.name} {major} is out: {IMAGE_PAGE} {files}.")
    return changes, sorted(decisions)


def name_places(texts: Texts, image: Image) -> list[str]:
    """Return the files of the repository that name an image."""
    paths = [path for path, text in texts.items() if f"{image.name}:" in text]
    return [path.relative_to(ROOT).as_posix() for path in sorted(paths)]


def may_have_digest(path: Path) -> bool:
    """Return whether a file is emitted, and a bot raises the digests in it."""
    is_emitted = path.is_relative_to(RAW) or path.is_relative_to(PACKAGE)
    return is_emitted and path.name in WITH_DIGESTS


def take_digests(texts: Texts) -> dict[str, str]:
    """Remove the digests from the texts, and return them by image."""
    pinned = re.compile(rf"{IMAGE.pattern}@(?P<digest>{DIGEST.pattern})", re.MULTILINE)
    digests: dict[str, str] = {}
    for path in filter(may_have_digest, texts):
        for match in pinned.finditer(texts[path]):
            image = Image(match["name"], match["version"], match["kind"])
            digests[str(image)] = match["digest"]
        texts[path] = re.sub(rf"@{DIGEST.pattern}", "", texts[path])
    return digests


def pin_images(
    texts: Texts, before: dict[str, str]
) -> tuple[dict[str, Change], list[str]]:
    """Add to each image its present digest, or else the one before of the same tag.

    No cooldown delays a digest: a tag is built anew for security fixes. Return what
    changed, and the images that have none.
    """
    digests: dict[str, str] = {}
    changes: dict[str, Change] = {}
    paths = list(filter(may_have_digest, texts))
    found = {
        Image(*match.groups())
        for path in paths
        for match in IMAGE.finditer(texts[path])
    }
    images = sorted(found)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        names = map(str, images)
        present = dict(zip(names, pool.map(find_digest, images), strict=True))
    for image in map(str, images):
        old = before.get(image, "")
        new = present[image] or old
        if new:
            digests[image] = new
        if new and new != old:
            changes[image] = Change(old[:19] or "no digest", new[:19])  # 12 digits

    def pin(match: re.Match[str]) -> str:
        digest = digests.get(str(Image(*match.groups())))
        return f"{match[0]}@{digest}" if digest else match[0]

    for path in paths:
        texts[path] = IMAGE.sub(pin, texts[path])
    return changes, sorted({str(image) for image in images} - digests.keys())


def find_release(action: tuple[str, str]) -> str:
    """Return the newest release of an action, or nothing if it cannot be read."""
    repository, version = action
    url = f"https://github.com/{repository}"
    command = ("git", "ls-remote", "--tags", "--refs", url, "v*")
    try:
        process = subprocess.run(
            command,
            check=True,
            capture_output=True,
            encoding="utf-8",
            timeout=min(PATIENCE, clock.left()),
            env=os.environ | {"GIT_TERMINAL_PROMPT": "0"},
        )
    except subprocess.SubprocessError:
        return ""
    tags = re.findall(r"refs/tags/v(\d+\.\d+\.\d+)$", process.stdout, re.MULTILINE)
    return max(tags, key=number, default=version)


def due_actions() -> list[str]:
    """Return the actions of the template's own workflows that have a newer release."""
    paths = sorted((ROOT / WORKFLOWS).iterdir())
    texts = [path.read_text(encoding="utf-8") for path in paths]
    actions = sorted(
        {
            (match["repository"], match["version"])
            for text in texts
            for match in ACTION.finditer(text)
        }
    )
    with ThreadPoolExecutor(AT_ONCE) as pool:
        newest = dict(zip(actions, pool.map(find_release, actions), strict=True))
    unread = [
        repository for repository, version in actions if not newest[repository, version]
    ]
    due = [
        f"{repository} {version} → {release}"
        for (repository, version), release in newest.items()
        if release and number(release) > number(version)
    ]
    if unread:
        due.append(f"not read: the releases of {', '.join(unread)}")
    return due


def tracked_texts() -> Texts:
    """Return the text files of the repository, with their text."""
    process = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    texts = {}
    paths = set(process.stdout.split("\0")) - {""}
    for path in sorted(paths - KEPT):
        content = (ROOT / path).read_bytes()
        if b"\0" not in content:
            texts[ROOT / path] = content.decode()
    return texts


def section(title: str, items: list[str]) -> str:
    """Return a list under a title, or nothing without items."""
    if not items:
        return ""
    rows = [f"- {item}\n" for item in items]
    return f"\n{title}\n\n{''.join(rows)}"


def table_of(changes: dict[str, Change]) -> str:
    """Return the rows of a Markdown table, or a sentence without changes."""
    if not changes:
        return "Nothing to raise."
    rows = ["| package or image | from | to |", "| --- | --- | --- |"]
    for name, change in sorted(changes.items()):
        rows.append(f"| {name} | {change.old} | {change.new} |")
    return "\n".join(rows)


def write_changes(before: Texts, texts: Texts) -> None:
    """Write the texts that changed."""
    for path, text in texts.items():
        if text != before[path]:
            path.write_text(text, encoding="utf-8", newline="\n")


def renew(*, add_next_python: bool) -> None:
    """Change the files, and print what changed and what is left to people."""
    before = tracked_texts()
    texts = dict(before)
    digests = take_digests(texts)
    index = Index()
    clock.begin("The package index: the newest releases that fit together")
    try:
        changes = renew_packages(texts, index)
    except subprocess.CalledProcessError as failure:
        sys.exit(f"uv finds no set that fits together: {failure.stderr.strip()}")
    uv_version = changes["uv"].new if "uv" in changes else installed_uv()
    renew_uv(texts, uv_version)
    days = int(index.cooldown.split(maxsplit=1)[0])
    clock.begin("The registries of the images: tags")
    image_changes, decisions = renew_images(texts, timedelta(days=days))
    clock.begin("The package index: the packages of each recipe")
    page_changes, misfits = renew_pages(texts, index)
    changes |= image_changes | page_changes
    metadata = ROOT / "pyproject.toml"
    decisions += misfits + left_ranges(before[metadata], texts[metadata])
    clock.begin("The package index: wheels for the next Python")
    note, can_be_added = next_python(index, texts)
    if can_be_added and add_next_python:
        add_python(texts, index.next_python)
        note = (
            f"Python {index.next_python} is added. "
            "Let CI test it on every system before the merge."
        )
    clock.begin("The package index: the next line of Django")
    present_django = re.findall(r'"django~=([\d.]+)', texts[MANIFEST])[0]
    django = following(line(present_django))
    if index.has(f"django>={django}"):
        decisions.append(f"Django {django} is out: {DJANGO_PAGE}.")
    if note:
        decisions.append(note)
    clock.begin("The registries of the images: digests")
    digest_changes, unpinned = pin_images(texts, digests)
    clock.begin("GitHub: releases of the actions")
    actions = due_actions()
    clock.left()
    write_changes(before, texts)

    print(table_of(changes | digest_changes))
    lowered = [
        name
        for name, change in sorted(changes.items())
        if number(change.new) < number(change.old)
    ]
    reason = f"the pin is withdrawn or younger than {index.cooldown}"
    print(section(f"Lowered, since {reason}:", lowered), end="")
    print(section("Left for a decision:", decisions), end="")
    title = "Without a digest, since their registry could not be read:"
    print(section(title, unpinned), end="")
    title = f"Due in `{WORKFLOWS}`; Dependabot opens requests for these:"
    print(section(title, actions), end="")


def main() -> None:
    """Read the options, and renew within the time."""
    summary, _, text = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary,
        epilog=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--python", action="store_true", help="add the next Python")
    parser.add_argument(
        "--limit", type=int, default=SECONDS, help="seconds for the whole command"
    )
    options = parser.parse_args()
    clock.end = time.monotonic() + options.limit
    try:
        renew(add_next_python=options.python)
    except subprocess.TimeoutExpired:
        clock.stop()


if __name__ == "__main__":
    main()
