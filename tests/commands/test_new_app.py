"""Refusals of `poe app`, and the names that its files import."""

import re
from decimal import Decimal
from importlib import import_module
from pathlib import Path

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from secure_django.commands.new_app import names
from secure_django.commands.new_app.command import main
from secure_django.commands.new_app.kinds import (
    IMPORTS,
    KINDS,
    Parent,
    describe_examples,
)
from secure_django.commands.new_app.names import read_fields
from secure_django.commands.new_app.writing import (
    APP_TEMPLATE,
    ENTRIES,
    choose_words,
    insert_entry,
    rename,
)
from secure_django.commands.tasks import TASKS


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "manage.py").touch()
    (tmp_path / "gallery").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Notes", "write it in lowercase: notes"),
        ("class", "it is a keyword of Python; choose another, such as my_class"),
        ("a", "it needs 2 characters or more"),
        ("1st", "use lowercase letters, digits and single underscores"),
        ("my-notes", "use lowercase letters"),
        ("nötes", "use lowercase letters"),
        ("notes.py", "use lowercase letters"),
        ("_notes", "use lowercase letters"),
        ("notes_", "use lowercase letters"),
        ("../notes", "use lowercase letters"),
        ("x" * 29, "it has 29 characters, and 28 are the most"),
        ("gallery", "This folder has gallery already"),
        ("vendor", "The name vendor is reserved"),
        ("json", "json is a module or a package of Python"),
        ("secure_django", "a module or a package of Python"),
    ],
)
def test_name_that_cannot_work_is_refused(
    name: str, reason: str, project: Path
) -> None:
    with pytest.raises(SystemExit, match=rf"{reason}.*Nothing was changed"):
        main(name, [], admin=False)
    assert sorted(path.name for path in project.iterdir()) == ["gallery", "manage.py"]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("name", ["redis", "storages"])
def test_name_of_an_optional_package_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match=rf"The name {name} is reserved"):
        main(name, [], admin=False)


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("due", "due has no kind: write due:text, or one of text, number, decimal"),
        (":text", "A field without a name is not a valid name: it needs 2"),
        ("a:number", "a is not a valid name: it needs 2 characters"),
        ("Due:date", "Due is not a valid name: write it in lowercase: due"),
        ("class:text", "class is not a valid name: it is a keyword of Python"),
        ("__init__:text", "use lowercase letters, digits and single underscores"),
        ("owner:text", "Each model has owner already.*such as own_owner"),
        ("save:text", "Each model has save already"),
        ("is_owner:yesno", "Each model has is_owner already"),
        ("title:photo", "The title is a text that each object has"),
        ("due:integer", "There is no kind integer: write due:number, or one"),
        ("due:string", "There is no kind string: write due:text"),
        ("due:bool", "There is no kind bool: write due:yesno"),
        ("due:float", "There is no kind float: write due:decimal"),
        ("due:image", "There is no kind image: write due:photo"),
        ("due:dat", "There is no kind dat: write due:date, or"),
        ("due:xyzzy", "There is no kind xyzzy: write one of text"),
        ("due:file", "There is no kind file: for a file, follow .*documents.md"),
        ("due:document", "follow https://example.org/t/blob/main/docs/recipes/doc"),
        ("due:date:2026", "The kind date takes nothing more: write due:date"),
        ("rating:number", "Write rating:number:1-5, with its smallest and largest"),
        ("our_score:decimal", "Write our_score:decimal:1-5, with"),
        ("discount:decimal", "Write discount:decimal:0-100, with"),
        ("rating:integer", "There is no kind integer: write rating:number:1-5, or"),
        ("quantity:number:0-5", "Let quantity begin above 0, as in quantity:number:1"),
        ("amount:decimal:0.00-9", "Let amount begin above 0"),
        ("seats:number:5-1", "are 5 and 1: write the smaller value first"),
        ("seats:number:5-5", "are 5 and 5: write the smaller value first"),
        ("seats:number:a-b", "a-b cannot be the bounds of seats: write two whole"),
        ("seats:number:5", "5 cannot be the bounds of seats: write two whole"),
        ("seats:number:-5-5", "-5-5 cannot be the bounds of seats"),
        ("seats:number:01-5", "01-5 cannot be the bounds of seats"),
        ("seats:number:1.5-2", "write two whole numbers from 0, as in seats:number:1"),
        ("fee:decimal:0-0.125", "write two numbers from 0 with at most two decimal"),
        ("seats:number:0-2147483648", "too large for seats: .* be 2147483647"),
        ("fee:decimal:0-10000000000", "the largest value can be 9999999999.99"),
        ("rating:number:0-999999999", "the largest value can be 999999998"),
        ("seats:photo:1-5", "The kind photo takes nothing more: write seats:photo"),
        ("paid:yesno", "Others decide on paid, so .*, such as own_paid"),
        ("role:choice:reader,editor", "Others decide on role"),
        ("wifi_password:text", "No page may show a wifi_password"),
        ("level:choice", "level has no words to choose from: write level:choice:"),
        ("level:choice:a,,b", "level has an empty choice: write level:choice:"),
        ("level:choice:a,b,a", "level has the choice a twice: leave one out"),
        ("level:choice:a,very hard", "very hard cannot be a choice of level: use"),
        ("level:choice:" + "x" * 31, "has 31 characters, and 30 are the most"),
        ("of:parent", "Write the app and the model, as in courses.Course"),
        ("of:parent:notes.Note", "notes is the app that you are making"),
        ("of:parent:missing.Course", "There is no app missing"),
        ("of:parent:example.Missing", "example has no model Missing; it has Thing"),
        ("of:parent:example.DueRow", "DueRow is abstract"),
        ("of:parent:users.User", "User has no key `owner` to a user"),
        ("of:parent:account.EmailAddress", "account is an app of a package"),
    ],
)
def test_field_that_cannot_work_is_refused(
    field: str, reason: str, project: Path
) -> None:
    (project / ".cruft.json").write_text(
        '{"template": "https://example.org/t", "commit": "1"}', encoding="utf-8"
    )
    with pytest.raises(SystemExit, match=rf"{reason}.*Nothing was changed"):
        main("notes", [field], admin=False)
    assert not (project / "notes").exists()


