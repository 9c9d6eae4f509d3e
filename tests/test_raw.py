"""The folder `{{cookiecutter.project_slug}}` reads as a Django project with every feature on."""

import ast
import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.baking import PROMPTS, RAW, paths, run


@pytest.fixture
def raw(template: Path, tmp_path: Path) -> Path:
    """Return a copy of the folder, as it stands."""
    return shutil.copytree(template / RAW, tmp_path / "raw")


def test_every_file_parses_as_it_stands(raw: Path) -> None:
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


def test_raw_style_and_format(raw: Path) -> None:
    run(raw, "ruff", "check", "--no-cache")
    run(raw, "ruff", "format", "--check", "--no-cache")


def test_raw_types(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    run(raw, sys.executable, "-m", "mypy", ".", f"--cache-dir={tmp_path_factory.getbasetemp() / 'mypy'}")


def test_features_are_switched_by_plain_line_statements_alone(raw: Path) -> None:
    """An else or a not would make the raw folder a configuration that nobody receives."""
    allowed = re.compile(r"# % (if cookiecutter\.\w+( == \"\w+\")?|endif)")
    statements = {
        line.strip()
        for path in paths(raw)
        for line in (raw / path).read_text(encoding="utf-8").splitlines()
        if line.strip().startswith("# %")
    }
    assert not [statement for statement in statements if not allowed.fullmatch(statement)]


def test_no_file_needs_a_raw_block_and_none_is_named_by_a_condition(raw: Path) -> None:
    assert not [path for path in paths(raw) if re.search(r"\{%-? *(end)?raw", (raw / path).read_text(encoding="utf-8"))]
    assert not [path for path in paths(raw) if "{" in path or set(path) & set('<>:"|?*\\')]


def test_answers_that_are_used_are_asked_or_derived(raw: Path) -> None:
    used = {
        match
        for path in paths(raw)
        for match in re.findall(r"\bcookiecutter\.(\w+)", (raw / path).read_text(encoding="utf-8"))
    }
    assert used <= PROMPTS.keys()
