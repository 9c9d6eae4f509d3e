"""What a project leaves out of the guard, and what it may not leave out silently."""

from pathlib import Path

import pytest

from tests.guard.running import edit, run_guard
from tests.guard.test_foreign import FOREIGN, ask_for_own, project

__all__ = ["project"]

pytestmark = pytest.mark.tier("whole")

DROP = "items[:] = [item for item in items if 'writing' not in item.nodeid]"
SKIP = "items[0].add_marker(pytest.mark.skip)"
HOOK = "import pytest\n\n\ndef pytest_collection_modifyitems(items):\n    {}\n"


def leave_out(project: Path, line: str) -> None:
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[tool.secure-django.left-out]\n{line}\n")


@pytest.mark.parametrize(
    ("line", "finding"),
    {
        '"/notes/<pk>/delete/" = "a partner asks it"': "/notes/<pk>/delete/",
        'staff = "they handle all notes"': "(staff)",
        'test_nobody_changes_what_belongs_to_others = "WHY"': "changes Note",
    }.items(),
)
def test_what_is_left_out_is_not_asked(line: str, finding: str, project: Path) -> None:
    assert finding in run_guard(FOREIGN)
    leave_out(project, line)
    report = run_guard(project)
    assert finding not in report
    assert "is left out" not in report
    assert "must run" not in report


@pytest.mark.parametrize(
    ("line", "finding"),
    {
        '"/nots/" = "WHY"': "/nots/ is left out, but there is no such page",
        'reviewer = "WHY"': "reviewer is left out, but there is no such person",
        'test_x = "WHY"': "test_x is left out, but there is no such test",
        'staff = ""': "staff is left out without a reason",
    }.items(),
)
def test_what_is_left_out_exists_and_has_a_reason(
    line: str, finding: str, project: Path
) -> None:
    leave_out(project, line)
    assert finding in run_guard(project)


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
