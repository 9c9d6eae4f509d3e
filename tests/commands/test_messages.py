"""The texts of a project and of the package, collected for translation."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import secure_django
from secure_django.commands.messages import PROGRAMS, check_programs

PACKAGE = Path(secure_django.__file__).parent
SITE = Path(__file__).parents[1] / "site"
CATALOG = Path("locale", "de", "LC_MESSAGES", "django.po")
# Writes the catalogues beside the apps anew, in the folder src/.
MAKE = (
    sys.executable,
    "-m",
    "django",
    "makemessages",
    "--all",
    "--keep-pot",
    "--no-wrap",
    "--add-location=file",
    "--ignore=commands",  # `poe app` writes its texts into a project
)
WITHOUT_ACCOUNTS = """
from site_settings import *

INSTALLED_APPS.remove("secure_django.accounts")
"""
needs_gettext = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason="gettext is not installed"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project that has the package from an index, with a page of its own."""
    folder = shutil.copytree(SITE, tmp_path / "my-secure-site")
    page = folder / "templates" / "own.html"
    page.write_text('{% translate "An own text" %}', encoding="utf-8")
    return folder


def vendor(project: Path) -> None:
    """Give the project the package's source, as generation does."""
    target = project / "vendor" / "secure-django" / "src" / "secure_django"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, target, ignore=ignored)


def collect(project: Path, settings: str = "site_settings") -> str:
    """Run `poe messages de`, and return the catalogue without the time."""
    vendored = project / "vendor" / "secure-django" / "src"
    paths = [str(vendored)] if vendored.exists() else []
    variables = {
        "DJANGO_SETTINGS_MODULE": settings,
        "PYTHONPATH": os.pathsep.join(paths),
    }
    process = subprocess.run(
        [sys.executable, "-m", "secure_django.commands.messages", "de"],
        cwd=project,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    text = (project / CATALOG).read_text(encoding="utf-8")
    return re.sub(r'"POT-Creation-Date: .*\n', "", text)


def translate(project: Path, texts: dict[str, str]) -> None:
    catalog = project / CATALOG
    content = catalog.read_text(encoding="utf-8")
    for english, german in texts.items():
        empty = f'msgid "{english}"\nmsgstr ""'
        assert content.count(empty) == 1
        content = content.replace(empty, f'msgid "{english}"\nmsgstr "{german}"')
    catalog.write_text(content, encoding="utf-8")


@pytest.mark.tier("whole")
@needs_gettext
def test_moves_between_vendor_and_an_index_change_no_translation(project: Path) -> None:
    collect(project)
    translate(project, {"An own text": "Ein eigener", "Choose a photo.": "Wähle."})
    from_index = collect(project)
    assert from_index.count('\nmsgid "') > 300
    assert 'msgid "An own text"\nmsgstr "Ein eigener"' in from_index
    assert 'msgid "Choose a photo."\nmsgstr "Wähle."' in from_index
    assert "#~" not in from_index, "no translation was put away"
    vendor(project)
    assert collect(project) == from_index
    shutil.rmtree(project / "vendor")
    assert collect(project) == from_index


@pytest.mark.tier("whole")
@needs_gettext
def test_feature_that_is_not_chosen_brings_no_text(project: Path) -> None:
    module = project / "without_accounts.py"
    module.write_text(WITHOUT_ACCOUNTS, encoding="utf-8")
    assert "secure_django/accounts/" in collect(project)
    shutil.rmtree(project / "locale")
    texts = collect(project, "without_accounts")
    assert "secure_django/accounts/" not in texts
    assert 'msgid "Choose a photo."' in texts


@needs_gettext
def test_catalogues_beside_the_apps_have_every_text_of_the_package(
    tmp_path: Path,
) -> None:
    copy = shutil.copytree(PACKAGE, tmp_path / "src" / "secure_django")
    templates = sorted(PACKAGE.rglob("locale/django.pot"))
    for template in templates:
        (copy / template.relative_to(PACKAGE)).unlink()
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": ""}
    subprocess.run(MAKE, cwd=copy.parent, env=environment, check=True)
    for template in templates:
        made = (copy / template.relative_to(PACKAGE)).read_text(encoding="utf-8")
        texts = template.read_text(encoding="utf-8").partition("\n\n")[2]
        advice = f"in src/, run django-admin {' '.join(MAKE[3:])}"
        assert texts == made.partition("\n\n")[2], advice


def test_missing_gettext_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match=r"gettext is not installed.*apt install"):
        check_programs()
