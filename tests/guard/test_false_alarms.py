"""What only looks unsafe is no finding, and the unsafe form beside it is one.

`desk/` has both, as pairs of views.
"""

import re
import shutil

import pytest

from tests.guard.running import edit, run_guard
from tests.guard.test_foreign import FOREIGN

pytestmark = pytest.mark.tier("whole")

RULES = 'rules = ["csrf", "links", "lists"]\n'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what the guard says of the pairs."""
    project = tmp_path_factory.mktemp("pairs") / "project"
    shutil.copytree(FOREIGN, project)
    shutil.copytree(FOREIGN.with_name("desk"), project / "desk")
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(RULES)
    edit(
        project / "foreign_settings.py", '    "notes",\n', '    "notes",\n    "desk",\n'
    )
    path = '    path("desk/", include("desk.urls")),\n'
    urls = project / "foreign_urls.py"
    edit(urls, "urlpatterns = [\n", f"urlpatterns = [\n{path}")
    # As some editors write files.
    views = project / "desk" / "views.py"
    views.write_bytes(b"\xef\xbb\xbf" + views.read_bytes())
    return run_guard(project)


def said_of(page: str, report: str) -> str:
    """Return the lines of a report about a page."""
    route = rf"^.*/desk/{re.escape(page)} .*$"
    return "\n".join(re.findall(route, report, re.MULTILINE))


@pytest.mark.parametrize(
    ("harmless", "page", "finding"),
    [
        ("add/", "add-approved/", "lets a user set Task.is_approved"),
        ("export/", "", "shows all objects at once"),
        ("<pk>/comment/", "<pk>/close/", "changes Task of the owner"),
        (
            "<pk>/public/",
            "<pk>/public-with-author/",
            "Once Task.is_public is True, /desk/<pk>/public-with-author/ shows User",
        ),
        ("api/", "open-api/", "is csrf_exempt"),
        ("<pk>/public/", "of/<email>/", "has a user's email in its URL"),
    ],
)
def test_unsafe_view_alone_is_named(
    harmless: str, page: str, finding: str, report: str
) -> None:
    assert finding in said_of(page, report)
    assert not said_of(harmless, report)


def test_error_is_not_read_as_access(report: str) -> None:
    found = said_of("<pk>/broken/", report)
    assert "answers 500 (DoesNotExist in broken of desk/views.py)" in found
    assert "not 404" not in found


def test_parent_of_the_same_user_needs_no_exception(report: str) -> None:
    assert "lead to the same user" not in report


def test_row_to_paste_asks_for_the_answer_of_a_role(report: str) -> None:
    assert re.search(r"# route +anonym +owner +other +staff +helper", report)
    assert re.search(r"/desk/<pk>/new/ +log-in +200 +404 +404 +\?", report)
