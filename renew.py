# /// script
# requires-python = ">=3.12"
# dependencies = []
# ///
# With this block, uv runs the file outside the project: no package is installed, so the
# code of none runs.

"""Raise all pins, and uv, to the newest releases that the cooldown allows.

    uv run renew.py            # prints what it raised, as a Markdown table
    uv run renew.py --python   # also adds the next line of Python, if it has all wheels

The pins are those of both pyproject.toml files. The raw project's `[tool.uv]` states
the cooldown and its exceptions. Only versions change. Django stays in its line, because
a new line is a decision, as is a new major version of an image. It needs the standard
library, uv, Git, and for the images skopeo.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent
RAW = ROOT / "{{cookiecutter.project_slug}}"
WORKFLOWS = ".github/workflows/"
# update.py starts cookiecutter in the version that the tests use.
PINNED = [ROOT / "pyproject.toml", RAW / "pyproject.toml", ROOT / "update.py"]
PIN = re.compile(
    r'"(?P<name>[A-Za-z0-9][\w.-]*)(?P<extras>\[[\w,-]+\])?(?P<operator>==|~=)(?P<version>\d[\w.]*)(?=[";])'
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
# Their versions are those of packages and of Python.
NOT_IMAGES = {"ghcr.io/astral-sh/uv", "python"}
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-apple-darwin", "x86_64-pc-windows-msvc")
# The first two tell what happened on a day, and the third has a made-up template.
KEPT = {"CHANGELOG.md", "docs/decisions.md", "tests/test_renew.py"}


def number(version: str) -> tuple[int, ...]:
    """Return a final version in a form that can be compared: 50.1 is 50.1.0."""
    return tuple(map(int, re.findall(r"\d+", re.sub(r"(\.0)+$", "", version))))


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
        done = subprocess.run(
            command,
            cwd=folder,
            input=sent,
            check=True,
            capture_output=True,
            encoding="utf-8",
        )
    return done.stdout


class Index:
    """What the package index offers under the raw project's cooldown."""

    def __init__(self) -> None:
        """Read the cooldown, the oldest line of Python, and the one after the last."""
        metadata = tomllib.loads((RAW / "pyproject.toml").read_text(encoding="utf-8"))
        self.oldest, self.next_python = re.findall(
            r"3\.\d+", metadata["project"]["requires-python"]
        )
        settings = metadata["tool"]["uv"]
        self.cooldown = settings["exclude-newer"]
        self.at_once = [
            name
            for name, span in settings["exclude-newer-package"].items()
            if span is False
        ]

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
        printed = uv(
            "pip", "compile", "-", *common, *options, sent="\n".join(requirements)
        )
        versions: dict[str, str] = {}
        # Where no single version fits every Python, the oldest of them does.
        for name, version in re.findall(
            r"^([\w.-]+)(?:\[.*\])?==([^\s;]+)", printed, re.MULTILINE
        ):
            versions[name] = min(version, versions.get(name, version), key=number)
        return versions

    def everywhere(self, requirements: list[str], *options: str) -> dict[str, str]:
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
            return bool(self.everywhere([requirement], "--no-deps"))
        except subprocess.CalledProcessError:
            return False


