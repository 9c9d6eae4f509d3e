"""Compiled code in a commit never runs: scans/bytecode.py refuses it before."""

import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from secure_django.commands.vendored import COMPILED
from tests.support.baking import RAW, ROOT, run

SCRIPT = "scans/bytecode.py"
HARMLESS = "print('what the review has seen')\n"
HOSTILE = "print('what runs')\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a repository with a module, and the script of the template."""
    folder = tmp_path / "site"
    (folder / "scans").mkdir(parents=True)
    shutil.copy(ROOT / RAW / SCRIPT, folder / SCRIPT)
    (folder / "module.py").write_text(HARMLESS, encoding="utf-8")
    run(folder, "git", "init", "--quiet")
    run(folder, "git", "add", ".")
    return folder


def compile_hostile(folder: Path) -> Path:
    """Compile another text in place of the module's, which Python never compares."""
    source = folder / "other.py"
    source.write_text(HOSTILE, encoding="utf-8")
    compiled = folder / "__pycache__" / f"module.{sys.implementation.cache_tag}.pyc"
    py_compile.compile(
        str(source),
        str(compiled),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    source.unlink()
    return compiled


def import_module(folder: Path) -> str:
    return run(folder, sys.executable, "-B", "-c", "import module")


def check(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", SCRIPT, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_compiled_code_in_a_commit_would_run_and_is_refused(clone: Path) -> None:
    compiled = compile_hostile(clone)
    run(clone, "git", "add", "--force", ".")
    assert "what runs" in import_module(clone)

    process = check(clone)
    assert process.returncode == 1
    assert compiled.relative_to(clone).as_posix() in process.stdout
    assert "git rm --cached" in process.stderr
    assert compiled.exists()  # for the person who looks at it


def test_compiled_code_outside_of_git_is_deleted(clone: Path) -> None:
    compiled = compile_hostile(clone)
    package = clone / "environment" / "package.so"
    package.parent.mkdir()
    package.touch()

    process = check(clone)
    assert process.returncode == 0, process.stderr
    assert not compiled.exists()
    assert "what the review has seen" in import_module(clone)
    assert package.exists()


@pytest.mark.parametrize(
    "name",
    ["a/__pycache__", "__PYCACHE__/x.py", "x.so", "x.PYD", "sub/x.pth", "x\n.pyc"],
)
def test_every_kind_of_compiled_code_is_refused(clone: Path, name: str) -> None:
    path = clone / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    run(clone, "git", "add", "--force", ".")
    assert check(clone).returncode == 1
    assert check(clone, "--all").returncode == 1


def test_files_of_a_release_are_refused_without_git(clone: Path) -> None:
    assert check(clone, "--all").returncode == 0
    compile_hostile(clone)
    assert check(clone, "--all").returncode == 1
    assert check(clone).returncode == 0  # Git tracks none
    shutil.rmtree(clone / ".git")
    process = check(clone)
    assert process.returncode == 1
    assert process.stderr.startswith("Git failed: ")


def test_the_script_imports_nothing_of_the_project(clone: Path) -> None:
    for folder in (clone, clone / "scans"):
        (folder / "shutil.py").write_text("raise SystemExit(9)", encoding="utf-8")
    process = subprocess.run(
        [sys.executable, "-I", SCRIPT],
        cwd=clone,
        env=os.environ | {"PYTHONPATH": str(clone)},
        check=False,
    )
    assert process.returncode == 0


def test_check_of_a_project_looks_for_the_same_files() -> None:
    """The script imports nothing of the package, so the pattern is there twice."""
    text = (ROOT / RAW / SCRIPT).read_text(encoding="utf-8")
    assert f'COMPILED = re.compile(r"{COMPILED.pattern}", re.IGNORECASE)\n' in text
