"""Refusals of `poe app`, and the names that its files import."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from secure_django.commands import new_app
from secure_django.commands.new_app import APP_TEMPLATE, KINDS, main


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "manage.py").touch()
    (tmp_path / "gallery").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Notes", "not a valid name"),
        ("class", "not a valid name"),
        ("", "not a valid name"),
        ("a", "not a valid name"),
        ("1st", "not a valid name"),
        ("my-notes", "not a valid name"),
        ("nötes", "not a valid name"),
        ("notes.py", "not a valid name"),
        ("_notes", "not a valid name"),
        ("notes_", "not a valid name"),
        ("x" * 29, "not a valid name"),
        ("../notes", "not a valid name"),
        ("gallery", "a module, a package or a folder"),
        ("vendor", "a module, a package or a folder"),
        ("json", "a module, a package or a folder"),
        ("secure_django", "a module, a package or a folder"),
        ("static", "a module, a package or a folder"),
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
    monkeypatch.setattr(new_app, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match=rf"{name} is the name of a module"):
        main(name, [], admin=False)


@pytest.mark.parametrize(
    "field",
    [
        "due:time",
        "due",
        ":text",
        "a:number",
        "owner:text",
        "save:text",
        "Due:date",
        "class:text",
        "title:photo",
        "is_owner:yesno",
        "__init__:text",
    ],
)
def test_field_that_cannot_work_is_refused(field: str, project: Path) -> None:
    with pytest.raises(SystemExit, match=r"is no field|cannot be the name of a field"):
        main("notes", [field], admin=False)
    assert not (project / "notes").exists()


@pytest.mark.usefixtures("project")
def test_field_that_is_named_twice_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"^due cannot be the name of a field"):
        main("notes", ["due:date", "due:text"], admin=False)


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
    # A field of this kind adds an import.
    assert KINDS["photo"].model.startswith("PhotoField(")
    texts.append("from secure_django.photos.fields import PhotoField\n")
    imports = re.findall(
        r"^from (secure_django\S*) import (.+)$", "\n".join(texts), re.MULTILINE
    )
    assert len(imports) > 7
    for module, names in imports:
        for name in names.split(", "):
            assert hasattr(import_module(module), name), f"{module}.{name}"
