"""The first hour of the guard, in a project that has neither a table nor objects."""

import re
import shutil
from pathlib import Path

import pytest

from tests.guard.running import edit, run_guard

PROJECT = Path(__file__).with_name("first_hour")
TABLES = {
    "boards/guard_table.py",
    "guard_table.py",
    "shop/tests/table.py",
}
SURVEY = "--guard-survey"
pytestmark = pytest.mark.tier("scheduled", "src/secure_django/guard/*")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return shutil.copytree(PROJECT, tmp_path / "project")


def sources(project: Path) -> dict[str, str]:
    files = project.rglob("*.py")
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    return {file.relative_to(project).as_posix(): text for file, text in texts.items()}


def lists_in(report: str) -> dict[str, list[str]]:
    """Return the pages of each list of a survey."""
    found = re.findall(r"^\d+ (.+):\n((?:    .+\n)+)", report, re.MULTILINE)
    return {name: pages.split("\n") for name, pages in found}


# What the holes lack, by the file: before, and after.
REPAIRS = {
    "boards/views.py": (
        "board__slug=board_slug)",
        "board__slug=board_slug, board__owner=request.user)",
    ),
    "project/views.py": ("number=number)", "number=number, customer=request.user)"),
    "shop/views.py": (
        "    model = Order\n",
        (
            "    model = Order\n\n"
            "    def get_queryset(self):\n"
            "        return self.request.user.order_set.all()\n\n"
        ),
    ),
}
# No key leads from these to a user.
CATALOGUE = """
COMMON = {"shop.Book": "all read the catalogue"}
OWNED = {"shop.Item": "only its book is shown"}
"""
OPEN = "log-in 200    200"
CLOSED = "log-in 200    404"


def row(route: str, answers: str) -> str:
    return f"{route:<44} {answers}"


def close_holes(project: Path) -> None:
    for name, (before, after) in REPAIRS.items():
        edit(project / name, before, after)


def correct_rows(project: Path) -> None:
    """Do what the findings ask for."""
    edit(project / "boards/guard_table.py", OPEN, CLOSED)
    edit(project / "guard_table.py", OPEN, CLOSED)
    table = project / "shop/tests/table.py"
    orders = row("/shop/orders/<number>/", f"{OPEN}    200")
    edit(table, orders, row("/shop/orders/<number>/", f"{CLOSED}    404"))
    books = row("/shop/books/<pk>/", f"{OPEN}    200")
    edit(table, books, f"{books}  # all: page: all read the catalogue")
    append(table, CATALOGUE)
    packed = row("/shop/packed/<pk>/", "log-in 404    404    200")
    edit(table, packed, f"{packed}  # packer: message: it goes onto the box")


def test_survey_says_who_opens_what_and_writes_the_tables(project: Path) -> None:
    before = sources(project)
    report = run_guard(project, SURVEY)
    assert "not complete" not in report
    assert lists_in(report) == {
        "open to everybody": ["    /boards/", ""],
        "open to any user": [
            "    /boards/<board_slug>/cards/<pk>/",
            "    /receipts/<number>/",
            "    /shop/books/<pk>/",
            "    /shop/orders/<number>/",
            "",
        ],
        "open to their owner only": [
            "    /boards/<board_id>/cards/<card_id>/delete/",
            "    /boards/<slug>/",
            "",
        ],
        "open to some others only": ["    /shop/packed/<pk>/  packer", ""],
    }
    assert (
        "Read boards/guard_table.py, shop/tests/table.py, guard_table.py, then"
        in report
    )
    surveyed = sources(project)
    assert surveyed.keys() - before.keys() == TABLES
    assert '''
# To be decided:
# - /boards/<board_slug>/cards/<pk>/ is open to others (other): is it meant to be?

ROWS = """
# route                                      anonym owner  other
/boards/                                     200    200    200
/boards/<board_id>/cards/<card_id>/delete/   log-in away   404
/boards/<board_slug>/cards/<pk>/             log-in 200    200
/boards/<slug>/                              log-in 200    404
"""
''' in surveyed["boards/guard_table.py"]
    second_report = run_guard(project, SURVEY)
    assert "Every page has a row: run pytest." in second_report
    assert sources(project) == surveyed


def test_guard_is_red_after_the_survey_until_its_messages_are_obeyed(
    project: Path,
) -> None:
    run_guard(project, SURVEY)
    report = run_guard(project)
    assert "/boards/<board_slug>/cards/<pk>/ shows Card.text (other)" in report
    assert "/shop/orders/<number>/ shows Order.message (other)" in report
    assert "/receipts/<number>/ gives others what is the owner's (other)" in report
    assert "was not made" not in report
    assert "no key leads from shop.Book to a user" in report
    close_holes(project)
    correct_rows(project)
    repaired_report = run_guard(project)
    assert " passed" in repaired_report
    assert " failed" not in repaired_report, repaired_report


