"""Make an app by Django's startapp; name it in settings, URLs and imports.

In the files of app_template/, `notes`, `Notes` and `Note` become the app, its title and
its model, and `a note` becomes one object. Named fields take the place of `text`; an
object always has a title.
"""

import re
import shutil
import sys
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import NamedTuple

from django.db.models import Model

from secure_django.commands.programs import NotRun, check_project, run

NAME = re.compile(r"(?=.{2,28}$)[a-z][a-z0-9]*(_[a-z0-9]+)*")
BESIDE = Path(__file__).parent
APP_TEMPLATE = BESIDE / "app_template"
# Git, Ruff or pytest ignore some of these folders; the others would hide modules of the
# project or of an extra.
RESERVED = {
    "backups",
    "build",
    "dist",
    "media",
    "models",
    "redis",
    "reports",
    "storages",
    "tests",
    "vendor",
}
# What the model and its module have already.
TAKEN = {"id", "owner", "title", "created_at", "in_clear", "is_owner", "objects"}


class Kind(NamedTuple):
    """How a field is written, with NAME and label in place of its own."""

    model: str
    test_value: str = ""  # empty for a file


KINDS = {
    "text": Kind(
        'EncryptedTextField(_("label"), max_length=2000, blank=True)', '"two bottles"'
    ),
    "number": Kind(
        'models.PositiveIntegerField(_("label"), null=True, blank=True)', "3"
    ),
    "date": Kind('models.DateField(_("label"), null=True, blank=True)', '"2026-02-03"'),
    "yesno": Kind('models.BooleanField(_("label"), default=False)', "True"),
    "photo": Kind('PhotoField(_("label"), blank=True, visible_to=is_owner)'),
}
# Browsers show a calendar, and send the date in this format in each language.
FORM_LINE = '            "NAME",\n'
DATE_WIDGET = '"NAME": forms.DateInput({"type": "date"}, "%Y-%m-%d")'
# What a page shows of each kind, and what a page with photos begins with.
PAGES = dict(
    line.split(" ", 1)
    for line in (BESIDE / "field_pages.html").read_text("utf-8").splitlines()
)
IS_OWNER = """

def is_owner(note: Any, user: Any) -> bool:
    return bool(note.owner_id == user.pk)
"""
ADMIN_ROWS = """\
/admin/notes/note/<object_id>/               log-in log-in log-in   away   away
/admin/notes/note/*                          log-in log-in log-in   403    403
"""
# The words for the app in app_template/.
WORDS = re.compile(r"\ba note\b|notes|Notes|Note|note")


class Entry(NamedTuple):
    """A text that a file gets after the place that the expression finds."""

    path: str
    place: str
    text: str


INCLUDE = '    path("notes/", include("notes.urls")),\n'
MENU_ENTRY = (BESIDE / "menu_entry.html").read_text("utf-8")
ENTRIES = [
    Entry("config/settings.py", r"^INSTALLED_APPS = \[\n", '    "notes",\n'),
    Entry("config/urls.py", r"^urlpatterns = \[\n", INCLUDE),
    Entry("templates/_app_menu.html", r"\A.*\n", MENU_ENTRY),
    Entry("pyproject.toml", r"^root_packages = \[\n", '    "notes",\n'),
    Entry("pyproject.toml", r'^layers = \[\n    "config",\n', '    "notes",\n'),
]


class Field(NamedTuple):
    name: str
    kind: str

    def write(self, code: str) -> str:
        """Return code with the names of this field."""
        label = self.name.replace("_", " ")
        code = code.replace("LABEL", label.capitalize()).replace("label", label)
        return code.replace("NAME", self.name)

    @property
    def model_line(self) -> str:
        return self.write(f"    NAME = {KINDS[self.kind].model}\n")

    @property
    def page_line(self) -> str:
        return self.write(f"  {PAGES[self.kind]}\n")

    @property
    def test_item(self) -> str:
        value = KINDS[self.kind].test_value
        return self.write(f', "NAME": {value}') if value else ""


def main(name: str, fields: list[str], admin: bool) -> None:
    """Make an app, or end with a reason and change nothing."""
    check_project()
    if not NAME.fullmatch(name) or iskeyword(name):
        rule = "use 2 to 28 lowercase letters, digits and single underscores"
        sys.exit(f"{name} is not a valid name: {rule}. Nothing was changed.")
    if name in RESERVED or Path(name).exists() or find_spec(name):
        sys.exit(
            f"{name} is the name of a module, a package or a folder."
            " Nothing was changed."
        )
    chosen = read_fields(fields)
    paths = {entry.path for entry in ENTRIES if Path(entry.path).is_file()}
    texts = {path: Path(path).read_text(encoding="utf-8") for path in paths}
    try:
        create_app(name, chosen, admin, dict(texts))
    except NotRun as reason:
        shutil.rmtree(name, ignore_errors=True)
        write_files(texts)
        sys.exit(f"{name} does not work: {reason}. Nothing was changed.")
    print(
        f"{name}/ is ready. `uv run poe start` applies its migration;"
        f" then open http://localhost:8000/{name}/"
    )


