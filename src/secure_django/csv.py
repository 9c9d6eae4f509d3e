"""CSV files whose cells no spreadsheet program runs as formulas."""

import csv
import re
from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from django.utils.http import content_disposition_header

__all__ = ["csv_response", "write_csv"]

# The separator of cells depends on a program's language and on its user.
SEPARATORS = re.compile(r"([,;|\t\r\n])")
# Before a formula, programs skip invisible characters, and quotes if they split cells
# at another separator. East Asian programs also accept fullwidth signs.
FORMULA = re.compile(
    r"[\s\x00-\x1f\x7f-\xa0\xad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff"
    r"\"'`´‘’“”„]*"
    r"[=+\-@＝＋－＠﹦﹢﹣﹫−]"
)
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
SURROGATE = re.compile(r"[\ud800-\udfff]")  # half a character, which UTF-8 lacks
CONTROLS = ("\t", "\r", "\n", "\0")  # an ordinary cell begins with none of them


def as_text(value: object) -> str:
    """Return a cell, with an apostrophe before each part that may be a formula.

    A number stays a number, even a negative one. Half a character, which no encoding
    has, becomes U+FFFD.
    """
    text = "" if value is None else str(value)
    text = replace_surrogates(text)
    if NUMBER.fullmatch(text):
        return text
    parts = [mask_formula(part) for part in SEPARATORS.split(text)]
    safe = "".join(parts)
    return f"'{safe}" if safe.startswith(CONTROLS) else safe


def replace_surrogates(text: str) -> str:
    return SURROGATE.sub("\ufffd", text)


def mask_formula(part: str) -> str:
    return f"'{part}" if FORMULA.match(part) else part


def write_csv(file: Any, rows: Iterable[Iterable[object]]) -> None:
    """Write rows to a file, the names of columns first."""
    writer = csv.writer(file)  # noqa: TID251  # as_text() makes each cell safe
    writer.writerows([as_text(value) for value in row] for row in rows)


def csv_response(name: str, rows: Iterable[Iterable[object]]) -> HttpResponse:
    """Return the download `name`.csv.

    Put `@rate_limit(…, methods=["GET"])` on the view: GET includes HEAD.
    """
    disposition = content_disposition_header(True, replace_surrogates(f"{name}.csv"))
    response = HttpResponse(
        "\ufeff",  # without it, Excel reads another encoding
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": disposition or "attachment"},
    )
    write_csv(response, rows)
    return response
