"""Write a page for each room of the package, from the docstrings of public names."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

# What test_public_names.py keeps: "module: name(parameters)", or with "Class.method".
LINE = re.compile(r"^(secure_django[\w.]*): (\w+)(?:\.(\w+))?", re.MULTILINE)

# It comes from the project, so its docstring is not here.
OF_PROJECT = "secure_django.user.User"

type Names = dict[str, list[str]]  # the members of each name
type Modules = dict[str, Names]


def read_rooms(file: Path) -> dict[str, Modules]:
    """Return the public modules by room; the room of a single module is its name."""
    rooms: dict[str, Modules] = {}
    for module, name, member in LINE.findall(file.read_text(encoding="utf-8")):
        room = module.split(".")[1]
        names = rooms.setdefault(room, {}).setdefault(module, {})
        members = names.setdefault(name, [])
        if member:
            members.append(member)
    return rooms


def write_reference(names: Path, folder: Path) -> list[str]:
    """Write the pages into reference/python/ of a folder, and return their places."""
    target = folder / "reference" / "python"
    target.mkdir(parents=True, exist_ok=True)
    places = []
    for room, modules in read_rooms(names).items():
        page = target / f"{room}.md"
        text = "\n".join(describe_room(room, modules))
        page.write_text(text, encoding="utf-8", newline="\n")
        places.append(f"reference/python/{room}.md")
    return places


def describe_room(room: str, modules: Modules) -> Iterator[str]:
    """Return the lines of a page, where mkdocstrings puts the docstrings."""
    yield f"# secure_django.{room}\n"
    for module, names in modules.items():
        yield f"## {module}\n"
        for name, members in names.items():
            if f"{module}.{name}" == OF_PROJECT:
                yield f"### {name}\n\nThe user model of the project, for types.\n"
                continue
            yield f"::: {module}.{name}"
            yield "    options:"
            yield f"      members: {json.dumps(members)}\n"
