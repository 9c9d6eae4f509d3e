"""Damaged files that the template wrote are a sentence, in each command that reads."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from secure_django.commands import source, template_update, vendored
from secure_django.commands.programs import NotRun
from secure_django.commands.record import read_record, require_record
from secure_django.conf import lock

ROOT = Path(__file__).parents[2]
RECORD: dict[str, Any] = {
    "template": "https://git.example.com/fork",
    "commit": "v1.0.0",
    "context": {"cookiecutter": {}},
    "generated": {"template": "x", "commit": "v1.0.0", "package": "0" * 64},
}


def text(content: object) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(content), encoding="utf-8")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "empty": lambda path: path.touch(),
    "list": text([]),
    "null": text(None),
    "number as template": text(RECORD | {"template": 5}),
    "no template": text({"commit": "v1.0.0"}),
    "list as commit": text(RECORD | {"commit": []}),
    "text as generated": text(RECORD | {"generated": "x"}),
    "number as package": text(RECORD | {"generated": {"package": 5}}),
    "truncated": lambda path: path.write_text('{"template": "x', encoding="utf-8"),
    "binary": lambda path: path.write_bytes(b"\xff\0\xfe"),
    "nested": lambda path: path.write_text("[" * 200_000, encoding="utf-8"),
    "folder": lambda path: path.mkdir(),
    "loop": lambda path: path.symlink_to(path),
}
damaged = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Enter a project without its record."""
    (tmp_path / "manage.py").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@damaged
def test_damaged_record_is_a_sentence(
    damage: Callable[[Path], object], project: Path
) -> None:
    damage(project / ".cruft.json")
    sentence = r"^\.cruft\.json is missing or damaged: .+restore it\.$"
    with pytest.raises(NotRun, match=sentence):
        read_record()
    with pytest.raises(SystemExit, match=sentence):
        require_record()
    with pytest.raises(SystemExit, match=sentence):
        template_update.main("", [])
    with pytest.raises(NotRun, match=sentence):
        source.bring_package("1.0.1")


@damaged
def test_check_of_vendor_names_a_damaged_record(
    damage: Callable[[Path], object], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendored, "find_installed", lambda: None)
    hashes = project / vendored.HASHES
    (project / vendored.VENDOR).mkdir(parents=True)
    hashes.write_text(f"{'0' * 64}  x\n", encoding="utf-8")
    damage(project / ".cruft.json")
    [problem] = vendored.find_problems(project)
    if damage is DAMAGES["missing"]:  # it came without one
        assert problem == f"{vendored.VENDOR}/x is missing"
    else:
        assert problem.startswith(".cruft.json is missing or damaged: ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"x\n", "line 1 is x"),
        (b"\x1b[2J  x\n", r"line 1 is \x1b[2J  x"),
        (b"\xff\xfe", "it is not text in UTF-8"),
        (b"\n", "line 1 is an empty line"),
        (f"{'0' * 64}  x\n".encode() * 2, "line 2 is 0000"),
        (f"{'0' * 63}  x\n".encode(), "line 1 is 0000"),
    ],
)
def test_check_of_vendor_names_a_damaged_list(
    content: bytes, reason: str, project: Path
) -> None:
    (project / vendored.VENDOR).mkdir(parents=True)
    (project / vendored.HASHES).write_bytes(content)
    [problem] = vendored.find_problems(project)
    assert problem.startswith(f"secure-django.sha256 is damaged: {reason}")


def test_list_that_is_a_folder_is_named(project: Path) -> None:
    (project / vendored.VENDOR).mkdir(parents=True)
    (project / vendored.HASHES).mkdir()
    [problem] = vendored.find_problems(project)
    assert problem == "secure-django.sha256 is damaged: it is no file"


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"\xff\0"),
        lambda path: path.mkdir(),
        lambda path: path.symlink_to(path),
    ],
    ids=["binary", "folder", "loop"],
)
def test_damaged_lock_of_settings_is_a_sentence(
    damage: Callable[[Path], object], tmp_path: Path
) -> None:
    damage(tmp_path / "settings.lock")
    sentence = r"^settings\.lock is damaged: .+ Run `x`, and commit it\.$"
    with pytest.raises(SystemExit, match=sentence):
        lock.read_lock(tmp_path / "settings.lock", "x")


def test_lock_of_settings_that_is_a_folder_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^settings\.lock cannot be written: "):
        lock.write_lock(tmp_path, "")


def run_update(project: Path) -> subprocess.CompletedProcess[str]:
    """Commit a project, and update it by the program, which has no package at hand."""
    someone = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    git = (shutil.which("git") or "git", *someone)
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-mx"]):
        subprocess.run([*git, *words], cwd=project, check=True)
    return subprocess.run(
        [sys.executable, str(ROOT / "update.py"), "v1.0.1"],
        cwd=project,
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": ""},
    )


@pytest.mark.parametrize(
    "damage", sorted(DAMAGES.keys() - {"missing", "folder", "loop"})
)
def test_update_of_a_damaged_record_is_a_sentence(damage: str, tmp_path: Path) -> None:
    DAMAGES[damage](tmp_path / ".cruft.json")
    outcome = run_update(tmp_path)
    assert outcome.returncode == 1
    assert outcome.stderr.startswith(".cruft.json is damaged (")
    assert "Traceback" not in outcome.stderr


def test_update_takes_no_code_that_somebody_on_the_way_could_write(
    tmp_path: Path,
) -> None:
    """It generates the old files too, from where they came."""
    old = RECORD["generated"] | {"template": "http://127.0.0.1:9/old"}
    text(RECORD | {"generated": old})(tmp_path / ".cruft.json")
    outcome = run_update(tmp_path)
    assert outcome.returncode == 1
    assert "transport 'http' not allowed" in outcome.stderr
