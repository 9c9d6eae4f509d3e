"""The package's tests run in a project, or the run fails and says which did not."""

from pathlib import Path

import pytest

from tests.support.small_project import (
    COOKIES,
    OTHER_SITES,
    PAGES,
    RELEASE_TEST,
    SmallProject,
    copy_package,
)

TEST = "secure_django.commands.test"
WHOLE = pytest.mark.tier("whole")
REASON = 'test_of_other_sites = "another site shows the start page in a frame"'
KEEP_OWN = """
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if item.nodeid.startswith("tests/")]
"""
SKIP = """
import pytest

def pytest_collection_modifyitems(items):
    for item in items:
        if "test_pages" in item.nodeid:
            item.add_marker(pytest.mark.skip(reason="later"))
"""
DROP_NODES = """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(collector):
    report = yield
    report.result = [it for it in report.result if it.name != "secure_django"]
    return report
"""
HIDE_FAILURE = """
import pytest

@pytest.hookimpl(trylast=True, wrapper=True)
def pytest_sessionfinish(session):
    yield
    session.exitstatus = 0
"""
SAME_NAMES = """
def test_pages() -> None:
    pass

def test_cookies() -> None:
    pass
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the package, outside of every project."""
    folder = tmp_path_factory.mktemp("package")
    copy_package(folder)
    return folder


@pytest.fixture
def project(package: Path, tmp_path: Path) -> SmallProject:
    return SmallProject(tmp_path / "small-site", package)


@WHOLE
@pytest.mark.parametrize("processes", ["0", "2"])
def test_suite_of_the_package_runs_with_own_tests(
    processes: str, project: SmallProject
) -> None:
    result = project.run("-v", "-n", processes)
    assert result.status == 0, result.output
    evidence = result.whole
    assert evidence
    assert (evidence["schema_version"], evidence["result"]) == (4, "green")
    assert evidence["release"] == "1.0.0"
    assert evidence["totals"]["passed"] == 5
    rows = {row["id"]: row for row in evidence["controls"]}
    assert {name: row["state"] for name, row in rows.items()} == {
        "V3.3.1": "shown",
        "V3.3.2": "shown",
        "V4.4.1": "not applicable",
        "V6.2.8": "shown by the release",
        "V8.2.1": "shown",
        "V12.1.1": "not provided",
    }
    assert rows["V3.3.1"]["tests"] == {
        f"{COOKIES}[1]": "passed",
        f"{COOKIES}[2]": "passed",
    }
    assert rows["V6.2.8"]["release"] == [RELEASE_TEST]
    assert rows["V12.1.1"]["why"] == "this project has no deploy"


@WHOLE
@pytest.mark.parametrize("processes", ["0", "2"])
@pytest.mark.parametrize(
    ("conftest", "lines"),
    [
        (KEEP_OWN, [f"{COOKIES} was deselected", f"{PAGES} was deselected"]),
        (SKIP, [f"{PAGES} was skipped"]),
        (DROP_NODES, [f"{COOKIES} was not collected", f"{PAGES} was not collected"]),
    ],
    ids=["deselected", "skipped", "dropped"],
)
def test_test_that_a_conftest_takes_away_is_named(
    conftest: str, lines: list[str], processes: str, project: SmallProject
) -> None:
    project.write("conftest.py", conftest)
    project.write("tests/test_same.py", SAME_NAMES)  # which shadow nothing
    result = project.run("-n", processes)
    assert result.status == 1
    for line in lines:
        assert f"\n{line}\n" in result.output
    assert "or stand with its reason in [tool.secure-django.left-out]" in result.output
    assert result.evidence["result"] == "red"
    assert not result.whole


