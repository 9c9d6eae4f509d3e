"""Write settings.lock: every setting that differs from Django's, one value a line.

    python -m secure_django.conf.lock            in the project's folder
    python -m secure_django.conf.lock --check    exit 1 if the file is out of date

A project with settings of its own names their module, and a file with an example value
for each variable that they read, such as SECRET_KEY=example. No other variable of the
machine is read:

    python -m secure_django.conf.lock --settings=site.production --variables=lock.env

The file is committed. A review sees there what a change of the settings or a release
of the package changes. It shows production, and nothing of the machine: a variable with
a default has this, a variable without one is masked, as (SECRET_KEY).
"""

import json
import os
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from datetime import timedelta
from difflib import unified_diff
from enum import Enum
from functools import partial
from importlib import import_module
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any

from django.conf import global_settings
from django.utils import translation
from django.utils.functional import Promise

from secure_django import conf
from secure_django.conf.environment import Environment
from secure_django.conf.testing import example_values
from secure_django.untrusted import UnreadableError, read_file

SETTINGS = "config.settings"
LOCK = "settings.lock"
HEADER = """\
# Every setting that differs from Django's, in production. (NAME) comes from the
# environment. Written by `python -m secure_django.conf.lock`: commit it.
"""
INDENT = "    "
BRACKETS: dict[type, str] = {list: "[]", tuple: "()", set: "{}", frozenset: "{}"}
MISSING = object()
# What a process needs of its system, whatever a project reads.
OF_SYSTEM = ("HOME", "PATH", "PYTHONPATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")


class CanonicalEnvironment(Environment):
    """Give each variable its default, whatever this machine has."""

    def load(self, folder: Path) -> None:
        """Read neither the file nor the variables of the process."""
        self.forget()
        self.variables = {}
        self.folder = folder
        self.examples = example_values()

    def read[T](
        self, name: str, parse: Callable[[str], T], default: str | None = None
    ) -> T:
        """Return the default, or a value that the lock masks."""
        if default is not None:
            return super().read(name, parse, default)
        self.required.add(name)
        stand_in: Any = self.examples.get(name, f"({name})")
        # A parser of the project's own may refuse the stand-in.
        try:
            self.values[name] = parse(stand_in)
        except Exception:
            self.values[name] = stand_in
        value: T = self.values[name]
        return value

    def check_together(self) -> None:
        """Accept what one machine may not have together, such as no bucket."""

    @property
    def masks(self) -> dict[int, str]:
        """Return the names of variables without a default, by the id of their value."""
        required = {name: self.values[name] for name in self.required}
        return {
            id(value): name
            for name, value in sorted(required.items())
            # Python has each of these once, for all settings.
            if not isinstance(value, bool | int | None)
        }


class Renderer:
    """Spell values alike on each system and with each version of Python."""

    def __init__(self, base_dir: Path, masks: dict[int, str]) -> None:
        self.base_dir = base_dir
        self.masks = masks

    def lines(self, value: object) -> Iterator[str]:
        """Yield the lines of a value; those of its elements are indented."""
        if id(value) in self.masks:
            yield f"({self.masks[id(value)]})"
        elif isinstance(value, dict):
            items = sorted((self.scalar(key), item) for key, item in value.items())
            yield from self.group(
                "{}", [self.element(item, f"{key}: ") for key, item in items]
            )
        elif type(value) in BRACKETS:
            elements = [self.element(item) for item in value]  # type: ignore[attr-defined]
            if isinstance(value, set | frozenset):
                elements.sort()
            yield from self.group(BRACKETS[type(value)], elements)
        else:
            yield self.scalar(value)

    def element(self, value: object, key: str = "") -> list[str]:
        first, *others = self.lines(value)
        return [f"{INDENT}{line}" for line in (key + first, *others)]

    def group(self, brackets: str, elements: list[list[str]]) -> Iterator[str]:
        if not elements:
            yield brackets
            return
        yield brackets[0]
        for *others, last in elements:
            yield from others
            yield f"{last},"
        yield brackets[1]

    def scalar(self, value: object) -> str:
        if isinstance(value, Enum):
            value = value.value
        if isinstance(value, PurePath):
            value = value.as_posix()
        if isinstance(value, str | Promise):
            return self.text(str(value))
        if isinstance(value, bool | int | float | bytes | None):
            return repr(value)
        if isinstance(value, timedelta):
            return f"timedelta({value})"
        if isinstance(value, re.Pattern):
            return f"re.compile({self.text(value.pattern)})"
        if isinstance(value, partial):
            return f"partial({name_of(value.func)})"
        return name_of(value)

    def text(self, value: str) -> str:
        """Return a text in quotes, with paths relative to the project's folder."""
        for folder in {str(self.base_dir), self.base_dir.as_posix()}:
            path = rf"(?<![\w./-]){re.escape(folder)}(?=[/\\]|\Z)"
            if re.search(path, value):
                value = re.sub(path, ".", value).replace("\\", "/")
        return json.dumps(value, ensure_ascii=False)