def canonical(name: str) -> str:
    """Return a package's name as the index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def renew_packages(texts: dict[Path, str], index: Index) -> dict[str, tuple[str, str]]:
    """Raise the pins in the texts; return each package's old and new version.

    uv itself is one of the packages. A pin that the index no longer offers, or that is
    younger than the cooldown, is lowered: no project could be locked.
    """
    pins = [pin for path in PINNED for pin in PIN.finditer(texts[path])]
    old = {canonical(pin["name"]): pin["version"] for pin in pins} | {
        "uv": installed_uv()
    }
    limit = [f"django<{following(line(old['django']))}"]
    allowed = index.everywhere([*old, *limit], "--no-deps")
    floors = {
        name: min(version, allowed[name], key=number) for name, version in old.items()
    }
    # The floors are one solution, so the newest release of one package cannot pull down
    # another.
    wanted = {
        f"{pin['name']}{pin['extras'] or ''}>={floors[canonical(pin['name'])]}"
        for pin in pins
    }
    newest = index.everywhere([*sorted(wanted), f"uv>={floors['uv']}", *limit])
    new = {
        name: newest[name] if number(newest[name]) != number(version) else version
        for name, version in old.items()
    }

    def renewed(pin: re.Match[str]) -> str:
        version = new[canonical(pin["name"])]
        if pin["operator"] == "~=" and version.count(".") == 1:
            version += ".0"  # with two numbers, it would admit new features
        return f'"{pin["name"]}{pin["extras"] or ""}{pin["operator"]}{version}'

    for path in PINNED:
        texts[path] = PIN.sub(renewed, texts[path])
    return {
        name: (version, new[name])
        for name, version in old.items()
        if version != new[name]
    }


def installed_uv() -> str:
    """Return the version of uv that the image takes, which all other places repeat."""
    found: list[str] = re.findall(
        r"astral-sh/uv:([\d.]+)", (RAW / "Dockerfile").read_text(encoding="utf-8")
    )
    return found[0]


def renew_uv(texts: dict[Path, str], version: str) -> None:
    """Install this uv everywhere.

    `required-version` stays: it is a lower bound, which a team's own uv has to meet.
    """
    place = re.compile(
        r"(\buv:|\buv==|setup-uv@.+\n +with:\n(?: +(?!- ).+\n)*? +version: \"?)"
        r"\d[\d.]*\d"
    )
    for path, text in texts.items():
        texts[path] = place.sub(rf"\g<1>{version}", text)


def add_python(texts: dict[Path, str], new: str) -> None:
    """Add a line of Python to every list, and take it where one line is named."""
    major, minor = new.split(".")
    last = rf"{major}\.{int(minor) - 1}"
    for path, text in texts.items():
        bounded = text.replace(f",<{new}", f",<{following(new)}")
        listed = re.sub(
            rf'(3\.\d+("?), "?){last}\b(?!\.)("?)', rf"\g<0>, \g<2>{new}\g<2>", bounded
        )
        texts[path] = re.sub(
            rf'(\bpython:|PYTHON: "|controls-|%5B|Python 3\.\d+ to ){last}\b',
            rf"\g<1>{new}",
            listed,
        )


def next_python(index: Index, texts: dict[Path, str]) -> tuple[str, bool]:
    """Return what to say of the next line of Python, and whether it can be added.

    uv knows the line without a network.
    """
    new = index.next_python
    known = json.loads(
        uv(
            "python",
            "list",
            "--only-downloads",
            "--all-versions",
            "--output-format",
            "json",
        )
    )
    if not any(
        re.fullmatch(rf"{re.escape(new)}\.\d+", row["version"]) for row in known
    ):
        return "", False
    pins = [pin[0].strip('"') for pin in PIN.finditer(texts[RAW / "pyproject.toml"])]
    for platform in PLATFORMS:
        try:
            index.resolve(pins, "--python-version", new, "--python-platform", platform)
        except subprocess.CalledProcessError as failure:
            lacking = re.search(
                r"(?:only found wheels for|versions of|Wheels are required for)"
                r" `?([\w.-]+)",
                failure.stderr,
            )
            package = lacking[1] if lacking else "a package"
            return (
                (
                    f"Python {new} is out, "
                    f"but {package} has no wheel for it on {platform}."
                ),
                False,
            )
    return (
        (
            f"Python {new} is out, with wheels of every package: "
            "`uv run renew.py --python` adds it."
        ),
        True,
    )


def skopeo(*arguments: str) -> str:
    """Return what skopeo prints of an image, or nothing if it cannot be read."""
    try:
        done = subprocess.run(
            ("skopeo", *arguments),
            check=False,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def newest_tag(image: re.Match[str], tags: list[str], cooldown: timedelta) -> str:
    """Return the newest tag of the same form and major version past the cooldown."""
    name, present, kind = image.groups()
    form = re.compile(
        rf"({number(present)[0]}(?:\.\d+){{{present.count('.')}}}){re.escape(kind)}"
    )
    later = {
        found[1]
        for tag in tags
        if (found := form.fullmatch(tag)) and number(found[1]) > number(present)
    }
    if name == "nginx":
        # Odd numbers are for development.
        later = {it for it in later if number(it)[1] % 2 == 0}
    for version in sorted(later, key=number, reverse=True):
        built = skopeo(
            "inspect", "--format={{.Created.Unix}}", f"docker://{name}:{version}{kind}"
        ).strip()
        if (
            built.isdecimal()
            and datetime.now(UTC) - datetime.fromtimestamp(int(built), UTC) > cooldown
        ):
            return version
    return present


def renew_images(
    texts: dict[Path, str], cooldown: str
) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Raise the images of the raw folder wherever they are named.

    Return what changed, and what is left to people.
    """
    raw = (text for path, text in texts.items() if path.is_relative_to(RAW))
    found = {
        image.groups(): image
        for text in raw
        for image in IMAGE.finditer(text)
        if image["name"] not in NOT_IMAGES
    }
    changed: dict[str, tuple[str, str]] = {}
    left = set()
    for (name, present, kind), image in sorted(found.items()):
        tags = json.loads(skopeo("list-tags", f"docker://{name}") or '{"Tags": []}')[
            "Tags"
        ]
        new = newest_tag(
            image, tags, timedelta(days=int(cooldown.split(maxsplit=1)[0]))
        )
        if new != present:
            changed[f"{name}{kind}"] = (present, new)
            place = re.compile(
                rf"(?<![\w./-]){re.escape(f'{name}:{present}{kind}')}(?![\w.-])"
            )
            for path, text in texts.items():
                texts[path] = place.sub(f"{name}:{new}{kind}", text)
        majors = [
            int(it[1])
            for tag in tags
            if (it := re.fullmatch(rf"(\d+)[\d.]*{re.escape(kind)}", tag))
        ]
        if not tags:
            left.add(f"not read: the tags of {name}, by skopeo")
        elif max(majors, default=0) > number(present)[0]:
            left.add(f"{name} {max(majors)} is out.")
    return changed, sorted(left)


