"""Read JSON that somebody else wrote, and show its texts.

Whatever is wrong with a file or a text, the reader raises UnreadableError, whose
message is a sentence. The module needs only the standard library.
"""

import json
import re
import stat
from pathlib import Path
from typing import Any, NoReturn

MAX_BYTES = 5_000_000
MAX_DEPTH = 50  # of lists and objects in each other
MAX_SHOWN = 300  # characters of a text
# A text, even without its end, or a bracket.
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{\]}]', re.DOTALL)
DEEPER = {"[": 1, "{": 1, "]": -1, "}": -1}


class UnreadableError(ValueError):
    """Why something cannot be read, in a sentence."""


def read_file(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """Return the text of a file in UTF-8."""
    try:
        # A pipe or a device may never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableError("it is no file")
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    return decode(content, max_bytes)


def decode(content: bytes, max_bytes: int = MAX_BYTES) -> str:
    """Return the text of bytes in UTF-8."""
    if len(content) > max_bytes:
        raise UnreadableError(f"it has more than {max_bytes:,} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError("it is not text in UTF-8") from error


def read_json(path: Path) -> Any:  # its form is for the caller to check
    """Return the content of a JSON file."""
    return parse_json(read_file(path))


def parse_json(text: str, max_depth: int = MAX_DEPTH, **numbers: Any) -> Any:
    """Return what a JSON text says; each name of an object occurs once.

    `numbers` are `parse_int` and `parse_float` of `json.loads`.
    """
    check_depth(text, max_depth)
    try:
        return json.loads(
            text,
            object_pairs_hook=make_object,
            parse_constant=refuse_constant,
            **numbers,
        )
    except UnreadableError:
        raise
    except ValueError as error:
        raise UnreadableError(f"it is no JSON: {error}") from error


def check_depth(text: str, max_depth: int) -> None:
    """Refuse what the parser could end with an error of recursion."""
    depth = 0
    for token in TOKEN.finditer(text):
        depth += DEEPER.get(token[0], 0)
        if depth > max_depth:
            raise UnreadableError(f"it is nested more than {max_depth} times")


def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; of two values of a name, programs take one or the other."""
    content = dict(pairs)
    if len(content) < len(pairs):
        raise UnreadableError("a name occurs twice in an object")
    return content


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which JSON has not."""
    raise UnreadableError(f"it is no JSON: {name}")


def printable(text: object, max_length: int = MAX_SHOWN) -> str:
    """Return a text as one line that changes no terminal and no order of letters."""
    shown = "".join(map(spell, str(text)[: max_length + 1]))
    return shown if len(shown) <= max_length else f"{shown[:max_length]}…"


def spell(character: str) -> str:
    """Return a character, or its code: `\\x1b`, `\\n`, `\\u202e`, `\\ud800`."""
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
