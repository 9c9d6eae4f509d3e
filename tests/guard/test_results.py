"""What the tests of the guard hand to the run."""

import json
from types import SimpleNamespace
from typing import Any

from secure_django.guard.accepted import NOTHING
from secure_django.guard.record import PROPERTY, Asked
from secure_django.guard.results import Records

TEST = "secure_django/guard/test_reading.py::test_no_page[other]"


def report(nodeid: str = TEST, *, failed: bool = False, **values: Any) -> Any:
    """Return what pytest says of a test that asked one request, of two tests."""
    record = {
        "collected": 2,
        "is_whole": True,
        "found": [],
        "asked": [["/n/", "other", "GET", 1]],
    }
    properties = [(PROPERTY, json.dumps(record | values))]
    return SimpleNamespace(
        nodeid=nodeid, when="call", failed=failed, user_properties=properties
    )


def records_of(*reports: Any) -> Records:
    records = Records()
    for each in reports:
        records.add(each)
    return records


def test_run_is_complete_once_each_test_has_ended() -> None:
    assert not Records().is_complete
    assert not records_of(report()).is_complete
    assert records_of(report(), report("other")).is_complete
    assert not records_of(report(), report("other", is_whole=False)).is_complete


def test_run_with_an_error_is_not_complete() -> None:
    found = [["/n/ shows Note.text", ["other"], ""]]
    red = report("other", failed=True, found=found)
    assert records_of(report(), red).is_complete
    broken = report(failed=True)
    assert not records_of(broken, report("other")).is_complete
    unreadable = records_of(report(), report("other"))
    unreadable.add_error(broken)
    assert not unreadable.is_complete


def test_requests_of_all_tests_are_added_up() -> None:
    records = records_of(report(), report("other"))
    assert records.asked() == {Asked("/n/", "other", "GET"): 2}


def test_hidden_findings_are_listed_by_their_entry() -> None:
    sentence = "/n/ shows Note.text"
    found = [[sentence, ["other"], ""], [sentence, ["staff"], "TRUSTED staff"]]
    results = records_of(report(failed=True, found=found)).results(NOTHING)
    assert [str(part) for part in results.new[0].parts] == [f"{sentence} (other)"]
    (hidden,) = results.hidden["TRUSTED staff"]
    assert hidden.people == ["staff"]
    assert results.lines == {sentence: {"other"}}
