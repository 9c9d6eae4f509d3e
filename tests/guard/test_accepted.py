"""The file of the findings that a project has accepted."""

from pathlib import Path

from secure_django.guard.accepted import (
    FILE,
    Accepted,
    read_accepted,
    stale_lines,
    write_accepted,
)

SHOWN = "/n/ shows Note.text"


def accepted_by(root: Path, *lines: str) -> Accepted:
    (root / FILE).write_text("\n".join(lines), encoding="utf-8-sig")
    return read_accepted(root)


def test_project_without_the_file_accepts_nothing(tmp_path: Path) -> None:
    assert not read_accepted(tmp_path).covers(SHOWN, "other")


def test_line_covers_its_people_alone(tmp_path: Path) -> None:
    accepted = accepted_by(tmp_path, "# a comment", f"{SHOWN} (other, staff) # why", "")
    assert accepted.covers(SHOWN, "staff")
    assert not accepted.covers(SHOWN, "anonym")
    assert not accepted.covers(SHOWN, "")
    assert accepted.reasons == {SHOWN: "why"}


def test_line_without_people_covers_nobody(tmp_path: Path) -> None:
    accepted = accepted_by(tmp_path, SHOWN)
    assert accepted.covers(SHOWN, "")
    assert not accepted.covers(SHOWN, "other")


def test_line_may_name_a_method(tmp_path: Path) -> None:
    accepted = accepted_by(tmp_path, f"GET {SHOWN} (other)")
    assert accepted.covers(SHOWN, "other")


def test_written_file_is_sorted_and_keeps_reasons(tmp_path: Path) -> None:
    found = {SHOWN: {"staff", "other"}, "/a/ is csrf_exempt": set()}
    write_accepted(tmp_path, found, {SHOWN: "until May", "/gone/ is open": "no"})
    lines = (tmp_path / FILE).read_bytes().decode().split("\n")
    assert [line[:2] for line in lines[:2]] == ["# ", "# "]
    assert lines[2:] == [
        "/a/ is csrf_exempt",
        "/n/ shows Note.text (other, staff) # until May",
        "",
    ]
    assert read_accepted(tmp_path) == Accepted(found, {SHOWN: "until May"})


def test_what_no_longer_occurs_is_stale(tmp_path: Path) -> None:
    accepted = accepted_by(tmp_path, f"{SHOWN} (other, staff)", "notes has no table")
    assert list(stale_lines(accepted, {SHOWN: {"other"}})) == [
        f"{FILE}: {SHOWN} no longer occurs for staff: delete the name",
        f"{FILE}: notes has no table no longer occurs: delete the line",
    ]
    found = {SHOWN: {"anonym", "other", "staff"}, "notes has no table": set()}
    assert not list(stale_lines(accepted, found))
