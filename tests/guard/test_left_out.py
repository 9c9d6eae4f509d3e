"""What a project leaves out of the guard, and what it may not leave out silently."""

from pathlib import Path

import pytest

from tests.guard.running import edit, run_guard
from tests.guard.test_foreign import ask_for_own, findings_in, project

__all__ = ["project"]

pytestmark = pytest.mark.tier("whole")

DROP = "items[:] = [item for item in items if 'writing' not in item.nodeid]"
SKIP = "items[0].add_marker(pytest.mark.skip)"
HOOK = "import pytest\n\n\ndef pytest_collection_modifyitems(items):\n    {}\n"


def leave_out(project: Path, *lines: str) -> None:
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n".join(["", "[tool.secure-django.left-out]", *lines, ""]))


def test_what_is_left_out_is_not_asked(project: Path) -> None:
    """Without it, test_foreign.py finds something in each."""
    leave_out(
        project,
        '"/notes/<pk>/" = "a partner opens it"',
        'staff = "they handle all notes"',
        'test_every_url_answers_as_the_access_table_says = "the table is old"',
    )
    report = run_guard(project)
    assert findings_in(report) == {
        "POST /notes/<pk>/delete/ answers away, not 404 (other)",
        "POST /notes/<pk>/delete/ changes Note of the owner (other)",
    }
    assert "3 left out by pyproject.toml: /notes/<pk>/, staff, test_every_" in report
    assert "must run" not in report


def test_what_is_left_out_exists_and_has_a_reason(project: Path) -> None:
    leave_out(
        project,
        '"/nots/" = "WHY"',
        'reader = "WHY"',
        'test_x = "WHY"',
        'staff = ""',
    )
    report = run_guard(project)
    assert "/nots/ is left out, but there is no such page" in report
    assert "reader is left out, but there is no such person" in report
    assert "test_x is left out, but there is no such test" in report
    assert "staff is left out without a reason" in report


@pytest.mark.parametrize(
    ("code", "reason"), {DROP: "was deselected", SKIP: "was skipped"}.items()
)
def test_test_that_a_hook_takes_away_is_named(
    code: str, reason: str, project: Path
) -> None:
    ask_for_own(project)
    (project / "conftest.py").write_text(HOOK.format(code), encoding="utf-8")
    report = run_guard(project)
    assert " failed" not in report
    assert reason in report
    assert "Each test of the guard must run" in report


def test_own_urls_with_the_name_of_the_admins_are_asked(project: Path) -> None:
    edit(
        project / "notes" / "urls.py", "urlpatterns", 'app_name = "admin"\nurlpatterns'
    )
    edit(project / "foreign_urls.py", '    path("admin/", admin.site.urls),\n', "")
    report = run_guard(project)
    assert "POST /notes/<pk>/delete/ changes Note of the owner (other)" in report