def read_fields(arguments: list[str]) -> list[Field]:
    """Return the fields of `name:kind` that stand in place of the text."""
    fields: dict[str, Field] = {}
    for argument in arguments:
        if argument == "title:text":
            continue
        name, _, kind = argument.partition(":")
        if kind not in KINDS:
            kinds = ", ".join(KINDS)
            sys.exit(f"{argument} is no field: write NAME:KIND, with one of {kinds}.")
        if name in fields or not is_field_name(name):
            sys.exit(f"{name} cannot be the name of a field. Nothing was changed.")
        fields[name] = Field(name, kind)
    return list(fields.values()) or [Field("text", "text")]


def is_field_name(name: str) -> bool:
    is_free = not hasattr(Model, name) and name not in TAKEN and not iskeyword(name)
    return is_free and bool(NAME.fullmatch(name))


def create_app(
    name: str, fields: list[Field], admin: bool, texts: dict[str, str]
) -> None:
    """Write the files of the app, and its entries into the texts of other files."""
    words = choose_words(name)
    for entry in ENTRIES:
        insert_entry(entry, texts, words)
    manage = (sys.executable, "manage.py")
    run(*manage, "startapp", f"--template={APP_TEMPLATE}", name)
    edits = list_edits(fields, words)
    if not admin:
        Path(name, "admin.py").unlink()
        edits["table.py"] = {
            rename(ADMIN_ROWS, words): "",
            '        "object_id": made.pk,\n': "",
        }
    for path in Path(name).rglob("*.*"):
        text = rename(path.read_text(encoding="utf-8"), words)
        texts[str(path)] = edit_text(text, edits.get(path.name, {}))
    write_files(texts)
    run(*manage, "makemigrations", name)
    run("ruff", "format", "--quiet", name)
    run("ruff", "check", "--quiet", "--fix", "--output-format=concise", name)
    if Path("settings.lock").is_file():
        run(sys.executable, "-m", "secure_django.conf.lock")


def insert_entry(entry: Entry, texts: dict[str, str], words: dict[str, str]) -> None:
    text = texts.get(entry.path, "")
    match = re.search(entry.place, text, re.MULTILINE)
    if not match:
        raise NotRun(f"{entry.path} has no place for it")
    end = match.end()
    texts[entry.path] = text[:end] + rename(entry.text, words) + text[end:]


def edit_text(text: str, edits: dict[str, str]) -> str:
    for old, new in edits.items():
        if old not in text:
            raise NotRun(f"app_template/ has no `{old.strip()}`")
        text = text.replace(old, new)
    return text


def list_edits(fields: list[Field], words: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return what becomes of the text and what photos need, by the files' names."""
    text = Field("text", "text")
    tests = f"test_{words['notes']}.py"
    edits = {
        "models.py": {text.model_line: "".join(field.model_line for field in fields)},
        "forms.py": edit_form(fields, words),
        "detail.html": {text.page_line: "".join(field.page_line for field in fields)},
        tests: {text.test_item: "".join(field.test_item for field in fields)},
    }
    photos = [field for field in fields if field.kind == "photo"]
    if photos:
        photo = photos[0]
        load = {f"{PAGES['extends']}\n": f"{PAGES['extends']}\n{PAGES['load']}\n"}
        thumbnail = photo.write(f"  <li>\n    {PAGES['thumbnail']}\n")
        imports = (
            "EncryptedTextField\nfrom secure_django.photos.fields import PhotoField\n"
        )
        edits["models.py"] |= {
            "from django.conf": "from typing import Any\n\nfrom django.conf",
            "EncryptedTextField\n": imports + rename(IS_OWNER, words),
        }
        edits["detail.html"] |= load
        edits["index.html"] = load | {"  <li>\n": thumbnail}
        selected = photo.write('objects = own(request).select_related("NAME")\n')
        edits["views.py"] = {"objects = own(request)\n": selected}
    return edits


def edit_form(fields: list[Field], words: dict[str, str]) -> dict[str, str]:
    names = "".join(field.write(FORM_LINE) for field in fields)
    text_line = Field("text", "text").write(FORM_LINE)
    widgets = [field.write(DATE_WIDGET) for field in fields if field.kind == "date"]
    if not widgets:
        return {text_line: names}
    imports = f"from {words['notes']}.models"
    end = "        )\n"
    line = "        widgets = {" + ", ".join(widgets) + "}\n"
    return {
        f"{text_line}{end}": f"{names}{end}{line}",
        imports: f"from django import forms\n\n{imports}",
    }


def choose_words(name: str) -> dict[str, str]:
    """Return the words for a new app, by those of app_template/."""
    singular = name if name.endswith("ss") else name.removesuffix("s")
    model = singular.title().replace("_", "")
    article = "an" if singular[0] in "aeiou" else "a"
    title = name.replace("_", " ").capitalize()
    return {
        "notes": name,
        "Notes": title,
        "Note": model,
        "a note": f"{article} {singular.replace('_', ' ')}",
        "note": model.lower(),
    }


def rename(text: str, words: dict[str, str]) -> str:
    return WORDS.sub(lambda match: words[match[0]], text)


def write_files(texts: dict[str, str]) -> None:
    for path, text in texts.items():
        Path(path).write_text(text, encoding="utf-8", newline="\n")
