"""Each kind of weakness is found in the unsafe view of a pair, and not in the other."""

import ast
import re
import shutil

import pytest

from tests.guard.running import edit, run_guard
from tests.guard.test_foreign import FOREIGN

pytestmark = pytest.mark.tier("scheduled", "src/secure_django/guard/*")

RULES = [
    "accounts",
    "emails",
    "errors",
    "exports",
    "limits",
    "links",
    "passwords",
    "quantities",
    "races",
    "secrets",
    "uploads",
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what the guard says of the pairs."""
    project = tmp_path_factory.mktemp("pairs") / "project"
    shutil.copytree(FOREIGN, project)
    shutil.copytree(FOREIGN.with_name("bank"), project / "bank")
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f"rules = {RULES}\n")
    settings = project / "foreign_settings.py"
    edit(settings, '    "notes",\n', '    "notes",\n    "bank",\n')
    path = '    path("bank/", include("bank.urls")),\n'
    urls = project / "foreign_urls.py"
    edit(urls, "urlpatterns = [\n", f"urlpatterns = [\n{path}")
    return run_guard(project)


def said_of_function(name: str, report: str) -> str:
    """Return the lines of a report about the code of a view."""
    code = FOREIGN.with_name("bank") / "views.py"
    parts = ast.parse(code.read_text("utf-8")).body
    functions = [part for part in parts if getattr(part, "name", "") == name]
    numbers = range(functions[0].lineno, (functions[0].end_lineno or 0) + 1)
    found = re.finditer(r"^.*bank/views\.py:(\d+) .*$", report, re.MULTILINE)
    return "\n".join(line[0] for line in found if int(line[1]) in numbers)


def said_of(page: str, report: str) -> str:
    """Return the lines of a report about a page."""
    return "\n".join(re.findall(rf"^.*/bank/{page}/.*$", report, re.MULTILINE))


@pytest.mark.parametrize(
    ("page", "finding"),
    [
        ("order", "stores 0 as Order.quantity"),
        ("api", "answers 500 (RecursionError in api_unsafe of bank/views.py)"),
        ("api", "answers 500 (UnicodeEncodeError in api_unsafe of bank/views.py)"),
        ("due", "answers 500 (OverflowError in show_due of bank/views.py)"),
        ("choose", "answers 500 (OverflowError in show_orders of bank/views.py)"),
        ("page", "answers 500 (ValueError in page_unsafe of bank/views.py)"),
        ("day", "answers 500 (ValueError in day_unsafe of bank/views.py)"),
        ("order", "stores a negative number as Order.quantity"),
        ("export", "writes a user's text as a formula"),
        ("tell", "shows the recipients of an email to each other"),
        ("leave", "deletes an account without its password"),
        ("remind", "says whether an email has an account"),
        ("voucher", "does the same when it is used again"),
        ("enroll", "sends a password by email"),
        ("count", "shows the text of an exception"),
        ("unlock", "lets token be guessed without end"),
        ("loop", "calculates for over 10 seconds"),
        ("file", "stores a file of any size"),
        ("back", "redirects to any site"),
        ("end", "logs out"),
    ],
)
def test_unsafe_view_alone_is_named(page: str, finding: str, report: str) -> None:
    assert finding in said_of(f"{page}-unsafe", report)
    assert finding not in said_of(page, report)


@pytest.mark.parametrize(
    ("name", "finding"),
    {
        "sell": "calculates each.quantity from what it has read",
        "bid": "looks for a Bid before it adds one",
        "book": "sets seat.is_taken, for which it has asked before",
        "unlock": "compares a secret by ==",
        "look": "reads a secret from a query",
    }.items(),
)
def test_unsafe_code_alone_is_named(name: str, finding: str, report: str) -> None:
    assert finding in said_of_function(f"{name}_unsafe", report)
    assert finding not in said_of_function(name, report)


def test_function_is_as_safe_as_those_that_call_it(report: str) -> None:
    assert "seat.is_taken" in said_of_function("book_unsafe", report)
    assert not said_of_function("take_seat", report)


def test_secret_without_an_end_is_named(report: str) -> None:
    assert "Feed.api_token never ends" in report
    assert "ShortFeed.api_token never ends" not in report
