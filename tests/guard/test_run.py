"""What a run with the guard says at its end, accepts, and writes."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.guard.running import edit, run_guard
from tests.guard.test_foreign import FOREIGN

pytestmark = pytest.mark.tier("scheduled", "src/secure_django/guard/*")

ACCEPTED = "guard_accepted.txt"
NO_WEAKNESS = "The guard found no new weakness"
READERS = "    readers = models.ManyToManyField(settings.AUTH_USER_MODEL, {})\n"
TWO_OBJECTS = """
def objects(owner: Any, reader: Any) -> dict[str, Any]:
    note = Note.objects.create(author=owner, title="Milk", text="Oats")
    note.readers.add(reader)
    return {"pk": note.pk}
"""
VOID = {"meta"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return shutil.copytree(FOREIGN, tmp_path / "foreign")


def section_of(report: str) -> str:
    """Return what the run says at its end, whatever the times."""
    section = report.partition(" The guard found ")[2]
    return section.partition("short test summary")[0].partition(" passed in ")[0]


def add_to_table(project: Path, line: str) -> None:
    table = project / "notes" / "tests" / "table.py"
    with table.open("a", encoding="utf-8") as file:
        file.write(f"\n\n{line}\n")


def open_note_to(project: Path, *, other: int, staff: int) -> None:
    """Let the row of a note say who opens it."""
    table = project / "notes" / "tests" / "table.py"
    row = "/notes/<pk>/             log-in 200  {}  {}\n"
    edit(table, row.format(404, 404), row.format(other, staff))


def accepted_lines(project: Path) -> list[str]:
    lines = (project / ACCEPTED).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def report_of(project: Path) -> dict[str, Any]:
    text = (project / "out" / "guard.json").read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text)
    return values


def hidden_by(report: dict[str, Any], entry: str) -> list[str]:
    """Return the sentences that an entry of a table hides."""
    (hidden,) = [it for it in report["hidden"] if it["entry"] == entry]
    return [text for it in hidden["weaknesses"] for text in it["sentences"]]


class Checker(HTMLParser):
    """Note the tags that are open, and those that load something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "link", "img"}
        assert not {"src", "href"} & dict(attrs).keys()
        self.headings += [tag] if re.fullmatch(r"h\d", tag) else []
        if tag not in VOID and tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_run_says_each_weakness_once_with_and_without_xdist(project: Path) -> None:
    section = section_of(run_guard(project))
    # The worst first, with the place of its view.
    assert re.search(
        r"1\. notes/views.py:25 /notes/<pk>/delete/ \(other, staff\)", section
    )
    assert re.search(r"2\. notes/views.py:18 /notes/<pk>/ \(other, staff\)", section)
    assert "3." not in section
    assert section.count("shows Note.text") == 1
    assert section.count("Let the view, and the queryset of each choice") == 1
    assert section_of(run_guard(project, "-n2")) == section


def test_report_is_for_people_programs_and_platforms(project: Path) -> None:
    shown = run_guard(project, "--guard-report=out", GITHUB_ACTIONS="true")
    report = report_of(project)
    assert report["complete"]
    assert report["result"] == "red"
    assert [it["file"] for it in report["weaknesses"]] == ["notes/views.py"] * 2
    assert {"route": "/notes/", "person": "other", "method": "POST", "number": 1} in (
        report["requests"]
    )
    assert "/admin/" in report["left_out"]["pages"]
    checker = Checker()
    page = (project / "out" / "guard.html").read_text(encoding="utf-8")
    checker.feed(page)
    assert not checker.open
    assert checker.headings[0] == "h1"
    assert "/notes/&lt;pk&gt;/ shows Note.text" in page
    issues = (project / "out" / "gl-code-quality-report.json").read_text("utf-8")
    assert len(json.loads(issues)) == 2
    commands = [line for line in shown.splitlines() if line.startswith("::error ")]
    assert [line.partition(",title")[0] for line in commands] == [
        "::error file=notes/views.py,line=25",
        "::error file=notes/views.py,line=18",
    ]


