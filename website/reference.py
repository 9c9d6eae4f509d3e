"""Write a page for each room of the package, from the docstrings of public names."""

import re
from pathlib import Path

# What test_public_names.py keeps: "module: name(parameters)", one a line.
LINE = re.compile(r"^(secure_django[\w.]*): (\w+)", re.MULTILINE)


def read_modules(names: Path) -> dict[str, list[str]]:
    """Return the public modules by room; the room of a single module is its name."""
    rooms: dict[str, list[str]] = {}
    for module, _ in LINE.findall(names.read_text(encoding="utf-8")):
        parts = module.split(".")
        room = parts[1] if len(parts) > 1 else parts[0]
        modules = rooms.setdefault(room, [])
        if module not in modules:
            modules.append(module)
    return rooms


def write_reference(names: Path, folder: Path) -> list[str]:
    """Write the pages into reference/api/ of a folder, and return their places."""
    target = folder / "reference" / "api"
    target.mkdir(parents=True, exist_ok=True)
    places = []
    for room, modules in read_modules(names).items():
        lines = [f"# secure_django.{room}", ""]
        for module in modules:
            lines += [f"::: {module}", ""]
        page = target / f"{room}.md"
        page.write_text("\n".join(lines), encoding="utf-8", newline="\n")
        places.append(f"reference/api/{room}.md")
    return places
