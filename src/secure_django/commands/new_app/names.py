"""Names and fields that cannot work, each refused for a reason of its own."""

import re
import sys
from collections import Counter
from decimal import Decimal
from difflib import get_close_matches
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import NamedTuple, NoReturn

from django.db.models import Model

from secure_django.commands.new_app.kinds import KINDS, Bounds, Field
from secure_django.commands.new_app.parents import find_parent
from secure_django.commands.record import require_record
from secure_django.guard.field_names import PASSWORDS, is_never_for_users
from secure_django.guard.numbers import AMOUNT, HUGE, SHARE

WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
SHORTEST = 2
LONGEST = 28
LONGEST_CHOICE = 30
LETTERS = "use lowercase letters, digits and single underscores, as in"
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
TAKEN = {"id", "owner", "created_at", "in_clear", "is_owner", "objects"}
# What other frameworks call a kind.
OTHER_WORDS = {
    "attachment": "document",
    "belongs_to": "parent",
    "bool": "yesno",
    "boolean": "yesno",
    "char": "text",
    "checkbox": "yesno",
    "enum": "choice",
    "file": "document",
    "float": "decimal",
    "foreignkey": "parent",
    "image": "photo",
    "int": "number",
    "integer": "number",
    "link": "url",
    "mail": "email",
    "money": "decimal",
    "picture": "photo",
    "references": "parent",
    "select": "choice",
    "str": "text",
    "string": "text",
    "textarea": "text",
    "timestamp": "datetime",
}


class Size(NamedTuple):
    """How a bound of a kind is written, and how large it can be."""

    pattern: str
    words: str
    largest: str
    least: str  # above 0


SIZES = {
    "number": Size(r"0|[1-9][0-9]*", "two whole numbers from 0", "2147483647", "1"),
    "decimal": Size(
        r"(?:0|[1-9][0-9]*)(?:\.[0-9]{1,2})?",
        "two numbers from 0 with at most two decimal places",
        "9999999999.99",
        "0.01",
    ),
}


def refuse(reason: str) -> NoReturn:
    sys.exit(f"{reason} Nothing was changed.")


def check_name(name: str) -> None:
    """End with a sentence unless an app can have this name."""
    fault = fault_of_word(name, "notes")
    if fault:
        refuse(f"{name} is not a valid name for an app: {fault}.")
    if Path(name).exists():
        refuse(f"This folder has {name} already: choose another name.")
    if name in RESERVED:
        refuse(f"The name {name} is reserved: choose another, such as my_{name}.")
    if find_spec(name):
        refuse(
            f"{name} is a module or a package of Python: choose another name, such as"
            f" my_{name}."
        )


def fault_of_word(word: str, example: str) -> str:
    """Return what is wrong with a name, and what to do, or an empty string."""
    if len(word) < SHORTEST:
        return f"it needs {SHORTEST} characters or more"
    if len(word) > LONGEST:
        return f"it has {len(word)} characters, and {LONGEST} are the most"
    if iskeyword(word):
        return f"it is a keyword of Python; choose another, such as my_{word}"
    if WORD.fullmatch(word.lower()) and word != word.lower():
        return f"write it in lowercase: {word.lower()}"
    if not WORD.fullmatch(word):
        return f"{LETTERS} {example}"
    return ""


def read_fields(arguments: list[str], app: str) -> list[Field]:
    """Return the fields of `name:kind`, or the text that an app has without any."""
    if not arguments:
        return [Field("text", "text")]
    fields = [read_field(argument, app) for argument in arguments]
    names = Counter(field.name for field in fields)
    for name, number in names.items():
        if number > 1:
            refuse(f"The field {name} is named twice: leave one out.")
    return [field for field in fields if field.name != "title"]


def read_field(argument: str, app: str) -> Field:
    name, _, kind = argument.partition(":")
    kind, _, details = kind.partition(":")
    check_field_name(name, kind)
    check_kind(argument, name, kind)
    if kind == "choice":
        return Field(name, kind, choices=read_choices(name, details))
    if kind == "parent":
        parent = find_parent(details, app)
        if isinstance(parent, str):
            refuse(f"{argument} does not work: {parent}")
        return Field(name, kind, parent=parent)
    if KINDS[kind].bounds_example:
        return Field(name, kind, bounds=read_bounds(name, kind, details))
    if details:
        refuse(f"The kind {kind} takes nothing more: write {name}:{kind}.")
    return Field(name, kind)