def test_accepted_project_is_green_until_something_is_new(project: Path) -> None:
    assert "-k and other choices" in run_guard(project, "--guard-accept", "-k", "test")
    assert "-k and other choices" in run_guard(project, "--guard-accept", "notes")
    assert not (project / ACCEPTED).exists()
    assert " failed" not in run_guard(project, "--guard-accept")
    assert "/notes/<pk>/ shows Note.text (other, staff)" in accepted_lines(project)
    report = run_guard(project, "-n2")
    assert NO_WEAKNESS in report
    assert f"2 weaknesses are accepted in {ACCEPTED}" in report
    assert " failed" not in report
    edit(project / ACCEPTED, "Note.text (other, staff)", "Note.text (other) # WHY")
    report = run_guard(project)
    assert "/notes/<pk>/ shows Note.text (staff)" in report
    assert "/notes/<pk>/ shows Note.text (other)" not in report
    run_guard(project, "--guard-accept")
    reason = "/notes/<pk>/ shows Note.text (other, staff) # WHY"
    assert reason in accepted_lines(project)


@pytest.mark.parametrize("option", ["-n0", "-n2"])
def test_stale_line_is_red_in_a_whole_run_alone(option: str, project: Path) -> None:
    run_guard(project, "--guard-accept")
    with (project / ACCEPTED).open("a", encoding="utf-8") as file:
        file.write("/gone/ shows Note.text (other)\n")
    stale = "/gone/ shows Note.text (other) no longer occurs: delete the line"
    report = run_guard(project, option, "--guard-report=out")
    assert stale in report
    assert report_of(project)["result"] == "red"
    assert stale not in run_guard(project, option, "-k", "test_nobody_changes")


def test_trusted_person_reads_and_changes_nothing(project: Path) -> None:
    add_to_table(project, 'TRUSTED = {"staff": "support answers for all notes"}')
    open_note_to(project, other=404, staff=200)
    section = section_of(run_guard(project, "--guard-report=out"))
    assert "TRUSTED staff hides 1 weakness" in section
    assert "/notes/<pk>/ (other)" in section
    assert "/notes/<pk>/delete/ (other, staff)" in section
    assert hidden_by(report_of(project), "TRUSTED staff") == [
        "/notes/<pk>/ shows Note.text (staff)",
        "/notes/<pk>/ shows Note.title (staff)",
        "/notes/<pk>/ gives others what is the owner's (staff)",
    ]


def test_common_rows_are_read_and_not_changed_by_all(project: Path) -> None:
    add_to_table(project, 'COMMON = {"notes.Note": "all read all notes"}')
    section = section_of(run_guard(project, "--guard-report=out"))
    assert "shows Note" not in section
    assert "changes Note of the owner" in section
    assert "/notes/<pk>/ shows Note.text (other, staff)" in hidden_by(
        report_of(project), "COMMON notes.Note"
    )


def test_shared_row_is_read_by_those_whom_its_path_names(project: Path) -> None:
    edit(
        project / "notes" / "models.py",
        "\n    def __str__",
        f"{READERS}\n    def __str__",
    )
    edit(project / "notes" / "models.py", "{}", 'related_name="read"')
    table = project / "notes" / "tests" / "table.py"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.partition("\n\ndef objects")[0] + TWO_OBJECTS, "utf-8")
    add_to_table(project, 'SHARED_BY = {"notes.Note": "readers"}')
    section = section_of(run_guard(project, "--guard-report=out"))
    assert "/notes/<pk>/delete/ (other, reader, staff)" in section
    assert "shows Note.text (other, staff)" in section
    hidden = hidden_by(report_of(project), "SHARED_BY notes.Note")
    assert "/notes/<pk>/ shows Note.text (reader)" in hidden


def test_entry_that_hides_nothing_is_red(project: Path) -> None:
    add_to_table(project, 'SHARED_BY = {"notes.Note": "author"}')
    run_guard(project, "--guard-accept")
    report = run_guard(project)
    assert " failed" not in report
    assert "SHARED_BY notes.Note hides nothing any more: delete it" in report
    assert "hides nothing" not in run_guard(project, "-k", "test_nobody_changes")


