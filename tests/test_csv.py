"""CSV files: what was written comes back, and no cell is a formula."""

import csv
from decimal import Decimal
from io import StringIO

import pytest
from django.http import HttpResponse

from secure_django.csv import csv_response


def read(response: HttpResponse) -> list[list[str]]:
    text = response.content.decode("utf-8-sig")
    return list(csv.reader(StringIO(text, newline="")))


def test_export_keeps_words_and_numbers() -> None:
    rows: list[list[object]] = [
        ["name", "price"],
        ['Ann\'s "note"; well-known', -5],
        ["Zoë\nann@a.example", Decimal("-1.50")],
    ]
    response = csv_response("notes, 2026", rows)
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    header = response.headers["Content-Disposition"]
    assert header == 'attachment; filename="notes, 2026.csv"'
    assert read(response) == [[str(value) for value in row] for row in rows]


def test_half_a_character_is_replaced() -> None:
    response = csv_response("a\ud800", [["b\udfffc", "\ud83d\ude00", "😀"]])
    assert read(response) == [["b\ufffdc", "\ufffd\ufffd", "😀"]]
    assert "%EF%BF%BD.csv" in response.headers["Content-Disposition"]


@pytest.mark.control("V1.2.10")
@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+41 79", "'+41 79"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1+1", "'\t'=1+1"),
        ("\rtext", "'\rtext"),
        (' "=1+1"', '\' "=1+1"'),
        ("＝1+1", "'＝1+1"),
        ("Ann;=HYPERLINK(A1)", "Ann;'=HYPERLINK(A1)"),
        ("Ann\n=1+1", "Ann\n'=1+1"),
        ("-5;=1+1", "'-5;'=1+1"),
    ],
)
def test_cell_is_no_formula(value: str, cell: str) -> None:
    assert read(csv_response("notes", [[value, 1]])) == [[cell, "1"]]
