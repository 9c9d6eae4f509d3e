"""Collect the texts of a project and of the package for translation into a language.

    python -m secure_django.commands.messages de

locale/de/LC_MESSAGES/django.po gets both, and keeps its translations. The texts of the
package come from the catalogues beside its apps, so it makes no difference whether the
package is in vendor/ or installed from an index. A feature that the project does not
have brings no text.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils.translation import to_locale

import secure_django
from secure_django.commands.programs import NotRun, check_project, run

PACKAGE = Path(secure_django.__file__).parent
TEMPLATE = Path("locale", "django.pot")  # of an app of the package
PROGRAMS = ("msgattrib", "msgcat", "msgmerge", "msguniq", "xgettext")
NO_GETTEXT = (
    "GNU gettext is not installed: {program} is missing."
    " Run apt install gettext, or brew install gettext."
)


def main() -> None:
    """Collect the texts, or end with what is missing."""
    parser = argparse.ArgumentParser(prog="poe messages")
    parser.add_argument("language", help="its code, such as de or pt-br")
    language = to_locale(parser.parse_args().language)
    check_project()
    check_programs()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    try:
        catalog = collect_texts(language)
    except (CommandError, NotRun) as reason:
        sys.exit(f"No text was collected: {reason}")
    print(f"{catalog} has the texts. Translate them, then run compilemessages.")


def check_programs() -> None:
    """End with a sentence if gettext is not installed."""
    for program in PROGRAMS:
        if not shutil.which(program):
            sys.exit(NO_GETTEXT.format(program=program))


def collect_texts(language: str) -> Path:
    """Write all texts into the project's catalogue, and return its path."""
    folder = Path(settings.LOCALE_PATHS[0])
    catalog = folder / language / "LC_MESSAGES" / "django.po"
    translated = catalog.read_bytes() if catalog.exists() else b""
    try:
        collect_own_texts(language)
        if not catalog.exists():
            raise NotRun(f"{language} is not the code of a language")
        texts = add_texts_of_the_package(catalog)
    finally:
        # The translations of before: Django's command knows those of the project alone,
        # and puts the others away.
        if translated:
            catalog.write_bytes(translated)
    with tempfile.TemporaryDirectory() as temporary:
        reference = Path(temporary, "django.pot")
        reference.write_text(texts, encoding="utf-8", newline="\n")
        merge = ("msgmerge", "--quiet", "--previous", "--update", "--backup=none")
        run(*merge, str(catalog), str(reference))
    return catalog


def collect_own_texts(language: str) -> None:
    """Let Django collect the texts of the project, without those in vendor/."""
    call_command(
        "makemessages",
        locale=[language],
        ignore_patterns=["vendor"],
        add_location="file",  # with numbers of lines, each edit would change the file
        verbosity=0,
    )


def add_texts_of_the_package(catalog: Path) -> str:
    """Return a catalogue with the texts of this one and of the package's apps."""
    folders = [Path(app.path) for app in apps.get_app_configs()]
    templates = [
        folder / TEMPLATE
        for folder in folders
        if folder.is_relative_to(PACKAGE) and (folder / TEMPLATE).exists()
    ]
    with tempfile.TemporaryDirectory() as temporary:
        own = Path(temporary, "own.po")
        run("msgattrib", "--no-obsolete", f"--output-file={own}", str(catalog))
        # In the order of their names: that of INSTALLED_APPS changes nothing.
        return run("msgcat", "--use-first", str(own), *map(str, sorted(templates)))


if __name__ == "__main__":
    main()
