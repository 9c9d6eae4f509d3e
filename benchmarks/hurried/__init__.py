"""Ordinary features as people in a hurry write them, with their known weaknesses.

A feature is a folder beside this file: `app/` has the files of a Django app as they go
into a generated project, `weaknesses.toml` describes what is wrong with them, and
`exploits.py` has one test for each weakness, which passes while the weakness is there.
Variants of the same app, such as one whose checks were made green, go into a folder
beside `app/`, and have its weaknesses.
"""

import ast
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent

# The kinds of weaknesses, each with the words by which a failure that names the right
# place shows that it is about this weakness. A weakness can name others.
KINDS = {
    "access": (
        r"\bread|\bsees?\b|\bshow|\blist|\bfind|leak|other|visitor|anonym|access|private"
        r"|\bowns?\b"
    ),
    "account": r"log.?in|authenticate|second factor|allauth|password|account|superuser",
    "content": r"\bfiles?\b|upload|image|photo|csv|formula|cascade",
    "csrf": r"csrf|\bGET\b|safe method",
    "edge": r"\b500\b|raise|exception|[A-Z]\w+Error|DoesNotExist|crash",
    "email": (
        r"(show|read|see|list|leak|find|contain|print|content|private).*mail"
        r"|mail.*(show|read|see|list|leak|found|contain|print)"
    ),
    "header": r"policy|csp|header",
    "injection": r"inject|escap|html|script|\bsafe|mark_safe|sql|S608|S308|reflect",
    "limit": r"limit|unbounded|max_length|\brate|many|often|repeat|429|length",
    "log": r"\blogs?\b|logged|logging|logger",
    "performance": r"quer|N\+1|\bpag(e|inat)|slow|\btime|lane|grow|without end",
    "redirect": r"redirect",
    "secret": r"encrypt|secret|clear|hash|password|token|random|expir|personal",
    "ssrf": r"urlopen|urllib|fetch|ssrf|internal|network|redirect",
    "writing": r"writ|chang|\bsets?\b|delet|POST|PUT|PATCH|DELETE|owner|302",
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
        """Return the files that go into a project."""
        paths = sorted((self.folder / variant).rglob("*"))
        return [
            path for path in paths if path.is_file() and "__pycache__" not in path.parts
        ]

    def install(self, project: Path, variant: str = "app") -> None:
        """Copy the app into a project, and name it where `poe app` names an app."""
        for path in self.files(variant):
            target = project / self.name / path.relative_to(self.folder / variant)
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


def read_weakness(name: str, table: dict[str, Any]) -> Weakness:
    """Return a weakness as its table in weaknesses.toml describes it."""
    return Weakness(
        name,
        table["what"],
        table["kind"],
        table.get("serious", False),
        table.get("code", []),
        table.get("routes", []),
        table.get("names", []),
        table.get("words", KINDS[table["kind"]]),
        table.get("prevented", ""),
    )


def read_feature(folder: Path) -> Feature:
    """Return the feature of a folder."""
    text = (folder / "weaknesses.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    weaknesses = [
        read_weakness(name, weakness) for name, weakness in table["weaknesses"].items()
    ]
    mount = table.get("mount", f"{folder.name}/")
    return Feature(folder, table["request"], mount, weaknesses)


def read_features() -> list[Feature]:
    """Return all features of this folder."""
    return [
        read_feature(path.parent) for path in sorted(FOLDER.glob("*/weaknesses.toml"))
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
        parameter = r"(?:<\w+>|[\w-]+)"
        start = r"(?:(?<![\w>/.])|(?<=testserver))"
        patterns.append(rf"{start}{parameter.join(parts)}(?![\w<])")
    # The name of a form is no name of one of its fields.
    patterns += [rf"(?<!\w){re.escape(name)}(?!\.?\w)" for name in weakness.names]
    return [re.compile(pattern) for pattern in patterns]
