"""The names that Ruff bans in generated projects, and what to use in their place."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    ROOT,
    Answers,
    Project,
    name,
    own_modules,
    run,
)
from tests.support.recipes import PAGES, Block, Recipe

RUFF = ("ruff", "check", "--no-cache", "--output-format", "concise")
EXEMPT = "# noqa: TID251"
REASON = re.compile(rf"{EXEMPT}  # \w+")
SAFE_FORM = re.compile(r"(\w+)(?:\(\))? of ((?:\w+\.)+\w+)")
URL_NAME = re.compile(r"Redirect to (\w+)")
PAGE = re.compile(r"docs/recipes/(\w+)\.md")
ANCHOR = re.compile(r"(docs/[\w-]+\.md)#([\w-]+)")
RESOLVE = """
from pkgutil import resolve_name
from django.urls import reverse
for path in {paths}:
    resolve_name(path)
for name in {names}:
    reverse(name)
"""

extremes = pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)


def bans(folder: Path) -> dict[str, str]:
    """Return the message of each banned name."""
    settings = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    table = settings["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    return {banned: entry["msg"] for banned, entry in table.items()}


def findings(folder: Path, code: str) -> str:
    """Return what Ruff says about a module of a project."""
    (folder / "users" / "added.py").write_text(code, encoding="utf-8")
    with pytest.raises(AssertionError) as failure:
        run(folder, *RUFF, "--select", "TID251", "users/added.py")
    return str(failure.value)


def uses(banned: str) -> list[str]:
    """Return lines that use a name, each in its own way."""
    module, _, attribute = banned.rpartition(".")
    if not module:
        return [f"import {banned}", f"import {banned} as a", f"from {banned} import a"]
    return [
        f"from {module} import {attribute}",
        f"from {module} import {attribute} as a",
        f"import {module}; {banned}",
    ]


@extremes
def test_message_names_a_safe_form_that_exists(
    answers: Answers, pristine: Project
) -> None:
    folder = pristine(answers)
    paths, names = set(), set()
    for message in bans(folder).values():
        forms = SAFE_FORM.findall(message)
        urls = URL_NAME.findall(message)
        assert len(forms) + len(urls) == 1, message
        paths |= {f"{module}.{form}" for form, module in forms}
        names |= set(urls)
        for page in PAGE.findall(message):
            assert (PAGES / f"{page}.md").is_file()
        for document, anchor in ANCHOR.findall(message):
            text = (folder / document).read_text(encoding="utf-8")
            headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
            assert anchor in {it.lower().replace(" ", "-") for it in headings}
    assert {"secure_django.fetch.fetch", "secure_django.csv.csv_response"} < paths
    code = RESOLVE.format(paths=sorted(paths), names=sorted(names))
    run(folder, sys.executable, "manage.py", "shell", "--verbosity", "0", "-c", code)


def test_each_use_of_a_banned_name_is_noticed(project: Project) -> None:
    folder = project(ALL_OFF)
    banned = bans(folder)
    assert len(banned) >= 14
    lines = [(it, line) for it in banned for line in uses(it)]
    output = findings(folder, "\n".join(line for _, line in lines))
    for number, (it, line) in enumerate(lines, start=1):
        found = re.findall(rf"added\.py:{number}:\d+: TID251 `(.+?)` .+", output)
        assert it in found, line
    for message in banned.values():
        assert message in output


@extremes
def test_lines_are_exempt_with_a_reason_and_no_file_is(
    answers: Answers, pristine: Project
) -> None:
    folder = pristine(answers)
    settings = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    ignores = settings["tool"]["ruff"]["lint"]["per-file-ignores"]
    exempt_files = [path for path, rules in ignores.items() if "TID" in str(rules)]
    # Django writes them from the models, whose lines are exempt.
    assert exempt_files == ["*/migrations/*"]
    modules = [it.read_text(encoding="utf-8") for it in own_modules(folder)]
    assert modules
    assert not [text for text in modules if "ruff: noqa" in text]
    lines = [line for text in modules for line in text.splitlines()]
    assert not [line for line in lines if EXEMPT in line and not REASON.search(line)]


def test_package_follows_the_bans_of_projects(pristine: Project) -> None:
    """Its lines are exempt with a reason, and no other line is."""
    settings = str(pristine(ALL_ON) / "pyproject.toml")
    options = ("--config", settings, "--select", "TID251", "--ignore-noqa")
    with pytest.raises(AssertionError) as failure:
        run(ROOT, *RUFF, *options, "src")
    found = set(
        re.findall(r"^(\S+?):(\d+):\d+: TID251", str(failure.value), re.MULTILINE)
    )
    exempt = {
        (path.relative_to(ROOT).as_posix(), str(number)): line
        for path in (ROOT / "src").rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if EXEMPT in line
    }
    assert found == exempt.keys()
    assert not [line for line in exempt.values() if not REASON.search(line)]


def test_exemption_that_is_not_needed_is_noticed(project: Project) -> None:
    folder = project(ALL_OFF)
    (folder / "users" / "added.py").write_text(f"A = 1  {EXEMPT}  # a reason\n")
    with pytest.raises(AssertionError, match="RUF100"):
        run(folder, *RUFF, "users/added.py")


def added_code(block: Block) -> str:
    """Return the code of a new module, or the imports that a change adds."""
    if block.language == "python":
        return block.text
    added = re.findall(r"^\+((?:import|from) \w.*)$", block.text, re.MULTILINE)
    return "\n".join(line for line in added if not line.endswith("("))


def test_recipes_use_no_banned_name(project: Project) -> None:
    folder = project(ALL_OFF)
    pages = [Recipe(page.stem) for page in PAGES.glob("[!R]*.md")]
    blocks = [block for page in pages for block in page.steps]
    codes = [
        added_code(block) for block in blocks if block.language in {"python", "diff"}
    ]
    assert len(codes) > 20
    for number, code in enumerate(codes):
        (folder / "users" / f"added_{number}.py").write_text(code, encoding="utf-8")
    run(folder, *RUFF, "--select", "TID251", "users")