def check_field_name(name: str, kind: str) -> None:
    if name == "title":
        if kind != "text":
            refuse(
                "The title is a text that each object has: leave it out, or write"
                " title:text."
            )
        return
    fault = fault_of_word(name, "due_date")
    if fault:
        refuse(f"{name or 'A field without a name'} is not a valid name: {fault}.")
    if name in TAKEN or hasattr(Model, name):
        refuse(
            f"Each model has {name} already: choose another name for the field, such as"
            f" own_{name}."
        )
    if is_never_for_users(name):
        refuse(
            f"Others decide on {name}, so no form may let users set it: choose another"
            f" name, such as own_{name}, or add it to the model later."
        )
    if PASSWORDS.fullmatch(name):
        refuse(f"No page may show a {name}, as those of an app would: leave it out.")


def check_kind(argument: str, name: str, kind: str) -> None:
    if kind == "document":
        refuse(
            f"{argument} needs checks that `poe app` does not write: make the app"
            f" without it, then follow {documents_recipe()}."
        )
    if not kind:
        refuse(f"{name} has no kind: write {name}:text, or one of {list_kinds()}.")
    if kind not in KINDS:
        refuse(f"There is no kind {kind}: {suggest(name, kind)}")


def suggest(name: str, kind: str) -> str:
    """Return what to write in place of an unknown kind."""
    known = [*KINDS, "document", *OTHER_WORDS]
    words = get_close_matches(kind.lower(), known, n=1)
    if not words:
        return f"write one of {list_kinds()}."
    nearest = OTHER_WORDS.get(words[0], words[0])
    if nearest == "document":
        return f"for a file, follow {documents_recipe()}."
    _, _, ending = KINDS[nearest].example.partition(":")
    if KINDS[nearest].bounds_example and SHARE.fullmatch(name):
        ending = f"{nearest}:{usual_bounds(name)}"
    return f"write {name}:{ending}, or one of {list_kinds()}."


def list_kinds() -> str:
    return ", ".join(KINDS)


def documents_recipe() -> str:
    return f"{require_record()['template']}/blob/main/docs/recipes/documents.md"


def read_bounds(name: str, kind: str, details: str) -> Bounds | None:
    """Return the smallest and the largest value of `1-5`."""
    example = f"{name}:{kind}:{usual_bounds(name)}"
    if not details:
        if SHARE.fullmatch(name):
            refuse(
                f"Write {example}, with its smallest and largest value: without them,"
                " users could store any number."
            )
        if AMOUNT.fullmatch(name):
            return Bounds(SIZES[kind].least, SIZES[kind].largest)
        return None
    size = SIZES[kind]
    match = re.fullmatch(f"({size.pattern})-({size.pattern})", details)
    if not match:
        refuse(
            f"{details} cannot be the bounds of {name}: write {size.words}, as in"
            f" {example}."
        )
    bounds = Bounds(*match.groups())
    check_bounds(name, bounds, largest_of(name, kind), example)
    return bounds


def check_bounds(name: str, bounds: Bounds, most: Decimal, example: str) -> None:
    if Decimal(bounds.smallest) >= Decimal(bounds.largest):
        refuse(
            f"The bounds of {name} are {bounds.smallest} and {bounds.largest}: write"
            f" the smaller value first, as in {example}."
        )
    if AMOUNT.fullmatch(name) and Decimal(bounds.smallest) == 0:
        refuse(f"Let {name} begin above 0, as in {example}: nobody takes 0 of it.")
    if Decimal(bounds.largest) > most:
        refuse(
            f"{bounds.largest} is too large for {name}: the largest value can be"
            f" {most}."
        )


def largest_of(name: str, kind: str) -> Decimal:
    """Return what a field can store; the guard takes HUGE for any number."""
    most = Decimal(SIZES[kind].largest)
    return min(most, Decimal(HUGE - 1)) if SHARE.fullmatch(name) else most


def usual_bounds(name: str) -> str:
    """Return bounds that a number of this name could have."""
    match = SHARE.fullmatch(name)
    return "0-100" if match and match["percentage"] else "1-5"


def read_choices(name: str, details: str) -> tuple[str, ...]:
    """Return the words of `beginner,advanced`."""
    example = f"write {name}:choice:beginner,advanced"
    if not details:
        refuse(f"{name} has no words to choose from: {example}.")
    words = details.split(",")
    for word in words:
        if not word:
            refuse(f"{name} has an empty choice: {example}.")
        if not WORD.fullmatch(word):
            refuse(f"{word} cannot be a choice of {name}: {LETTERS} very_hard.")
        if len(word) > LONGEST_CHOICE:
            refuse(
                f"{word} has {len(word)} characters, and {LONGEST_CHOICE} are the most"
                f" for a choice of {name}."
            )
        if words.count(word) > 1:
            refuse(f"{name} has the choice {word} twice: leave one out.")
    return tuple(words)