@pytest.mark.usefixtures("project")
def test_field_that_is_named_twice_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"^The field due is named twice"):
        main("notes", ["due:date", "due:text"], admin=False)


def test_model_with_an_owner_can_be_a_parent() -> None:
    (field,) = read_fields(["thing:parent:example.Thing"], "notes")
    assert field.parent == Parent("example.models", "Thing", has_page=True)


def test_title_alone_stays_alone() -> None:
    assert read_fields(["title:text"], "notes") == []
    assert [field.name for field in read_fields([], "notes")] == ["text"]


def test_help_has_an_example_of_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    main("", [], admin=False, help=True)
    text = capsys.readouterr().out
    with pytest.raises(SystemExit, match="Usage: uv run poe app NAME") as end:
        main("", [], admin=False)
    assert text.strip() == str(end.value)
    (fields,) = [arg for arg in TASKS["app"]["args"] if arg["name"] == "fields"]
    for example, meaning in describe_examples():
        assert re.search(rf"  {example} +{meaning}\n", text)
        assert example in " ".join(fields["help"].split())
    assert {"seats:number", "rating:number:1-5"} < dict(describe_examples()).keys()


def test_project_without_a_place_for_the_app_is_left_as_it_was(project: Path) -> None:
    settings = project / "config" / "settings.py"
    settings.parent.mkdir()
    settings.write_text("INSTALLED_APPS = []\n", encoding="utf-8")
    reason = r"config/settings\.py has no place for it\. Nothing was changed"
    with pytest.raises(SystemExit, match=reason):
        main("notes", [], admin=False)
    assert not (project / "notes").exists()
    assert settings.read_text(encoding="utf-8") == "INSTALLED_APPS = []\n"


def test_folder_without_a_project_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"There is no manage\.py in this folder"):
        main("notes", [], admin=False)


def test_files_of_an_app_import_names_that_exist() -> None:
    texts = [path.read_text(encoding="utf-8") for path in APP_TEMPLATE.rglob("*-tpl")]
    texts += IMPORTS.values()
    imports = re.findall(
        r"^from (secure_django\S*) import (.+)$", "\n".join(texts), re.MULTILINE
    )
    assert len(imports) > 7
    for module, imported in imports:
        for name in imported.split(", "):
            assert hasattr(import_module(module), name), f"{module}.{name}"


