"""What a request is: the names that its code reads, and what its page writes."""

from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from secure_django.guard.sending import note_name
from tests.guard.running import edit, run_guard
from tests.guard.test_foreign import project

__all__ = ["project"]

MIDDLEWARE = """
def count_visits(get_response):
    def count(request):
        Note.objects.filter(pk=0).update(title="seen")
        return get_response(request)

    return count
"""
CHANGE = "changes Note: do so by POST"

FILE = SimpleUploadedFile("paper.pdf", b"")


@pytest.mark.parametrize(
    ("values", "names", "file_names"),
    [
        (QueryDict("q=1"), {"q"}, set()),
        (MultiValueDict({"paper": [FILE]}), set(), {"q"}),
        (MultiValueDict(), set(), {"q"}),
        (MultiValueDict({"log-in": [("/enter/", {})]}), set(), set()),
    ],
)
def test_names_are_those_of_a_query_a_form_or_files(
    values: Any, names: set[str], file_names: set[str]
) -> None:
    sender: Any = SimpleNamespace(
        path="/",
        names=defaultdict(set),
        file_names=defaultdict(set),
        has_read=False,
    )
    note_name("q", values, "__getitem__", sender)
    assert sender.names["/"] == names
    assert sender.file_names["/"] == file_names
    assert sender.has_read is bool(names or file_names)


@pytest.mark.tier("scheduled", "src/secure_django/guard/*")
def test_what_middleware_writes_at_each_request_is_no_change_by_a_page(
    project: Path,
) -> None:
    views = project / "notes" / "views.py"
    text = views.read_text(encoding="utf-8")
    views.write_text(f"{text}\n{MIDDLEWARE}", encoding="utf-8")
    settings = project / "foreign_settings.py"
    edit(
        settings,
        "MIDDLEWARE = [\n",
        'MIDDLEWARE = [\n    "notes.views.count_visits",\n',
    )
    assert CHANGE not in run_guard(project)
    line = '    Note.objects.filter(pk=0).update(text="read")\n    notes = '
    edit(views, "    notes = ", line)
    assert CHANGE in run_guard(project)
