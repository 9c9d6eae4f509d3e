"""The package as a whole: its imports, and what its files contain."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import secure_django

ROOT = Path(__file__).parents[1]
PACKAGE = Path(secure_django.__file__).parent
# A line statement of cookiecutter, or a variable of its own.
TEMPLATE_MARK = re.compile(r"^\s*# %|cookiecutter", re.MULTILINE)


def run_contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    command = shutil.which("lint-imports", path=Path(sys.executable).parent)
    assert command
    return subprocess.run(
        [command, "--no-logo", "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_rooms_import_only_the_rooms_below() -> None:
    process = run_contracts(ROOT)
    assert process.returncode == 0, process.stdout


def test_import_that_breaks_a_contract_is_named(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    ignored = shutil.ignore_patterns("__pycache__", "locale", "static", "templates")
    copy = tmp_path / "src" / "secure_django"
    shutil.copytree(PACKAGE, copy, ignore=ignored)
    imports = {
        "photos/rules.py": "import secure_django.login.http\n",
        "web/client.py": "from secure_django.photos import limits\n",
        "due.py": "from users.models import User\n",
    }
    for path, line in imports.items():
        with (copy / path).open("a", encoding="utf-8") as file:
            file.write(line)
    output = " ".join(run_contracts(tmp_path).stdout.split())
    assert "secure_django.photos.rules -> secure_django.login.http" in output
    assert "secure_django.web.client -> secure_django.photos.limits" in output
    assert "secure_django.due -> users" in output


def test_files_have_no_mark_of_the_template() -> None:
    files = [path for path in PACKAGE.rglob("*") if path.is_file()]
    texts = [path for path in files if path.suffix not in {".pyc", ".mo", ".woff2"}]
    assert len(texts) > 200
    marked = [
        str(path.relative_to(PACKAGE))
        for path in texts
        if TEMPLATE_MARK.search(path.read_text(encoding="utf-8"))
    ]
    assert marked == []


def test_types_are_for_others_too() -> None:
    assert (PACKAGE / "py.typed").exists()