@pytest.mark.parametrize("kind", ["number", "decimal"])
def test_number_of_an_app_is_never_negative(kind: str) -> None:
    names = {"models": models, "MinValueValidator": MinValueValidator, "_": str}
    field = eval(KINDS[kind].model, names)  # noqa: S307 - code of the package
    assert field.clean(0, None) == 0
    with pytest.raises(ValidationError):
        field.clean(-1, None)


@pytest.mark.parametrize(
    ("argument", "smallest", "largest"),
    [
        ("rating:number:1-5", 1, 5),
        ("discount:decimal:0-100", 0, 100),
        ("fee:decimal:0.10-9.90", Decimal("0.10"), Decimal("9.90")),
        # Nobody takes 0 of them.
        ("quantity:number", 1, 2147483647),
        ("amount:decimal", Decimal("0.01"), Decimal("9999999999.99")),
    ],
)
def test_number_with_bounds_has_them_in_the_model_and_in_the_form(
    argument: str, smallest: Decimal | int, largest: Decimal | int
) -> None:
    (field,) = read_fields([argument], "notes")
    names = {
        "Decimal": Decimal,
        "MaxValueValidator": MaxValueValidator,
        "MinValueValidator": MinValueValidator,
        "_": str,
        "forms": forms,
        "models": models,
    }
    code = field.model_line.partition(" = ")[2]
    model_field = eval(code, names)  # noqa: S307 - code of the package
    assert model_field.clean(smallest, None) == smallest
    assert model_field.clean(largest, None) == largest
    step = Decimal("0.01") if "decimal" in argument else 1
    for outside in (smallest - step, largest + step):
        with pytest.raises(ValidationError):
            model_field.clean(outside, None)
    widgets = eval(f"{{{field.widget_item}}}", names)  # noqa: S307
    form_field = model_field.formfield(widget=widgets[field.name])
    attributes = form_field.widget.attrs
    assert (str(attributes["min"]), str(attributes["max"])) == (
        str(smallest),
        str(largest),
    )


def test_newest_app_is_the_last_in_each_list_but_that_of_imports() -> None:
    texts = {
        "config/settings.py": "INSTALLED_APPS = [\n    # `poe app` names new apps"
        ' above this line.\n    "users",\n]\n',
        "config/urls.py": "urlpatterns = [\n    # `poe app` names new apps above"
        ' this line.\n    path("", include("gallery.urls")),\n]\n',
        "templates/_app_menu.html": "{# The entries of your apps. #}",
        "pyproject.toml": "root_packages = [\n]\nlayers = [\n"
        '    "config",\n    "users",\n]\n',
    }
    for app in ("courses", "lessons", "films"):
        for entry in ENTRIES:
            insert_entry(entry, texts, choose_words(app))
    imports = texts.pop("pyproject.toml")
    for path, text in texts.items():
        places = [text.index(app) for app in ("courses", "lessons", "films")]
        assert places == sorted(places), path
        assert text.count("\n") >= 4, path
    assert texts["config/settings.py"].index("films") < texts[
        "config/settings.py"
    ].index("# `poe app`")
    *_, layers = imports.partition("layers = [\n")
    assert re.findall(r"\w+", layers) == [
        "config",
        "films",
        "lessons",
        "courses",
        "users",
    ]


def test_list_without_its_mark_takes_an_app_first() -> None:
    texts = {"config/settings.py": 'INSTALLED_APPS = [\n    "users",\n]\n'}
    insert_entry(ENTRIES[0], texts, choose_words("films"))
    assert texts["config/settings.py"].startswith('INSTALLED_APPS = [\n    "films",\n')


def test_words_of_an_app_follow_its_name() -> None:
    words = choose_words("shopping_lists")
    text = rename("notes, Notes, Note, note, a note, All notes", words)
    assert text == (
        "shopping_lists, Shopping lists, ShoppingList, shoppinglist, a shopping list,"
        " All shopping lists"
    )
