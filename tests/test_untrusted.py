"""JSON that others wrote is read within bounds, and its texts change no terminal."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_django.untrusted import (
    MAX_BYTES,
    UnreadableError,
    parse_json,
    printable,
    read_file,
    read_json,
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is no JSON"),
        ('{"a": 1', "it is no JSON"),
        ("\ufeff{}", "BOM"),
        ("[" * 200_000, "nested more than 50 times"),
        ('{"a":' * 60, "nested more than 50 times"),
        ('["\\"", ' + "[" * 60, "nested more than 50 times"),
        ('{"a": 1, "a": 2}', "a name occurs twice"),
        ("NaN", "it is no JSON: NaN"),
        ("[-Infinity]", "it is no JSON: -Infinity"),
        ("1" * 5000, "it is no JSON"),
    ],
)
def test_damaged_json_is_a_sentence(text: str, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        parse_json(text)


def test_brackets_in_texts_are_no_nesting() -> None:
    text = "[" * 1000
    assert parse_json(f'["{text}", "\\"{text}"]') == [text, f'"{text}']


def make_folder(path: Path) -> None:
    path.mkdir()


def make_loop(path: Path) -> None:
    path.symlink_to(path)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_latin(path: Path) -> None:
    path.write_bytes(b'"\xe9"')


def make_huge(path: Path) -> None:
    path.write_bytes(b'"' + b" " * MAX_BYTES + b'"')


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "No such file"),
        (make_folder, "it is no file"),
        (make_loop, "Too many levels of symbolic links"),
        (make_pipe, "it is no file"),
        (make_device, "it is no file"),
        (make_latin, "not text in UTF-8"),
        (make_huge, "more than 5,000,000 bytes"),
    ],
)
def test_unreadable_file_is_a_sentence(
    make: Callable[[Path], object], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "controls.json"
    make(path)
    with pytest.raises(UnreadableError, match=reason):
        read_file(path)
    with pytest.raises(UnreadableError, match=reason):
        read_json(path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Photo \N{SNOWMAN} ä", "Photo \N{SNOWMAN} ä"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("one\r\ntwo\u2028", "one\\r\\ntwo\\u2028"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("\ud800", "\\ud800"),
        ("a" * 400, "a" * 300 + "…"),
        (5, "5"),
    ],
)
def test_text_is_shown_as_one_line(text: object, shown: str) -> None:
    assert printable(text) == shown