@WHOLE
@pytest.mark.parametrize(
    ("addopts", "options", "line"),
    [
        (["-k", "not pages"], "", f"{PAGES} was deselected"),
        (["-m", "not control"], "", f"{COOKIES} was deselected"),
        ([f"--deselect={COOKIES}[2]"], "", f"{COOKIES} was deselected"),
        (["-k=own"], "", f"{PAGES} was deselected"),
        ([], 'python_functions = ["test_own"]', f"{PAGES} was not collected"),
        (["tests"], "", "users/test_more.py::test_own was not collected"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_test_that_options_take_away_is_named(
    addopts: list[str], options: str, line: str, project: SmallProject
) -> None:
    project.write("users/test_more.py", "def test_own() -> None:\n    pass\n")
    project.configure(*addopts, options=options)
    result = project.run()
    assert result.status == 1
    assert f"\n{line}\n" in result.output


@WHOLE
@pytest.mark.parametrize(
    "addopts",
    [["--ignore-glob=*test_headers.py"], ["--ignore-glob=*guard*"], []],
    ids=str,
)
def test_ignored_files_are_collected(addopts: list[str], project: SmallProject) -> None:
    project.configure(*addopts)
    names = '["test_headers.py", "test_table.py"]'
    project.write("conftest.py", f"collect_ignore_glob = {names}\n")
    assert project.run().status == 0


@WHOLE
def test_deleted_file_of_the_package_is_named(tmp_path: Path) -> None:
    copy_package(tmp_path / "package")
    folder = tmp_path / "package" / "secure_django" / "controls"
    (folder / "test_headers.py").unlink()
    result = SmallProject(tmp_path / "small-site", tmp_path / "package").run()
    assert result.status == 1
    assert f"\n{OTHER_SITES} was not collected\n" in result.output
    assert result.state("V3.3.2") == "not shown"


@WHOLE
def test_run_without_the_plugin_is_refused(project: SmallProject) -> None:
    project.configure("-p", "no:secure_django")
    assert project.run().status == 0  # by pytest itself
    result = project.run(module=TEST)
    assert result.status == 1
    assert "The plugin of secure-django did not run" in result.output
    project.configure()
    assert project.run(module=TEST).status == 0


@WHOLE
def test_evidence_of_an_earlier_run_does_not_count(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project.run(module=TEST).status == 0
    project.configure("-p", "no:secure_django")
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    result = project.run(module=TEST)
    assert result.whole
    assert result.status == 1


@WHOLE
def test_hidden_failure_is_refused(project: SmallProject) -> None:
    project.write("conftest.py", HIDE_FAILURE)
    project.write("tests/test_own.py", "def test_own() -> None:\n    assert 1 == 2\n")
    assert project.run().status == 0
    result = project.run(module=TEST)
    assert result.status == 1
    assert "something hides its failure" in result.output


@WHOLE
def test_test_is_left_out_with_a_reason(project: SmallProject) -> None:
    project.configure(left_out=REASON)
    result = project.run(module=TEST)
    assert result.status == 0, result.output
    assert "\n1 left out: test_of_other_sites\n" in result.output
    evidence = result.whole
    assert evidence
    totals = evidence["totals"]
    assert (totals["passed"], totals["left_out"]) == (4, 1)
    (row,) = (row for row in evidence["controls"] if row["id"] == "V3.3.2")
    assert row["state"] == "left out"
    assert row["tests"] == {OTHER_SITES: "left out"}
    assert row["why"] == "another site shows the start page in a frame"


@WHOLE
@pytest.mark.parametrize(
    ("left_out", "line"),
    [
        (
            'test_of_other_sites = ""',
            "test_of_other_sites is left out without a reason",
        ),
        ("test_of_other_sites = 1", "test_of_other_sites is left out without a reason"),
        ('test_pages = " "', "test_pages is left out without a reason"),
        ('test_gone = "why"', "test_gone is left out, but no test of this project has"),
        # Of a server, which this project has not.
        (
            'test_tls = "why"',
            "test_tls is left out, but no test of this project has it",
        ),
    ],
)
def test_entry_without_a_reason_or_a_test_is_refused(
    left_out: str, line: str, project: SmallProject
) -> None:
    project.configure(left_out=left_out)
    result = project.run()
    assert result.status == 1
    assert f"\n{line}" in result.output


@WHOLE
def test_server_needs_the_files_that_it_declares(project: SmallProject) -> None:
    project.configure(deployment="server")
    result = project.run()
    assert (result.status, result.state("V12.1.1")) == (1, "red")
    project.write("deploy/site.conf", "ssl_protocols TLSv1.3;")
    for deployment in ("server", "platform"):
        project.configure(deployment=deployment)
        result = project.run()
        assert (result.status, result.state("V12.1.1")) == (0, "shown")


@WHOLE
@pytest.mark.parametrize(
    "arguments",
    [["tests"], ["-k", "own"], ["--deselect", PAGES], ["--collect-only"]],
    ids=" ".join,
)
def test_run_of_some_tests_needs_these_alone(
    arguments: list[str], project: SmallProject
) -> None:
    result = project.run(*arguments, module=TEST)
    assert result.status == 0, result.output
    assert result.partial
    assert not result.whole
    assert result.state("V6.2.8") == "shown by the release"
