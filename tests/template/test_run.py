"""`.ci/run` runs each tier, names flaky tests, and fails where a program is missing."""

import os
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest
import yaml

from tests.support.baking import ROOT, run
from tests.support.tiers import GENERATING, choose_tier, is_in_room, split

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere .ci/run installs nothing"
)
whole = pytest.mark.tier("whole")

FLAKY = """
from pathlib import Path

import pytest


def test_is_late_once() -> None:
    state = Path("state")
    late = not state.exists()
    state.touch()
    assert not late
"""
RED = """
import pytest


def test_fails() -> None:
    raise AssertionError


def test_passes() -> None:
    pass


@pytest.mark.tier("whole")
@pytest.mark.skipif(True, reason="nginx is not installed")
def test_nginx() -> None:
    pass


@pytest.mark.tier("whole")
def test_containers() -> None:
    pytest.skip("containers do not run here: no network")


@pytest.mark.tier("scheduled", "docs/recipes/api*.md")
def test_api() -> None:
    pass


@pytest.mark.tier("scheduled", "docs/recipes/*.md")
def test_recipes() -> None:
    pass
"""
PLANTED = "tests/test_planted.py"
# In one process, and without the guard and the controls of the package.
PLANTED_ONLY = ("-n0", "-p", "no:secure_django")
NOTE = 'echo "$@" >> "$COMMANDS"'


def plant(template: Path, folder: Path, tests: str) -> Path:
    """Return a copy of the template that has only these tests."""
    checkout = shutil.copytree(template, folder / "checkout")
    for path in (checkout / "tests").rglob("test_*.py"):
        path.unlink()
    (checkout / PLANTED).write_text(tests, encoding="utf-8")
    return checkout


