"""The folder `{{cookiecutter.project_slug}}` is a Django project with every feature."""

import ast
import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.baking import PROMPTS, RAW, ROOT, is_text, paths, run
from tests.support.readme import section
from tests.support.records import recorded_digests

# Settings that only a project without the feature needs.
SETTINGS_WITHOUT = re.compile(
    r"^# % if not cookiecutter\.\w+\n((?:[A-Z_]+ = .+\n)+)# % endif$", re.MULTILINE
)

# Names with a leading underscore that Django documents.
DOCUMENTED = {
    "_exit",
    "_base_manager",
    "_db",
    "_default_manager",
    "_meta",
    "_save",
    "_state",
}
# Folders with code that runs only in tests.
TEST_CODE = {"controls", "guard", "testing", "tests"}


@pytest.fixture
def raw(template: Path, tmp_path: Path) -> Path:
    """Return a copy of the folder without rendering it."""
    return shutil.copytree(template / RAW, tmp_path / "raw")


def texts(folder: Path) -> dict[str, str]:
    """Return the text of every file but images."""
    return {
        path: (folder / path).read_text(encoding="utf-8")
        for path in paths(folder)
        if is_text(folder / path)
    }


def test_raw_files_parse(raw: Path) -> None:
    parsers: dict[str, Any] = {
        ".py": ast.parse,
        ".toml": tomllib.loads,
        ".yml": yaml.safe_load,
        ".yaml": yaml.safe_load,
    }
    for path in sorted(paths(raw)):
        parse = parsers.get(Path(path).suffix)
        if parse:
            parse((raw / path).read_text(encoding="utf-8"))


def test_each_app_with_models_has_one_initial_migration(raw: Path) -> None:
    package = ROOT / "src" / "secure_django"
    apps = {path.parent for path in raw.rglob("models.py")}
    assert apps == {it.parents[1] for it in raw.glob("**/migrations/__init__.py")}
    apps_of_package = {
        it.parents[1] for it in package.glob("**/migrations/__init__.py")
    }
    assert len(apps_of_package) >= 2
    is_released = bool(recorded_digests(ROOT))
    for app in apps | apps_of_package:
        migrations = sorted((app / "migrations").glob("[0-9]*.py"))
        initial = [it.name for it in migrations if "initial = True" in it.read_text()]
        assert initial == ["0001_initial.py"], app
        assert is_released or len(migrations) == 1, f"{app}: nothing is released yet"


def test_raw_style_and_format(raw: Path) -> None:
    run(raw, "ruff", "check", "--no-cache")
    run(raw, "ruff", "format", "--check", "--no-cache")


def test_raw_types(raw: Path, mypy_cache: str) -> None:
    run(raw, sys.executable, "-m", "mypy", ".", mypy_cache)


def private_names(tree: ast.Module) -> set[str]:
    """Return what a module uses or overrides of the private parts of others."""
    nodes = list(ast.walk(tree))
    classes = [node for node in nodes if isinstance(node, ast.ClassDef) and node.bases]
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {
        it.name
        for node in classes
        for it in node.body
        if isinstance(it, ast.FunctionDef)
    }
    names |= {part for node in imports for part in (node.module or "").split(".")}
    names |= {it.name for node in imports for it in node.names}
    # As in getattr(it, "_name").
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    names |= {
        str(it.value)
        for node in calls
        for it in node.args
        if isinstance(it, ast.Constant)
    }
    return {
        name for name in names if re.fullmatch("_[a-z]+(_[a-z]+)*|internal", name)
    } - DOCUMENTED


def test_private_parts_of_other_packages_are_listed(raw: Path) -> None:
    package = ROOT / "src" / "secure_django"
    found = {
        (path.relative_to(folder).as_posix(), name)
        for folder in (package, raw)
        for path in folder.rglob("*.py")
        if not TEST_CODE & set(path.relative_to(folder).parts)
        for name in private_names(ast.parse(path.read_text(encoding="utf-8")))
    }
    table = section(ROOT / "docs" / "decisions.md", "Private parts of other packages")
    assert found == set(re.findall(r"^\| `(\S+)` \| `(\w+)` \|", table, re.MULTILINE))


def test_features_use_only_if_and_endif_statements(raw: Path) -> None:
    """Other statements would make the raw folder an invalid configuration.

    These are `else`, and `not` around anything but settings.
    """
    allowed = re.compile(r"# % (if cookiecutter\.\w+( == \"\w+\")?|endif)")
    statements = {
        line.strip()
        for text in texts(raw).values()
        for line in SETTINGS_WITHOUT.sub("", text).splitlines()
        if line.strip().startswith("# %")
    }
    assert not [
        statement for statement in statements if not allowed.fullmatch(statement)
    ]


def test_settings_without_a_feature_are_set_again_with_it(raw: Path) -> None:
    """Then the raw folder has the feature's values."""
    text = (raw / "config" / "settings.py").read_text(encoding="utf-8")
    blocks = list(SETTINGS_WITHOUT.finditer(text))
    assert len(blocks) == text.count("# % if not cookiecutter.")
    for block in blocks:
        names = re.findall(r"^(\w+) = ", block[1], re.MULTILINE)
        assert not [name for name in names if f"\n{name} = " not in text[block.end() :]]


def test_no_raw_blocks_and_no_conditional_file_names(raw: Path) -> None:
    assert not [
        path
        for path, text in texts(raw).items()
        if re.search(r"\{%-? *(end)?raw", text)
    ]
    assert not [
        path for path in paths(raw) if "{" in path or set(path) & set('<>:"|?*\\')
    ]


def test_used_answers_are_defined(raw: Path) -> None:
    used = {
        match
        for text in texts(raw).values()
        for match in re.findall(r"\bcookiecutter\.(\w+)", text)
    }
    assert used <= PROMPTS.keys()