@pytest.mark.parametrize(
    ("line", "sentence"),
    {
        'TRUSTED = {"other": "WHY"}': "TRUSTED names other: write one of staff.",
        'TRUSTED = {"staff": " "}': 'no reason for staff: write {"staff": "WHY"}.',
        'COMMON = {"notes.Note"}': 'no reasons: write a dictionary, {"NAME": "WHY"}.',
        'COMMON = {"Note": "WHY"}': "COMMON names Note, which is no model: write",
        'COMMON = {"auth.User": "WHY"}': "no entry opens the rows of users",
        'SHARED_BY = {"notes.Note": "title"}': "leads to no users: write the fields",
        'RIGHTS = {"Note.review"}': "RIGHTS names Note.review, which is no field",
        'HASHED = {"Note.digest"}': "HASHED names Note.digest, which is no field",
    }.items(),
)
def test_wrong_entry_is_refused_with_what_to_write(
    line: str, sentence: str, project: Path
) -> None:
    add_to_table(project, line)
    report = run_guard(project)
    assert report.startswith("ERROR: ")
    assert sentence in report


def test_table_says_which_fields_are_rights(project: Path) -> None:
    models = project / "notes" / "models.py"
    fields = "    review = models.CharField(max_length=9, blank=True)\n"
    fields += "    is_billable = models.BooleanField(default=False)\n"
    edit(models, "\n    def __str__", f"{fields}\n    def __str__")
    views = project / "notes" / "views.py"
    with views.open("a", encoding="utf-8") as file:
        file.write(CHANGE)
    edit(
        project / "notes" / "urls.py",
        "urlpatterns = [",
        'urlpatterns = [path("<int:pk>/change/", views.change),',
    )
    table = project / "notes" / "tests" / "table.py"
    row = "/notes/<pk>/change/  log-in away 404 404\n/notes/<pk>/delete/"
    edit(table, "/notes/<pk>/delete/", row)
    before = run_guard(project, "-k", "test_nobody_changes and owner")
    assert "lets a user set Note.is_billable (owner)" in before
    assert "lets a user set Note.review" not in before
    add_to_table(project, 'RIGHTS = {"Note.review"}')
    add_to_table(project, 'NO_RIGHTS = {"Note.is_billable"}')
    after = run_guard(project, "-k", "test_nobody_changes and owner")
    assert "lets a user set Note.review (owner)" in after
    assert "lets a user set Note.is_billable" not in after


CHANGE = """

@require_POST
@login_required
def change(request, pk):
    note = get_object_or_404(Note, pk=pk, author=request.user)
    note.review = request.POST.get("review", "")[:9]
    note.is_billable = request.POST.get("is_billable") == "True"
    note.save()
    return redirect("/notes/")
"""


NUMBERS = """

def read_number(request):
    return int(request.GET.get("number", "x"))


@require_GET
def count(request):
    return HttpResponse(read_number(request))


@require_GET
def double(request):
    return HttpResponse(2 * read_number(request))
"""
FURTHER_URLS = """\
urlpatterns = [
    path("count/", views.count),
    path("double/", views.double),
    path("<int:pk>/read/", views.show),
"""
FURTHER_ROWS = """\
/notes/count/            200    200  200  200
/notes/double/           200    200  200  200
/notes/<pk>/read/        log-in 200  404  404
"""


def test_view_at_two_urls_and_function_of_two_views_are_one_weakness_each(
    project: Path,
) -> None:
    notes = project / "notes"
    with (notes / "views.py").open("a", encoding="utf-8") as file:
        file.write(NUMBERS)
    edit(notes / "urls.py", "urlpatterns = [\n", FURTHER_URLS)
    row = "/notes/<pk>/delete/ "
    edit(notes / "tests" / "table.py", row, FURTHER_ROWS + row)
    section = section_of(run_guard(project, "--guard-report=out"))
    _, shown, error = report_of(project)["weaknesses"]
    assert shown["routes"] == ["/notes/<pk>/", "/notes/<pk>/read/"]
    assert error["route"] == "/notes/count/"
    assert error["routes"] == ["/notes/count/", "/notes/double/"]
    # It says its own remedy, and none about who may open it.
    assert error["what_to_do"] == []
    assert "answers 500 (ValueError in read_number of notes/views.py)" in section
    assert "     also /notes/<pk>/read/\n" in section
    assert "     also /notes/double/\n" in section
    accept = run_guard(project, "--guard-accept")
    assert " failed" not in accept
    lines = accepted_lines(project)
    assert "/notes/<pk>/read/ shows Note.text (other, staff)" in lines
    assert " failed" not in run_guard(project)