# What the guard cannot make or guess, and a page that fails.
HARD_MODEL = """

class Invoice(models.Model):
    customer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    text = models.TextField()

    def save(self, *args: object, **options: object) -> None:
        raise ValueError("The bank makes invoices.")
"""
HARD_VIEWS = """

def show_week(request: object, code: str) -> HttpResponse:
    return HttpResponse({"w1": "Monday"}[code])


def fail(request: object) -> HttpResponse:
    return HttpResponse({}["key"])
"""
HARD_PATHS = """urlpatterns = [
    path("weeks/<str:code>/", views.show_week),
    path("fail/", views.fail),
"""
OBJECTS = """

def objects(owner):
    from shop.models import Invoice

    Invoice.objects.bulk_create([Invoice(customer=owner, text="12")])
    return {"code": "w1"}
"""


def make_hard(project: Path) -> None:
    append(project / "shop/models.py", HARD_MODEL)
    append(project / "shop/views.py", HARD_VIEWS)
    edit(project / "shop/urls.py", "urlpatterns = [\n", HARD_PATHS)


def append(file: Path, text: str) -> None:
    with file.open("a", encoding="utf-8") as opened:
        opened.write(text)


def test_what_the_guard_cannot_make_or_guess_is_said_until_objects_makes_it(
    project: Path,
) -> None:
    make_hard(project)
    append(project / "pyproject.toml", 'apps = ["shop"]\n')
    report = run_guard(project, SURVEY)
    lists = lists_in(report)
    assert lists["answer with an error"] == ["    /shop/fail/  KeyError", ""]
    unknown = "need a value that could not be guessed"
    assert lists[unknown] == ["    /shop/weeks/<code>/  code", ""]
    assert "Invoice of shop: ValueError: The bank makes invoices." in report
    assert "/boards/" not in report
    table = project / "shop/tests/table.py"
    text = table.read_text(encoding="utf-8")
    assert "# - /shop/weeks/<code>/: which code? Let objects(owner) return it." in text
    assert "# - /shop/fail/ answers 500 (KeyError): repair it, and write" in text
    named = "Invoice of shop was not made: ValueError: The bank makes invoices."
    assert named in run_guard(project)
    append(table, OBJECTS)
    second_report = run_guard(project, SURVEY)
    assert unknown not in second_report
    assert "Invoice" not in second_report
    week = row("/shop/weeks/<code>/", "200    200    200    200")
    assert (
        f"Paste these rows into ROWS of shop/tests/table.py:\n{week}" in second_report
    )


# Everything in one file, with a fixture and an object of each app.
ROOT_TABLE = """
from typing import Any

from shop.models import Order, Book

FIXTURES = ["books.json"]


def make_order(owner: Any) -> list[Order]:
    book = Book.objects.get(isbn="1")
    return [Order.objects.create(customer=owner, packer=owner, book=book, size=12)]


OBJECTS = {"shop": make_order}
ROWS = '''
/boards/                                   200    200 200
/boards/<board_id>/cards/<card_id>/delete/ log-in away 404
/boards/<board_slug>/cards/<pk>/           log-in 200 200
/boards/<slug>/                            log-in 200 404
/receipts/<number>/                        log-in 200 200
/shop/*                                    log-in 200 200
'''
SAME_USER = {"Order.packer"}
"""
BOOKS = """[
  {"model": "shop.item", "pk": 7, "fields": {"name": "One"}},
  {"model": "shop.book", "pk": 7, "fields": {"isbn": "1"}}
]"""


def test_project_says_everything_in_one_table(project: Path) -> None:
    (project / "shop/fixtures").mkdir()
    (project / "shop/fixtures/books.json").write_text(BOOKS, encoding="utf-8")
    (project / "guard_table.py").write_text(ROOT_TABLE, encoding="utf-8")
    report = run_guard(project)
    assert "has no table" not in report
    assert "of shop was not made" not in report
    assert "/boards/<board_slug>/cards/<pk>/ shows Card.text (other)" in report
    assert "/shop/packed/<pk>/ answers 200, not 404 (other)" not in report
    before = sources(project)
    run_guard(project, SURVEY)
    assert sources(project) == before


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "pyproject.toml",
            'apps = ["shpo"]',
            "[tool.secure-django.guard] has no shpo.",
        ),
        ("guard_table.py", "OBJECTS = {'shpo': print}", "OBJECTS names no app: shpo."),
    ],
)
def test_unknown_app_is_refused(
    name: str, text: str, expected: str, project: Path
) -> None:
    append(project / name, f"{text}\n")
    assert expected in run_guard(project)


def test_survey_says_what_a_project_lacks_for_it(project: Path) -> None:
    edit(project / "pyproject.toml", "[tool.secure-django.guard]\n", "")
    expected = "Add the table [tool.secure-django.guard] to pyproject.toml first."
    assert expected in run_guard(project, SURVEY)


def test_pages_beside_the_settings_are_the_project_s(project: Path) -> None:
    """A package that others install has its settings in a folder of its tests."""
    edit(project / "project/settings.py", "parents[1]", "parent")
    assert "8 pages, each asked as every person:" in run_guard(project, SURVEY)


def test_survey_says_where_it_has_found_no_page(project: Path) -> None:
    append(project / "pyproject.toml", 'apps = ["members"]\n')
    expected = "No page is asked: apps in pyproject.toml names members alone."
    assert expected in run_guard(project, SURVEY)


def test_survey_that_is_left_out_is_said(project: Path) -> None:
    report = run_guard(project, SURVEY, "-k", "nothing")
    assert "The survey did not run." in report
