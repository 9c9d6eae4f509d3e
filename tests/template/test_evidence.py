"""The guide for auditors: how to collect the evidence of projects, and compare it.

tests/controls/test_evidence.py has what a run writes.
"""

import json
import os
import re
from pathlib import Path

import pytest

from secure_django.fleet.problems import Kind
from tests.support.baking import ALL_ON, Project, run
from tests.support.evidence import (
    BEHIND,
    CONTROL,
    DIRTY,
    EDITED,
    GUIDE,
    LEFT_OUT,
    MISSING,
    NAMES,
    OLD,
    PARTIAL,
    RED,
    SKIPPED_CONTROL,
    UNLISTED,
    UNMARKED,
    VULNERABLE,
    compare,
    compare_fleet,
    green,
    of_folder,
    write_fleet,
)
from tests.support.small_project import SmallProject, copy_package

pytestmark = pytest.mark.tier("whole")

PLANTED = """
import pytest

@pytest.mark.control("V3.3.2")
@pytest.mark.parametrize("value", [1, 2])
def test_fails_once(value: int) -> None:
    assert value == 1

@pytest.mark.control("V8.2.1")
def test_is_skipped() -> None:
    pytest.skip("needs PostgreSQL")
"""
GH = """\
#!/bin/sh
case "$1 $2" in
    "run list") [ "$8" = main ] && echo "run of $4" ;;
    "run download")
        [ "$3" = "run of $5" ] && mkdir -p "$9" &&
            cp "{evidence}" "$9/controls.json" ;;
esac
"""


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file that a project's tests write.

    A test of V3.3.2 fails, and one of V8.2.1 is skipped.
    """
    folder = tmp_path_factory.mktemp("evidence")
    copy_package(folder / "package")
    project = SmallProject(folder / "small-site", folder / "package")
    project.write("tests/test_planted.py", PLANTED)
    result = project.run()
    assert "\n1 red: V3.3.2\n1 not shown: V8.2.1\n" in result.output
    return project.folder / "reports" / "controls.json"


def test_guide_shows_every_name_of_the_evidence(evidence: Path) -> None:
    content = json.loads(evidence.read_text(encoding="utf-8"))
    example = json.loads(re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)[0])
    assert set(content) == set(example)
    assert set(content["controls"][0]) == set(example["controls"][0])


def test_guide_collects_and_compares_evidence(
    evidence: Path, tmp_path: Path, pristine: Project
) -> None:
    workflow = (pristine(ALL_ON) / ".github" / "workflows" / "ci.yml").read_text(
        encoding="utf-8"
    )
    assert "name: controls-${{ matrix.python }}\n" in workflow
    (newest,) = set(re.findall(r"(?:--name controls-|%5B)(3\.\d+)", GUIDE))
    assert f'"{newest}"]' in workflow
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH.format(evidence=evidence), encoding="utf-8")
    (tmp_path / "bin" / "gh").chmod(0o755)
    collect = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)[0]
    run(
        tmp_path,
        "bash",
        "-c",
        collect,
        PATH=f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
    )
    files = sorted((tmp_path / "evidence").rglob("controls.json"))
    assert [it.parent.name for it in files] == ["shop", "site"]
    content = json.loads(evidence.read_text(encoding="utf-8"))
    for file in files:
        own = of_folder(content, file.parent) | {"commit": None}
        file.write_text(json.dumps(own), encoding="utf-8")
    outcome = compare(tmp_path)
    assert outcome.returncode == 1
    problems = "1 + 1  V3.3.2 red, V8.2.1 not shown, it names no commit\n"
    assert outcome.stdout.count(problems) == 2
    for file in files:
        own = of_folder(green(content), file.parent)
        file.write_text(json.dumps(own), encoding="utf-8")
    outcome = compare(tmp_path)
    assert outcome.returncode == 0
    assert len(outcome.stdout.splitlines()) == len(files)


def test_page_of_fifty_projects_names_each_problem(
    evidence: Path, tmp_path: Path
) -> None:
    write_fleet(tmp_path, json.loads(evidence.read_text(encoding="utf-8")))
    outcome = compare_fleet(tmp_path)
    assert outcome.returncode == 1, outcome.stderr
    lines = outcome.stdout.splitlines()
    assert len(lines) == len(NAMES) == 50
    found = {line.split()[0]: line.rsplit("  ", 1)[1] for line in lines[:12]}
    found[OLD] = found[OLD].partition(" than ")[0]
    assert found == {
        VULNERABLE: (
            "GHSA-2222-3333-4444 is open: The place of a photo is kept; fixed in 1.0.2"
        ),
        EDITED: "its copy of secure-django is not the release's: 1.0.2+vendored",
        UNMARKED: "tests/test_shop.py::test_price failed, which shows no control",
        RED: f"{CONTROL} red",
        SKIPPED_CONTROL: f"{CONTROL} not shown",
        UNLISTED: f"{CONTROL} not listed",
        DIRTY: "files were changed after the commit",
        PARTIAL: "some of the tests ran, not all: run `uv run poe test`",
        OLD: "older",
        MISSING: "no evidence",
        BEHIND: "has 1.0.0, and 1.0.1 is expected",
        LEFT_OUT: "test_texts_are_limited is left out: the archive has long texts",
    }
    assert not any("  V" in line for line in lines[12:])
    page = (tmp_path / "evidence.html").read_text(encoding="utf-8")
    assert "<h1>50 projects, 11 with problems</h1>" in page
    rows = re.findall(r"<tr(?: class=(\w+))?><td>([^<]+)<td>.*</tr>", page)
    assert [name for _, name in rows] == [line.split()[0] for line in lines]
    assert {name for kind, name in rows if kind} == set(found)
    kinds = [kind for kind, _ in rows if kind]
    assert list(dict.fromkeys(kinds)) == [kind.name.lower() for kind in Kind]


def test_page_shows_names_as_text(evidence: Path, tmp_path: Path) -> None:
    content = green(json.loads(evidence.read_text(encoding="utf-8")))
    folder = tmp_path / "evidence" / "<b>site"
    folder.mkdir(parents=True)
    content = of_folder(content, folder) | {"left_out": {"x": "<script>"}}
    (folder / "controls.json").write_text(json.dumps(content), encoding="utf-8")
    assert compare(tmp_path).returncode == 0
    page = (tmp_path / "evidence.html").read_text(encoding="utf-8")
    assert "<td>&lt;b&gt;site<td>" in page
    assert "<li>x is left out: &lt;script&gt;" in page