def ci_run(checkout: Path, uv: str, *options: str) -> tuple[str, str, list[str]]:
    """Run `.ci/run` with a stand-in for uv, on a machine with every program.

    Return the outcome, the summary on GitHub, and the commands that the stand-in noted.
    """
    programs = checkout.parent / "bin"
    programs.mkdir()
    for name, text in {"uv": uv, "apt-get": "true", "dpkg": "true"}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    summary = checkout.parent / "summary.md"
    commands = checkout.parent / "commands"
    for file in (summary, commands):
        file.touch()
    path = [str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {
        "PATH": os.pathsep.join(path),
        "GITHUB_STEP_SUMMARY": str(summary),
        "COMMANDS": str(commands),
        "PYTEST_ADDOPTS": " ".join(PLANTED_ONLY),
    }
    outcome = "green"
    try:
        run(checkout, ".ci/run", *options, **environment)
    except AssertionError as error:
        assert "ended with 1:" in str(error)  # noqa: PT017
        outcome = "red"
    noted = commands.read_text(encoding="utf-8").splitlines()
    assert noted.pop(0).startswith("sync ")
    return outcome, summary.read_text(encoding="utf-8"), noted


RUN_IT = f'{NOTE}\n[ "$1" != run ] || {{ shift; exec "$@"; }}'


@whole
def test_flaky_test_is_green_and_named(template: Path, tmp_path: Path) -> None:
    checkout = plant(template, tmp_path, FLAKY)
    outcome, summary, _ = ci_run(checkout, RUN_IT, "--tier", "quick")
    name = f"{PLANTED}::test_is_late_once"
    assert outcome == "green"
    assert summary == f"- flaky, passed when repeated: `{name}`\n"


@whole
def test_missing_program_and_failed_test_are_red(
    template: Path, tmp_path: Path
) -> None:
    outcome, summary, _ = ci_run(plant(template, tmp_path, RED), RUN_IT)
    names = [f"{PLANTED}::test_fails", f"{PLANTED}::test_nginx"]
    assert outcome == "red"
    assert summary.splitlines() == [f"- failed twice: `{name}`" for name in names]


def option(command: str) -> set[str]:
    """Return the words of a command that choose what runs."""
    chosen = set(command.split()) - {"run", "pytest", "python", "-m"}
    chosen -= {"--verbose", "--by-module"}
    return {word for word in chosen if not re.search("cache_dir|numprocesses", word)}


def test_each_tier_runs_whole(template: Path, tmp_path: Path) -> None:
    _, _, commands = ci_run(plant(template, tmp_path, RED), NOTE)
    assert [option(command) for command in commands] == [
        {"--tier=quick"},
        {"--tier=whole"},
    ]


def test_scheduled_run_has_tests_mutations_and_mutants(
    template: Path, tmp_path: Path
) -> None:
    part, changed = ("--part", "2/3"), ("--changed", "main")
    checkout = plant(template, tmp_path, RED)
    _, _, commands = ci_run(checkout, NOTE, "--scheduled", *part, *changed)
    assert [option(command) for command in commands] == [
        {"--tier=scheduled", *part, *changed},
        {"benchmarks.mutations", *part, *changed},
        {"benchmarks.mutants", "--count", "100", "--minimum", "0.8", *changed},
    ]


EVERY_TEST = ["fails", "passes", "nginx", "containers", "api", "recipes"]


class Named(NamedTuple):
    """A command, as pytest shows it to a plugin."""

    args: list[str]
    option: SimpleNamespace
    invocation_params: SimpleNamespace


def tier_by(folder: Path, *args: str, **options: str) -> str | None:
    """Return the tier that a command in a folder chooses."""
    defaults = {"tier": None, "keyword": "", "markexpr": ""}
    option = SimpleNamespace(**(defaults | options))
    named = Named([*args], option, SimpleNamespace(dir=folder))
    choose_tier(cast("pytest.Config", named))
    return cast("str | None", option.tier)


def test_command_chooses_the_tier() -> None:
    module = "tests/template/test_run.py"
    assert tier_by(ROOT, "tests") == "quick"
    assert tier_by(ROOT, "tests/photos/") == "quick"
    assert tier_by(ROOT, "tests/photos", "tests/web") == "quick"
    assert tier_by(ROOT / "tests", "photos") == "quick"
    assert tier_by(ROOT, module) is None
    assert tier_by(ROOT, f"{module}::test_command_chooses_the_tier") is None
    assert tier_by(ROOT, "tests/photos", module) is None
    assert tier_by(ROOT, "tests/photos", keyword="decoder") is None
    assert tier_by(ROOT, "tests/photos", markexpr="control") is None
    assert tier_by(ROOT, "tests", tier="whole") == "whole"
    assert tier_by(ROOT, module, tier="quick") == "quick"


@whole
def test_folder_has_the_quick_tier_and_a_file_has_all(
    template: Path, tmp_path: Path
) -> None:
    checkout = plant(template, tmp_path, RED)
    listing = ("pytest", "-q", "--collect-only", *PLANTED_ONLY)

    def names(*arguments: str) -> list[str]:
        return re.findall("::test_(.+)", run(checkout, *listing, *arguments))

    assert names("tests") == ["fails", "passes"]
    assert names(PLANTED) == EVERY_TEST


def test_rooms_of_the_package_start_no_processes() -> None:
    def in_one_process(*paths: str) -> bool:
        return all(is_in_room(ROOT / path) for path in paths)

    assert in_one_process("tests/photos", "tests/web/test_headers.py")
    assert in_one_process("tests/test_admin.py")
    assert not in_one_process("tests")
    assert not in_one_process("tests/photos", "tests/template")
    assert not in_one_process("src/secure_django/guard")
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert folders >= GENERATING


@whole
def test_whole_tier_has_the_guard_and_the_controls(
    template: Path, tmp_path: Path
) -> None:
    """The package's plugin adds them, here as in a project, unless tests are named."""
    checkout = plant(template, tmp_path, RED)
    output = run(checkout, "pytest", "-n0", "-q", "--collect-only", "--tier", "whole")
    for suite in ("guard", "controls"):
        assert re.search(
            rf"^\S*secure_django/{suite}/test_\w+\.py::", output, re.MULTILINE
        )
    assert re.findall("test_planted.*::test_(.+)", output) == ["nginx", "containers"]


class Item:
    """A test with one marker, as pytest shows it."""

    def __init__(self, name: str, *tier: str) -> None:
        """Take the arguments of the marker; without any, there is no marker."""
        self.nodeid = f"{PLANTED}::{name}"
        self.tier = tier

    def get_closest_marker(self, _name: str) -> pytest.Mark | None:
        """Return the marker."""
        return pytest.mark.tier(*self.tier).mark if self.tier else None


ITEMS = [
    Item("quick"),
    Item("nginx", "whole"),
    Item("api", "scheduled", "docs/recipes/api*.md"),
    Item("every recipe", "scheduled", "docs/recipes/*.md"),
]


@pytest.mark.parametrize(
    ("tier", "changed", "part", "names"),
    [
        ("quick", None, "1/1", {"quick"}),
        ("whole", None, "1/1", {"nginx"}),
        ("scheduled", None, "1/1", {"api", "every recipe"}),
        ("scheduled", None, "1/2", {"api"}),
        ("scheduled", None, "2/2", {"every recipe"}),
        ("scheduled", ["docs/recipes/htmx.md"], "1/1", {"every recipe"}),
        ("scheduled", [PLANTED], "1/1", {"api", "every recipe"}),
        ("scheduled", ["uv.toml"], "1/1", set()),
    ],
)
def test_tier_has_its_tests_that_are_about_what_changed(
    tier: str, changed: list[str] | None, part: str, names: set[str]
) -> None:
    chosen, others = split(cast("list[pytest.Item]", ITEMS), tier, changed, part)
    assert {item.nodeid.partition("::")[2] for item in chosen} == names
    assert len(chosen) + len(others) == len(ITEMS)


def test_unknown_tier_is_refused() -> None:
    items = cast("list[pytest.Item]", [Item("slow", "slow")])
    with pytest.raises(pytest.UsageError, match="there is no tier slow"):
        split(items, "quick", None, "1/1")


def test_one_tier_runs_by_itself(template: Path, tmp_path: Path) -> None:
    checkout = plant(template, tmp_path, RED)
    _, _, commands = ci_run(checkout, NOTE, "--tier", "whole")
    assert [option(command) for command in commands] == [{"--tier=whole"}]


def read_jobs(workflow: str) -> dict[str, Any]:
    """Return the jobs of a workflow of this repository."""
    text = (ROOT / ".github" / "workflows" / workflow).read_text(encoding="utf-8")
    jobs: dict[str, Any] = yaml.safe_load(text)["jobs"]
    return jobs


def commands_of(job: dict[str, Any]) -> set[str]:
    """Return what a job runs, from `.ci/run` on."""
    commands = [step["run"].strip() for step in job["steps"] if "run" in step]
    return {
        ".ci/run" + command.partition(".ci/run")[2]
        for command in commands
        if ".ci/run" in command
    }


def test_workflows_run_each_tier_where_it_belongs() -> None:
    tests = read_jobs("tests.yml")
    assert commands_of(tests["quick"]) == {".ci/run --tier quick"}
    assert commands_of(tests["whole"]) == {".ci/run --tier whole"}
    everywhere = read_jobs("everywhere.yml")["whole"]
    assert commands_of(everywhere) == {".ci/run --tier whole"}
    machines = everywhere["strategy"]["matrix"]
    assert machines == tests["quick"]["strategy"]["matrix"]
    assert [len(choices) for choices in machines.values()] == [3, 3]
    for workflow in ("scheduled.yml", "release.yml"):
        called = read_jobs(workflow)["everywhere"]["uses"]
        assert called == "./.github/workflows/everywhere.yml", workflow
    assert "everywhere" in read_jobs("release.yml")["release"]["needs"]


def test_workflow_runs_every_part_of_the_scheduled_tier() -> None:
    scheduled = read_jobs("scheduled.yml")["test"]
    parts = scheduled["strategy"]["matrix"]["part"]
    assert parts == list(range(1, len(parts) + 1))
    assert scheduled["env"]["PART"] == f"${{{{ matrix.part }}}}/{len(parts)}"
    commands = [step["run"] for step in scheduled["steps"] if "run" in step]
    (command,) = [command for command in commands if ".ci/run" in command]
    assert command.split()[-5:] == [
        ".ci/run",
        "--scheduled",
        "--part",
        '"$PART"',
        "$SELECTION",
    ]
