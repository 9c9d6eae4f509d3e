"""Each kind of weakness is found in the unsafe view of a pair, and not in the other."""

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
    "links",
    "passwords",
    "quantities",
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


def said_of(page: str, report: str) -> str:
    """Return the lines of a report about a page."""
    return "\n".join(re.findall(rf"^.*/bank/{page}/.*$", report, re.MULTILINE))


@pytest.mark.parametrize(
    ("page", "finding"),
    {
        "page": "answers 500 (ValueError)",
        "day": "answers 500 (ValueError)",
        "api": "answers 500",
        "order": "stores a negative number as Order.quantity",
        "export": "writes a user's text as a formula",
        "tell": "shows the recipients of an email to each other",
        "leave": "deletes an account without its password",
        "remind": "says whether an email has an account",
        "voucher": "does the same when it is used again",
    }.items(),
)
def test_unsafe_view_alone_is_named(page: str, finding: str, report: str) -> None:
    assert finding in said_of(f"{page}-unsafe", report)
    assert finding not in said_of(page, report)
