"""The files of a new app, and its entries in other files of the project."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

from secure_django.commands.new_app.kinds import BESIDE, IMPORTS, KINDS, PAGES, Field
from secure_django.commands.programs import NotRun, run

APP_TEMPLATE = BESIDE / "app_template"
CARDS = (BESIDE / "cards.html").read_text("utf-8")
ORDER = (BESIDE / "order.html").read_text("utf-8")
PARENT_TEST = (BESIDE / "parent_test.py-tpl").read_text("utf-8")
# How many fields a table shows, and a card.
MOST_COLUMNS = 5
MOST_OF_A_CARD = 3
IS_OWNER = """

def is_owner(note: Any, user: Any) -> bool:
    return bool(note.owner_id == user.pk)
"""
ADMIN_ROWS = """\
/admin/notes/note/<object_id>/               log-in log-in log-in   away   away
/admin/notes/note/*                          log-in log-in log-in   403    403
"""
# The form offers what the owner has.
OWN_CHOICES = """
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
"""
OWN_CHOICE = """\
        NAME: Any = self.fields["NAME"]
        NAME.queryset = MODEL.objects.filter(owner=self.owner)
"""
# The words for the app in app_template/.
WORDS = re.compile(r"\ba note\b|\bAll notes\b|notes|Notes|Note|note")


class Entry(NamedTuple):
    """A text that a file gets after the place that the expression finds."""

    path: str
    place: str
    text: str


# The lines of earlier apps, if the mark of the template still follows them.
EARLIER = r"(?:[^\]]*?(?=^    # `poe app` names))?"
INCLUDE = '    path("notes/", include("notes.urls")),\n'
MENU_ENTRY = (BESIDE / "menu_entry.html").read_text("utf-8")
ENTRIES = [
    Entry("config/settings.py", rf"^INSTALLED_APPS = \[\n{EARLIER}", '    "notes",\n'),
    Entry("config/urls.py", rf"^urlpatterns = \[\n{EARLIER}", INCLUDE),
    Entry("templates/_app_menu.html", r"\Z", MENU_ENTRY),
    # An app imports only apps below it, such as that of a parent: a newer one is above.
    Entry("pyproject.toml", r"^root_packages = \[\n", '    "notes",\n'),
    Entry("pyproject.toml", r'^layers = \[\n    "config",\n', '    "notes",\n'),
]


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
        edits["table.py"] = {ADMIN_ROWS: "", '        "object_id": made.pk,\n': ""}
    for path in Path(name).rglob("*.*"):
        text = rename(path.read_text(encoding="utf-8"), words)
        texts[str(path)] = edit_text(text, edits.get(path.name, {}), words)
    write_files(texts)
    run(*manage, "makemigrations", name)
    run("ruff", "format", "--quiet", name)
    run("ruff", "check", "--quiet", "--fix", "--output-format=concise", name)
    run("ruff", "format", "--quiet", name)
    if Path("settings.lock").is_file():
        run(sys.executable, "-m", "secure_django.conf.lock")


def insert_entry(entry: Entry, texts: dict[str, str], words: dict[str, str]) -> None:
    text = texts.get(entry.path)
    match = None if text is None else re.search(entry.place, text, re.MULTILINE)
    if text is None or match is None:
        raise NotRun(f"{entry.path} has no place for it")
    before = text[: match.end()]
    after = text[match.end() :]
    if before and not before.endswith("\n"):
        before += "\n"
    texts[entry.path] = before + rename(entry.text, words) + after


def edit_text(text: str, edits: dict[str, str], words: dict[str, str]) -> str:
    """Replace texts of app_template/ by others, which have the words of the app."""
    for old, new in edits.items():
        present = rename(old, words)
        if present not in text:
            raise NotRun(f"app_template/ has no `{old.strip()}`")
        text = text.replace(present, new)
    return text


def list_edits(fields: list[Field], words: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return what takes the place of the text, by the names of files."""
    return {
        "models.py": edit_model(fields, words),
        "forms.py": edit_form(fields, words),
        "views.py": edit_views(fields),
        "index.html": edit_list(fields),
        "detail.html": edit_detail(fields),
        f"test_{words['notes']}.py": edit_tests(fields, words),
    }


TEXT = Field("text", "text")
MODEL_IMPORT = "from secure_django.encryption import EncryptedTextField\n"
NOTE_IMPORT = "from notes.models import Note\n"


def edit_model(fields: list[Field], words: dict[str, str]) -> dict[str, str]:
    lines = "".join(field.model_line for field in fields)
    classes = "".join(field.choices_class for field in fields if field.choices)
    imports = [line for name, line in IMPORTS.items() if name in lines]
    imports += parent_imports(fields)
    functions = ""
    if "is_owner" in lines:
        imports.append("from typing import Any")
        functions = rename(IS_OWNER, words)
    comment = "    # Not editable: no form can set it.\n"
    return {
        MODEL_IMPORT: MODEL_IMPORT + as_lines(imports) + functions,
        comment: classes + comment,
        TEXT.model_line: lines,
    }


def parent_imports(fields: list[Field]) -> list[str]:
    parents = {field.parent for field in fields if field.parent}
    return [f"from {parent.module} import {parent.model}" for parent in parents]


def edit_form(fields: list[Field], words: dict[str, str]) -> dict[str, str]:
    names = "".join(field.form_line for field in fields)
    end = "        )\n"
    widgets = list(filter(None, (field.widget_item for field in fields)))
    imports = parent_imports(fields)
    code = f"{names}{end}"
    if widgets:
        imports.append("from django import forms")
        code += "        widgets = {" + ", ".join(widgets) + "}\n"
    choices = [field.write(OWN_CHOICE) for field in fields if field.parent]
    if choices:
        imports.append("from typing import Any")
        code += "".join([OWN_CHOICES, *choices])
    return {
        NOTE_IMPORT: rename(NOTE_IMPORT, words) + as_lines(imports),
        f"{TEXT.form_line}{end}": code,
    }


def edit_views(fields: list[Field]) -> dict[str, str]:
    related = [field for field in fields if field.kind in {"photo", "parent"}]
    names = ", ".join(f'"{field.name}"' for field in related)
    selected = f"own(request).select_related({names})" if names else "own(request)"
    order = [
        "title",
        *(field.name for field in list_columns(fields) if is_ordered(field)),
    ]
    if not list_columns(fields):
        order.append("created_at")
    return {
        "objects = own(request)\n": f"objects = {selected}\n",
        'ORDER = ["title", "created_at"]\n': f"ORDER = {order}\n",
    }


def list_columns(fields: list[Field]) -> list[Field]:
    """Return the fields that a list shows beside the title."""
    most = MOST_OF_A_CARD if find_photo(fields) else MOST_COLUMNS
    short = [field for field in fields if field.kind not in {"text", "photo"}]
    return short[:most]


def find_photo(fields: list[Field]) -> Field | None:
    return next((field for field in fields if field.kind == "photo"), None)


def is_ordered(field: Field) -> bool:
    return KINDS[field.kind].is_ordered


def edit_list(fields: list[Field]) -> dict[str, str]:
    columns = list_columns(fields)
    photo = find_photo(fields)
    if photo:
        page = (APP_TEMPLATE / "templates/app_name/index.html").read_text("utf-8")
        start = page.index('<div class="table')
        table = page[start : page.index("{% include", page.index("</table>"))]
        load = f"{PAGES['extends']}\n"
        search = indent(2, PAGES["search"])
        return {
            load: f"{load}{PAGES['load']}\n",
            search: search + write_order(columns),
            table: write_cards(photo, columns),
        }
    if not columns:
        return {}
    heads = [
        field.page("head" if is_ordered(field) else "plain-head") for field in columns
    ]
    cells = [field.page("cell") for field in columns]
    return {
        indent(8, PAGES["created-head"]): indent(8, *heads),
        indent(8, PAGES["created-cell"]): indent(8, *cells),
    }


def write_order(columns: list[Field]) -> str:
    orders = [field.page("order") for field in columns if is_ordered(field)]
    if not columns:
        orders = [PAGES["created-order"]]
    links = indent(4, PAGES["title-order"], *orders)
    return ORDER.replace("    ORDER\n", links)


def write_cards(photo: Field, columns: list[Field]) -> str:
    metas = [field.page("meta") for field in columns]
    if not columns:
        metas = [PAGES["created-meta"]]
    text = CARDS.replace("    PHOTO\n", indent(4, photo.page("thumbnail")))
    return text.replace("    META\n", indent(4, *metas))


def edit_detail(fields: list[Field]) -> dict[str, str]:
    """Return the photos, then labels and values, then the texts."""
    photos = [field.page("photo") for field in fields if field.kind == "photo"]
    first_photo = find_photo(fields)
    if first_photo:
        photos[0] = first_photo.page("photo-or-drawing")
    texts = [field for field in fields if field.kind == "text"]
    pairs = [
        field.page("pair") for field in fields if field.kind not in {"photo", "text"}
    ]
    lines = indent(2, '<dl class="pairs">') + indent(4, *pairs) + indent(2, "</dl>")
    if not pairs:
        lines = ""
    if len(fields) == len(photos) + 1 and texts:
        lines += indent(2, texts[0].page("text"))
    else:
        for text in texts:
            lines += indent(2, text.page("headed-text"), text.page("or-dash"))
    edits = {indent(2, TEXT.page("text")): lines}
    if photos:
        extends = f"{PAGES['extends']}\n"
        article = '<article class="narrow">\n'
        edits[extends] = f"{extends}{PAGES['load']}\n"
        edits[article] = article + indent(2, *photos)
    return edits


def edit_tests(fields: list[Field], words: dict[str, str]) -> dict[str, str]:
    items = "".join(field.test_item for field in fields)
    tests = [
        field.write(rename(PARENT_TEST, words)) for field in fields if field.parent
    ]
    place = "def test_anonymous_visitor"
    return {
        TEXT.test_item: items,
        NOTE_IMPORT: rename(NOTE_IMPORT, words) + as_lines(parent_imports(fields)),
        place: "".join([*tests, place]),
    }


def as_lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def indent(width: int, *lines: str) -> str:
    return "".join(f"{' ' * width}{line}\n" for line in lines)


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
        "All notes": f"All {title.lower()}",
        "a note": f"{article} {singular.replace('_', ' ')}",
        "note": model.lower(),
    }


def rename(text: str, words: dict[str, str]) -> str:
    return WORDS.sub(lambda match: words[match[0]], text)


def write_files(texts: dict[str, str]) -> None:
    for path, text in texts.items():
        Path(path).write_text(text, encoding="utf-8", newline="\n")
