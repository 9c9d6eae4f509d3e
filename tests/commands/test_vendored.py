"""An edit in vendor/, or of the installed copy, is named."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from secure_django.commands import vendored
from secure_django.commands.programs import run
from secure_django.commands.vendored import HASHES, VENDOR, find_problems
from secure_django.controls import test_vendored as control

FILES = {
    "pyproject.toml": b"[project]\n",
    "src/secure_django/__init__.py": b"",
    "src/secure_django/photos/decoder.py": b"one = 1\ntwo = 2\n",
    "src/secure_django/static/logo.webp": b"RIFF\0\r\n\0",
}
DECODER = f"{VENDOR}/src/secure_django/photos/decoder.py"
INSTALLED = "installed secure_django"


def write(root: Path, name: str, content: bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project whose environment reads the package from vendor/."""
    lines = []
    for name, content in FILES.items():
        write(tmp_path, f"{VENDOR}/{name}", content)
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    write(tmp_path, HASHES, "".join(lines).encode())
    sha256 = hashlib.sha256("".join(lines).encode()).hexdigest()
    record = {"template": "x", "generated": {"package": sha256}}
    write(tmp_path, ".cruft.json", json.dumps(record).encode())
    source = tmp_path / VENDOR / "src" / "secure_django"
    monkeypatch.setattr(vendored, "find_installed", lambda: source)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(project: Path) -> None:
    write(project, DECODER, b"one = 1\ntwo = 3\n")


def remove(project: Path) -> None:
    (project / DECODER).unlink()


def add(project: Path) -> None:
    write(project, f"{VENDOR}/src/secure_django/own.py", b"")


def add_hidden(project: Path) -> None:
    write(project, f"{VENDOR}/.env", b"")


def link(project: Path) -> None:
    path = project / DECODER
    path.rename(project / "decoder.py")
    path.symlink_to(project / "decoder.py")


def link_folder(project: Path) -> None:
    (project / VENDOR / "src" / "own").symlink_to(project, target_is_directory=True)


def edit_binary(project: Path) -> None:
    """Change the line end in a file that is no text."""
    write(project, f"{VENDOR}/src/secure_django/static/logo.webp", b"RIFF\0\n\0")


def edit_list(project: Path) -> None:
    """Change a file, and its hash."""
    edit(project)
    hashes = project / HASHES
    old, new = (
        hashlib.sha256(content).hexdigest()
        for content in (b"one = 1\ntwo = 2\n", b"one = 1\ntwo = 3\n")
    )
    hashes.write_bytes(hashes.read_bytes().replace(old.encode(), new.encode()))


def remove_list(project: Path) -> None:
    (project / HASHES).unlink()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (edit, f"{DECODER} was changed"),
        (remove, f"{DECODER} is missing"),
        (add, f"{VENDOR}/src/secure_django/own.py is not of the release"),
        (add_hidden, f"{VENDOR}/.env is not of the release"),
        (link, f"{DECODER} was changed"),
        (link_folder, f"{VENDOR}/src/own is not of the release"),
        (edit_binary, f"{VENDOR}/src/secure_django/static/logo.webp was changed"),
        (edit_list, f"{HASHES} is not the list that .cruft.json records"),
        (remove_list, f"{HASHES} is missing"),
    ],
)
def test_change_is_named(
    change: Callable[[Path], None],
    problem: str,
    project: Path,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert vendored.main() == 0
    change(project)
    assert find_problems(project) == [problem]
    assert vendored.main() == 1
    output = capsys.readouterr()
    assert output.out == f"{problem}\n"
    assert output.err.count("\n") == 1
    settings.BASE_DIR = project
    with pytest.raises(AssertionError):
        control.test_vendored_package_is_the_release()


def test_line_ends_and_leftovers_are_no_change(project: Path) -> None:
    write(project, DECODER, b"one = 1\r\ntwo = 2\r\n")
    write(project, f"{VENDOR}/src/secure_django/__pycache__/x.pyc", b"\0")
    write(project, f"{VENDOR}/.DS_Store", b"\0")
    hashes = project / HASHES
    hashes.write_bytes(hashes.read_bytes().replace(b"\n", b"\r\n"))
    assert find_problems(project) == []


def test_list_of_sha256sum_is_read(project: Path) -> None:
    """With --binary, it marks names with an asterisk."""
    hashes = project / HASHES
    hashes.write_bytes(hashes.read_bytes().replace(b"  ", b" *"))
    (project / ".cruft.json").unlink()
    assert find_problems(project) == []


def test_project_that_records_no_list_is_compared_with_the_list(project: Path) -> None:
    write(project, ".cruft.json", b'{"template": "x"}')
    assert find_problems(project) == []
    edit(project)
    assert find_problems(project) == [f"{DECODER} was changed"]


def test_installed_copy_is_compared(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = project / VENDOR / "src" / "secure_django"
    installed = project / ".venv" / "secure_django"
    shutil.copytree(source, installed)
    monkeypatch.setattr(vendored, "find_installed", lambda: installed)
    assert find_problems(project) == []
    write(installed, "photos/decoder.py", b"one = 1\n")
    (installed / "__init__.py").unlink()
    write(installed, "own.py", b"")
    assert find_problems(project) == [
        f"{INSTALLED}/__init__.py is missing",
        f"{INSTALLED}/own.py is not of the release",
        f"{INSTALLED}/photos/decoder.py was changed",
    ]


def test_package_of_an_index_has_its_hash_in_the_lock(project: Path) -> None:
    edit(project)
    shutil.rmtree(project / "vendor")
    assert find_problems(project) == []


def test_installed_package_is_found() -> None:
    assert vendored.find_installed() == Path(vendored.__file__).parents[1]


@pytest.mark.parametrize(
    "name",
    [
        f"{VENDOR}/src/secure_django/photos/__pycache__/decoder.cpython-313.pyc",
        "notes/__PYCACHE__/views.py",
        "notes/fast.so",
        "site.PTH",
    ],
)
def test_compiled_code_that_git_tracks_is_named(
    name: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, ".gitignore", b"*.pyc\n")
    write(project, name, b"\0")
    git = ("git", "-C", str(project))
    run(*git, "init", "--quiet")
    assert find_problems(project) == []
    run(*git, "add", "--force", name)
    assert find_problems(project) == [
        f"{name} is compiled code in Git: run `git rm --cached` on it"
    ]
    shutil.rmtree(project / "vendor")  # an index has no part in it
    assert len(find_problems(project)) == 1
    assert vendored.main() == 1
    output = capsys.readouterr()
    assert output.out.startswith(f"{name} is compiled code in Git: run `git rm")
    assert output.err == ""  # nothing is to be restored
