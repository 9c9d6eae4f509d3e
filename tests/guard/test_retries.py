"""A value that makes a view fail hides nothing of what it does with the others."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from secure_django.guard.retries import Search
from tests.guard.running import edit, run_guard
from tests.guard.test_foreign import ask_for_own, findings_in, project

__all__ = ["project"]

WHOLE = pytest.mark.tier("whole")
CHANGES = "POST /notes/move/ changes Note of the owner (other)"
SHOWS = "/notes/move/ shows Note.title (other)"
FIELD_ERROR = """
    for name in request.POST.getlist("order"):
        list(Note.objects.order_by(name))
    Note.objects.filter(pk=request.POST["pk"]).update(title=request.POST["title"])
    return redirect("/notes/")
"""
CAUGHT_EXCEPTION = """
    try:
        text = {"bold": "**"}[request.POST.get("weight", "bold")]
        Note.objects.filter(pk=request.POST["pk"]).update(text=text)
    except Exception:
        return redirect("/notes/?sorry")
    return redirect("/notes/")
"""
TWO_VALUES = """
    for name in request.POST.getlist("order"):
        list(Note.objects.order_by(name))
    int(request.POST.get("size", 1))
    Note.objects.filter(pk=request.POST.get("pk", 0)).delete()
    return redirect("/notes/")
"""
JSON = """
    values = json.loads(request.body)
    list(Note.objects.order_by(values.get("order", "pk")))
    Note.objects.filter(pk=values["pk"]).update(title=values["title"])
    return redirect("/notes/")
"""
QUERY = """
    list(Note.objects.order_by(request.GET.get("order", "pk")))
    title = ""
    if "kind" in request.GET:
        title = Note.objects.filter(pk=request.GET.get("note", 0)).values("title")
    return HttpResponse(str(list(title)))
"""
VIEW = "\n\n@require_{method}\n@login_required\ndef move(request):\n{body}"


@WHOLE
@pytest.mark.parametrize(
    ("method", "body", "finding"),
    [
        ("POST", FIELD_ERROR, CHANGES),
        ("POST", CAUGHT_EXCEPTION, CHANGES),
        ("POST", TWO_VALUES, CHANGES),
        ("POST", JSON, CHANGES),
        ("GET", QUERY, SHOWS),
    ],
)
def test_first_error_hides_nothing(
    method: str, body: str, finding: str, project: Path
) -> None:
    ask_for_own(project)
    notes = project / "notes"
    views = notes / "views.py"
    text = views.read_text(encoding="utf-8") + VIEW.format(method=method, body=body)
    views.write_text(f"import json\n{text}", encoding="utf-8")
    edit(notes / "urls.py", "patterns = [", 'patterns = [path("move/", views.move),')
    row = "/notes/move/  log-in away away away\n/notes/<pk>/delete/"
    edit(notes / "tests" / "table.py", "/notes/<pk>/delete/", row)
    assert finding in findings_in(run_guard(project))


@pytest.mark.parametrize(
    ("culprits", "needed"), [("a", ""), ("ab", ""), ("", ""), ("a", "b"), ("abc", "")]
)
def test_culprits_are_found(culprits: str, needed: str) -> None:
    """Without what is needed, each request fails, as with a culprit."""
    sender: Any = SimpleNamespace(names={"/": {*"abc"}}, file_names={"/": set()})

    def fails(names: set[str]) -> bool:
        return bool(names & {*culprits}) or not names >= {*needed}

    found = Search(sender, "/", {*"abcd"}, fails).find()
    assert found == (set(culprits) or {"a"})


def test_view_that_reads_more_without_a_value_is_followed() -> None:
    """It stops at `a`, before it reads `b`, which makes it fail as well."""
    sender: Any = SimpleNamespace(names={"/": {"a"}}, file_names={"/": set()})

    def fails(names: set[str]) -> bool:
        if "a" not in names:
            sender.names["/"].add("b")
        return bool(names & {"a", "b"})

    assert Search(sender, "/", {*"abcd"}, fails).find() == {"a", "b"}
