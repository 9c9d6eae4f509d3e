"""What auditors get: reports/controls.json of a test run, and the guide to collecting it."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, ROOT, Answers, Project, name, run

pytestmark = pytest.mark.slow

GUIDE = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
PLANTED = """
import pytest

@pytest.mark.control("V3.3.1")
@pytest.mark.parametrize("value", [1, 2])
def test_passes(value: int) -> None:
    pass

@pytest.mark.control("V3.3.2")
@pytest.mark.parametrize("value", [1, 2])
def test_fails_once(value: int) -> None:
    assert value == 1

@pytest.mark.control("V3.3.3")
def test_is_skipped() -> None:
    pytest.skip("needs PostgreSQL")
"""
MORE = """
import pytest

def test_has_a_property(record_property) -> None:
    record_property("ticket", "A-1")

@pytest.mark.control("V3.3.1")
def test_passes() -> None:
    pass

@pytest.mark.control("V3.3.1")
@pytest.mark.xfail
def test_fails_as_expected() -> None:
    assert 1 == 2
"""
GH = """\
#!/bin/sh
case "$1 $2" in
    "run list") [ "$8" = main ] && echo "run of $4" ;;
    "run download") [ "$3" = "run of $5" ] && mkdir -p "$9" && cp "{evidence}" "$9/controls.json" ;;
esac
"""


@pytest.fixture
def evidence(project: Project) -> Path:
    """Return the file that a project's tests write when a test of V3.3.2 fails and one of V3.3.3 is skipped."""
    site = project(ALL_OFF)
    (site / "core" / "tests" / "test_planted.py").write_text(PLANTED, encoding="utf-8")
    with pytest.raises(AssertionError, match=r"1 controls shown\n1 red: V3\.3\.2\n"):
        run(site, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "core/tests/test_planted.py")
    return site / "reports" / "controls.json"


def test_evidence_has_every_control_with_tests_and_outcomes(evidence: Path) -> None:
    content = json.loads(evidence.read_text(encoding="utf-8"))
    example = json.loads(re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)[0])
    assert set(content) == set(example)
    for path, _, test in (it.partition("::") for control in example["controls"] for it in control["tests"]):
        assert f"def {test}(" in (evidence.parents[1] / path).read_text(encoding="utf-8")
    assert (content["shown"], content["red"]) == (["V3.3.1"], ["V3.3.2"])
    controls = {it["id"]: it for it in content["controls"]}
    document = (evidence.parents[1] / "SECURITY.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| (\S+) \| .+ \| `test_", document, re.MULTILINE)) < controls.keys()
    assert controls["V3.3.1"]["prevents"] == ["cookies sent over plain HTTP"]
    outcomes = {control: list(it["tests"].values()) for control, it in controls.items() if it["tests"]}
    expected = {"V3.3.1": ["passed", "passed"], "V3.3.2": ["passed", "failed"], "V3.3.3": ["skipped"]}
    assert outcomes == expected
    (scan,) = [it for it in content["not_provided"] if it["id"] == "V5.4.3"]
    assert scan["what"] == "a virus scan of uploads"
    assert scan["why"]


def test_only_markers_are_controls_and_known_failures_are_red(project: Project) -> None:
    site = project(ALL_OFF)
    planted = {"test_more.py": MORE, "test_skipped.py": "import pytest\n\npytest.importorskip('missing')\n"}
    for file, text in planted.items():
        (site / "core" / "tests" / file).write_text(text, encoding="utf-8")
    files = [f"core/tests/{file}" for file in planted]
    run(site, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *files)
    content = json.loads((site / "reports" / "controls.json").read_text(encoding="utf-8"))
    assert (content["shown"], content["red"]) == ([], ["V3.3.1"])
    assert [it["id"] for it in content["controls"] if it["tests"]] == ["V3.3.1"]


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_control_of_the_accounts_is_shown_or_not_provided(answers: Answers, pristine: Project) -> None:
    project = pristine(answers)
    documents = [project / "SECURITY.md", *project.glob("[a-z]*/**/SECURITY.md")]
    parts = [document.read_text(encoding="utf-8").partition("## Not provided") for document in documents]
    row = re.compile(r"^\| (V\S+) \|", re.MULTILINE)
    shown, missing = ({it for part in parts for it in row.findall(part[number])} for number in (0, 2))
    assert {"V6.2.12", "V6.3.3"} <= (shown if answers["auth_app"] else missing)
    assert not shown & missing


def test_guide_collects_and_compares_evidence(evidence: Path, tmp_path: Path, pristine: Project) -> None:
    workflow = (pristine(ALL_ON) / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert "name: controls-${{ matrix.python }}\n" in workflow
    (newest,) = set(re.findall(r"(?:--name controls-|%5B)(3\.\d+)", GUIDE))
    assert f'"{newest}"]' in workflow
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH.format(evidence=evidence), encoding="utf-8")
    (tmp_path / "bin" / "gh").chmod(0o755)
    collect = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)[0]
    run(tmp_path, "bash", "-c", collect, PATH=f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    (compare,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    with pytest.raises(AssertionError, match="1 shown"):
        run(tmp_path, sys.executable, "-c", compare)
    files = sorted((tmp_path / "evidence").rglob("controls.json"))
    assert [it.parent.name for it in files] == ["shop", "site"]
    content = json.loads(files[0].read_text(encoding="utf-8"))
    for file in files:
        file.write_text(json.dumps(content | {"shown": [it["id"] for it in content["controls"]]}), encoding="utf-8")
    assert len(run(tmp_path, sys.executable, "-c", compare).splitlines()) == len(files)