def due_actions() -> list[str]:
    """Return the actions of the template's own workflows that have a newer release."""
    texts = [
        path.read_text(encoding="utf-8")
        for path in sorted((ROOT / WORKFLOWS).iterdir())
    ]
    found, unread = [], []
    for repository, version in sorted(
        {match.groups() for text in texts for match in ACTION.finditer(text)}
    ):
        command = (
            "git",
            "ls-remote",
            "--tags",
            "--refs",
            f"https://github.com/{repository}",
            "v*",
        )
        done = subprocess.run(
            command, check=False, capture_output=True, encoding="utf-8"
        )
        tags = re.findall(r"refs/tags/v(\d+\.\d+\.\d+)$", done.stdout, re.MULTILINE)
        newest = max(tags, key=number, default=version)
        if done.returncode:
            unread.append(repository)
        elif number(newest) > number(version):
            found.append(f"{repository} {version} → {newest}")
    return found + [f"not read: the releases of {', '.join(unread)}"] * bool(unread)


def tracked() -> dict[Path, str]:
    """Return the text files of the repository, with their text."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    texts = {}
    for path in sorted({*filter(None, listed.stdout.split("\0"))} - KEPT):
        content = (ROOT / path).read_bytes()
        if b"\0" not in content:
            texts[ROOT / path] = content.decode()
    return texts


def section(title: str, items: list[str]) -> str:
    """Return a list under a title, or nothing without items."""
    return f"\n{title}\n\n" + "".join(f"- {item}\n" for item in items) if items else ""


def main() -> None:
    """Change the files, and print what changed and what is left to people."""
    before = tracked()
    texts = dict(before)
    index = Index()
    try:
        changed = renew_packages(texts, index)
    except subprocess.CalledProcessError as failure:
        sys.exit(f"uv finds no set that fits together: {failure.stderr.strip()}")
    renew_uv(texts, changed.get("uv", ("", installed_uv()))[1])
    images, decisions = renew_images(texts, index.cooldown)
    changed |= images
    note, addable = next_python(index, texts)
    if addable and "--python" in sys.argv[1:]:
        add_python(texts, index.next_python)
        note = (
            f"Python {index.next_python} is added. "
            "Let CI test it on every system before the merge."
        )
    for path, text in texts.items():
        if text != before[path]:
            path.write_text(text, encoding="utf-8", newline="\n")

    rows = [
        f"| {name} | {old} | {new} |" for name, (old, new) in sorted(changed.items())
    ]
    print(
        "\n".join(
            ["| package or image | from | to |", "| --- | --- | --- |", *rows]
            if rows
            else ["Nothing to raise."]
        )
    )
    lowered = [
        name
        for name, (old, new) in sorted(changed.items())
        if number(new) < number(old)
    ]
    print(
        section(
            f"Lowered, since the pin is withdrawn or younger than {index.cooldown}:",
            lowered,
        ),
        end="",
    )
    django = following(
        line(re.findall(r'"django~=([\d.]+)', texts[RAW / "pyproject.toml"])[0])
    )
    decisions += [f"Django {django} is out."] if index.has(f"django>={django}") else []
    print(section("Left for a decision:", decisions + [note] * bool(note)), end="")
    print(
        section(
            f"Due in `{WORKFLOWS}`; Dependabot opens requests for these:", due_actions()
        ),
        end="",
    )


if __name__ == "__main__":
    main()
