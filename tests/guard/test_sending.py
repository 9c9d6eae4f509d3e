"""What a request is: the names that its code reads."""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from secure_django.guard.sending import note_name

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