def name_of(value: object) -> str:
    """Return the name of a class or function, or of an object's class: no address."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def is_setting(name: str, value: object) -> bool:
    """Return whether a name is a setting, and not a helper such as the class CSP."""
    if not name.isupper() or isinstance(value, type | ModuleType):
        return False
    default = getattr(global_settings, name, MISSING)
    return default is MISSING or value != default


def render(values: dict[str, Any], environment: CanonicalEnvironment) -> str:
    """Return the text of settings.lock for the names of a settings module."""
    renderer = Renderer(environment.base_dir, environment.masks)
    text = HEADER
    for name, value in sorted(values.items()):
        if is_setting(name, value):
            text += f"{name} = " + "\n".join(renderer.lines(value)) + "\n"
    return text


def load_text(root: Path) -> str:
    """Load the project's settings, and return the text of settings.lock."""
    environment = CanonicalEnvironment()
    conf.env = environment  # before the settings import it
    sys.path.insert(0, str(root))
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS  # for the texts in languages
    module = import_module(SETTINGS)
    translation.deactivate_all()
    return render(vars(module), environment)


def load_foreign_text(root: Path, module_name: str, variables: str) -> str:
    """Return the text of settings.lock for settings that the project reads itself."""
    # So that no variable of this machine is in the file.
    own = {name: os.environ[name] for name in OF_SYSTEM if name in os.environ}
    os.environ.clear()
    os.environ.update(own | read_variables(root / variables))
    os.environ["DJANGO_SETTINGS_MODULE"] = module_name
    sys.path.insert(0, str(root))
    environment = CanonicalEnvironment()
    environment.load(root)
    module = import_module(module_name)
    translation.deactivate_all()
    return render(vars(module), environment)


def read_variables(path: Path) -> dict[str, str]:
    """Return the variables of a file with lines such as NAME=value."""
    if not path.is_file():
        sys.exit(
            f"There is no {path.name}: write a line such as SECRET_KEY=example into it"
            " for each variable that the settings need."
        )
    lines = path.read_text(encoding="utf-8").splitlines()
    parts = [line.partition("=") for line in lines if not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in parts if name.strip()}


def read_arguments(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(prog="python -m secure_django.conf.lock")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--settings", default=SETTINGS)
    parser.add_argument("--variables")
    options = parser.parse_args(arguments)
    if options.settings != SETTINGS and not options.variables:
        parser.error(
            "Name a file with example values of the variables, as in"
            f" --settings={options.settings} --variables=lock.env."
        )
    return options


def read_lock(lock: Path, command: str) -> str:
    """Return the text of the file, nothing if there is none, or end with a sentence."""
    if not os.path.lexists(lock):
        return ""
    try:
        # A clone on Windows can have other line ends.
        return read_file(lock).replace("\r\n", "\n")
    except UnreadableError as error:
        sys.exit(f"{LOCK} is damaged: {error}. Run `{command}`, and commit it.")


def write_lock(lock: Path, text: str) -> None:
    """Write the file, or end with a sentence."""
    try:
        lock.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        sys.exit(f"{LOCK} cannot be written: {error.strerror}. Remove what is there.")


def main(arguments: list[str]) -> int:
    options = read_arguments(arguments)
    root = Path.cwd()
    lock = root / LOCK
    command = "python -m secure_django.conf.lock"
    if options.variables:
        text = load_foreign_text(root, options.settings, options.variables)
        command += f" --settings={options.settings} --variables={options.variables}"
    elif (root / "config" / "settings.py").is_file():
        text = load_text(root)
    else:
        print("Run this in the project's folder.", file=sys.stderr)
        return 1
    if not options.check:
        write_lock(lock, text)
        return 0
    committed = read_lock(lock, command)
    if committed == text:
        return 0
    difference = unified_diff(
        committed.splitlines(), text.splitlines(), LOCK, "the settings", lineterm=""
    )
    print(*difference, sep="\n")
    print(
        f"{LOCK} is out of date: read the difference, run `{command}`, and commit it.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
