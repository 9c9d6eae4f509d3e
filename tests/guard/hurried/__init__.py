"""Ordinary features as people in a hurry write them, with their known weaknesses.

A feature is a folder beside this file: `app/` has the files of a Django app as they go
into a generated project, `weaknesses.toml` describes what is wrong with them, and
`exploits.py` has one test for each weakness, which passes while the weakness is there.
`fixed/` has the files that differ once all checks were made green.
"""

import ast
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent

# The kinds of weaknesses, each with the words by which a failure that names the right
# place shows that it is about this weakness. A weakness can name others. The words say
# what is wrong, as no name of a test and no advice does.
KINDS = {
    "access": r"\bshows \w+\.\w+|gives others what|mixes the numbers",
    "account": r"TID251|S105|S106",
    "content": r"formula|PhotoField|file of any kind|as it was sent",
    "csrf": r"csrf_exempt|\bGET\b.* changes \w+",
    "edge": r"\banswers 500\b",
    "email": r"\bshows User\.email|\.owner'|\.user'|emails? to others",
    "header": r"weakens the Content-Security-Policy",
    "injection": r"escap|shows a user's text as HTML|S608|B608|S308|B308|B703|\|safe",
    "limit": r"without end|rate limit|most_per_owner",
    "log": r"\blogs (what|\w+\.\w+)",
    "performance": r"once for each|all objects at once",
    "redirect": r"redirects to any site",
    "secret": r"EncryptedTextField|shows \w+\.(password|secret|key|token)",
    "ssrf": r"internal servers",
    "writing": (
        r"(changes|uses) \w+ of the owner|gives others what|mixes the numbers|, not 404"
    ),
}


class Weakness(NamedTuple):
    """A weakness of a feature, and what a failure must name to have noticed it."""

    name: str  # its exploit is `test_{name}`
    what: str
    kind: str
    is_serious: bool  # others' data or accounts, XSS, SSRF, injection or CSRF
    code: list[str]  # "file: a part of its line"
    routes: list[str]
    names: list[str]  # of views, forms, models or fields
    words: str
    prevented: str  # by what: the exploit fails in a project as it is generated

    @property
    def exploit(self) -> str:
        """Return the name of the test that shows the weakness."""
        return f"test_{self.name}"


class Feature(NamedTuple):
    """A feature, as its folder describes it."""

    folder: Path
    request: str  # what the people who wrote it were asked for
    mount: str  # where its URLs are included
    weaknesses: list[Weakness]

    @property
    def name(self) -> str:
        """Return the name of the app."""
        return self.folder.name

    def files(self, variant: str = "app") -> list[Path]:
        """Return the files that go into a project, those of the app first.

        A variant has the files that differ.
        """
        folders = dict.fromkeys(["app", variant])
        paths = [path for name in folders for path in (self.folder / name).rglob("*")]
        return [
            path for path in paths if path.is_file() and "__pycache__" not in path.parts
        ]

    def parts_in_app(self, path: Path) -> tuple[str, ...]:
        """Return where a file of the app or of a variant stands in the app."""
        return path.relative_to(self.folder).parts[1:]

    def install(self, project: Path, variant: str = "app") -> None:
        """Copy the app into a project, and name it where `poe app` names an app."""
        for path in self.files(variant):
            target = project.joinpath(self.name, *self.parts_in_app(path))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        url = f'    path("{self.mount}", include("{self.name}.urls")),\n'
        entry = f'    "{self.name}",\n'
        for name, place, line in (
            ("config/settings.py", "INSTALLED_APPS = [\n", entry),
            ("config/urls.py", "urlpatterns = [\n", url),
            ("pyproject.toml", "root_packages = [\n", entry),
            ("pyproject.toml", 'layers = [\n    "config",\n', entry),
        ):
            insert_after(project / name, place, line)


def insert_after(path: Path, place: str, line: str) -> None:
    """Insert a line after the first place in a file."""
    before, found, after = path.read_text(encoding="utf-8").partition(place)
    if not found:
        message = f"{path.name} has no {place.strip()}"
        raise ValueError(message)
    path.write_text(before + found + line + after, encoding="utf-8", newline="\n")


def read_weakness(
    name: str, table: dict[str, Any], kinds: dict[str, str] = KINDS
) -> Weakness:
    """Return a weakness as its table in weaknesses.toml describes it."""
    return Weakness(
        name,
        table["what"],
        table["kind"],
        table.get("serious", False),
        table.get("code", []),
        table.get("routes", []),
        table.get("names", []),
        table.get("words", kinds[table["kind"]]),
        table.get("prevented", ""),
    )


def read_feature(folder: Path, kinds: dict[str, str] = KINDS) -> Feature:
    """Return the feature of a folder."""
    text = (folder / "weaknesses.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    weaknesses = [
        read_weakness(name, weakness, kinds)
        for name, weakness in table["weaknesses"].items()
    ]
    mount = table.get("mount", f"{folder.name}/")
    return Feature(folder, table["request"], mount, weaknesses)


def read_features(
    folder: Path = FOLDER, kinds: dict[str, str] = KINDS
) -> list[Feature]:
    """Return all features of a folder, by default of this one."""
    return [
        read_feature(path.parent, kinds)
        for path in sorted(folder.glob("*/weaknesses.toml"))
    ]


def find_lines(path: Path, part: str) -> set[int]:
    """Return the lines of the statement in which a part of a line stands.

    In a template, and for the head of a function or a class, it is one line.
    """
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    found = [number for number, line in enumerate(lines, 1) if part in line]
    if len(found) != 1:
        message = f"{path.name} has {len(found)} lines with: {part}"
        raise ValueError(message)
    if path.suffix != ".py":
        return set(found)
    statements = [
        set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.stmt) and not hasattr(node, "body")
    ]
    around = [statement for statement in statements if found[0] in statement]
    return around[0] if around else set(found)


def describe_places(feature: Feature, weakness: Weakness) -> list[re.Pattern[str]]:
    """Return what a line must contain to name the place of a weakness."""
    patterns = []
    for entry in weakness.code:
        name, _, part = entry.partition(": ")
        path = re.escape(f"{feature.name}/{name}")
        numbers = sorted(find_lines(feature.folder / "app" / name, part))
        choice = "|".join(map(str, numbers))
        if name.endswith(".py"):
            patterns.append(rf"\b{path}:(?:{choice})\b")
        else:
            # Tests of templates name a file, and what they found there.
            patterns.append(rf"\b{path}:(?:(?:{choice})\b|(?!\d))")
    for route in weakness.routes:
        parts = [re.escape(part) for part in re.split(r"<\w+>", route)]
        parameter = r"(?:<\w+>|\d+)"
        start = r"(?:(?<![\w>/.])|(?<=testserver)|(?<=localhost))"
        patterns.append(rf"{start}{parameter.join(parts)}(?![\w<])")
    # The name of a form is no name of one of its fields.
    patterns += [rf"(?<!\w){re.escape(name)}(?!\.?\w)" for name in weakness.names]
    return [re.compile(pattern) for pattern in patterns]
