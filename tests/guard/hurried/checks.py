"""The checks of a generated project, and what their failures name."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from secure_django.commands.tasks import STEPS, TASKS
from tests.guard.hurried import FOLDER, Feature, Weakness, describe_places
from tests.support.baking import ROOT, clean_environment

SECONDS = 3600  # it only ends what hangs
# Nobody looks for a route in a line that prints the routes of the whole site.
LONGEST_LINE = 500
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.settings"}


class Failure(NamedTuple):
    """What one check says about one thing, such as a test or a line of code."""

    title: str
    lines: list[str]


class Outcome(NamedTuple):
    """The result of a check."""

    check: str
    seconds: float  # of CPU time that the check took
    failures: list[Failure]


class Notice(NamedTuple):
    """The line by which a check names a weakness."""

    check: str
    seconds: float  # of CPU time since the first check began
    line: str


def used_seconds() -> float:
    """Return the CPU time of all commands so far: others may use the machine too."""
    times = os.times()
    return times.children_user + times.children_system


def run_command(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of a project whatever it returns."""
    # Types of Django are read once, for all projects.
    cache = {"MYPY_CACHE_DIR": str(ROOT / ".mypy_cache" / "hurried")}
    return subprocess.run(
        command,
        cwd=project,
        env=clean_environment() | SETTINGS | cache,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        timeout=SECONDS,
    )


def must_run(project: Path, *command: str) -> str:
    """Run a command of a project that must succeed, and return its output."""
    done = run_command(project, *command)
    if done.returncode:
        sys.exit(f"{shlex.join(command)} failed:\n{done.stdout}")
    return done.stdout


def add_feature(feature: Feature, project: Path, variant: str = "app") -> None:
    """Install a feature into a project, and make its migrations."""
    feature.install(project, variant)
    must_run(
        project, sys.executable, "manage.py", "makemigrations", "-v", "0", feature.name
    )
    (project / "reports").mkdir(exist_ok=True)


def read_commands() -> dict[str, list[str]]:
    """Return the steps of `poe check` that look at a team's code.

    A new app changes settings.lock, and no file of vendor/.
    """
    tasks = STEPS | TASKS
    commands = {
        name.lstrip("_"): shlex.split(tasks[name]["cmd"])
        for name in TASKS["check"]["sequence"]
        if name not in {"_lock", "_vendored"}
    }
    # With a file and a line in each line of the output.
    commands["style"] += ["--output-format", "concise"]
    return commands


def run_checks(project: Path, feature: Feature) -> list[Outcome]:
    """Run the fast steps of `poe ci`, and return the fastest first."""
    outcomes = []
    commands = read_commands()
    commands["security"] = [sys.executable, "-m", "secure_django.scans", "bandit"]
    for name, command in commands.items():
        start = used_seconds()
        done = run_command(project, *command)
        lines = done.stdout.splitlines() if done.returncode else []
        failures = [Failure("", [line]) for line in lines]
        outcomes.append(Outcome(name, used_seconds() - start, failures))
    outcomes.append(run_tests(project, feature))
    return sorted(outcomes, key=lambda outcome: outcome.seconds)


def run_tests(project: Path, feature: Feature) -> Outcome:
    """Run the tests that look at every app, and those of all apps."""
    report = project / "reports" / "tests.xml"
    start = used_seconds()
    # Without arguments, so that the guard and the controls run too.
    output = run_command(project, *pytest_command(report)).stdout
    seconds = used_seconds() - start
    if not report.is_file():
        sys.exit(f"{feature.name}: the tests did not run:\n{output}")
    failures = [
        Failure(name.replace("_", " "), list(tell_lines(text)))
        for name, text in read_report(report).items()
        if text
    ]
    return Outcome("tests", seconds, failures)


def pytest_command(report: Path) -> list[str]:
    """Return the command that runs tests and writes a report."""
    return [
        sys.executable,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider"),
        f"--junit-xml={report}",
    ]


def read_report(report: Path) -> dict[str, str]:
    """Return what each test of a report says about its failure, nothing if it passed.

    The variants of a test count as one.
    """
    texts: dict[str, str] = {}
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - our own file
        name = case.get("name", "").partition("[")[0]
        found = [
            f"{child.text}"
            for child in case
            if child.tag in {"failure", "error", "skipped"}
        ]
        texts[name] = "\n".join([texts.get(name, ""), *found]).strip()
    return texts


def tell_lines(text: str) -> list[str]:
    """Return the lines that a failing test says, without the code of the test."""
    lines = text.splitlines()
    said = [
        line.removeprefix("E").strip()
        for line in lines
        if re.match(r"E(\s|$)|\S+\.py:\d+: ", line)
    ]
    return said or lines


def find_notice(
    feature: Feature, weakness: Weakness, outcomes: list[Outcome]
) -> Notice | None:
    """Return the first line of a check that names the weakness."""
    return next(find_notices(feature, weakness, outcomes), None)


def find_notices(
    feature: Feature, weakness: Weakness, outcomes: list[Outcome]
) -> Iterator[Notice]:
    """Yield the lines of checks that name the weakness.

    A line must name its route, the line of its code, its view or its field. A fitting
    word must stand in it, in the heading above it, or in the name of the test.
    """
    places = describe_places(feature, weakness)
    words = re.compile(weakness.words, re.IGNORECASE)
    seconds = 0.0
    for outcome in outcomes:
        seconds += outcome.seconds
        for failure in outcome.failures:
            for line in find_lines(failure, places, words):
                yield Notice(outcome.check, seconds, line)


def find_lines(
    failure: Failure, places: list[re.Pattern[str]], words: re.Pattern[str]
) -> Iterator[str]:
    """Yield the lines that name a place with a fitting word."""
    heading = ""
    for line in failure.lines:
        if len(line) <= LONGEST_LINE and any(place.search(line) for place in places):
            # The place itself is no word about the weakness.
            rest = line
            for place in places:
                rest = place.sub("", rest)
            if words.search(f"{failure.title} {heading} {rest}"):
                yield line
        if line.rstrip().endswith(":"):
            heading = line


def run_exploits(project: Path, feature: Feature) -> dict[str, str]:
    """Run the exploits of a feature; return the failure of each, nothing if it passed.

    At the end, the project is as before.
    """
    tests = project / feature.name / "tests"
    copies = {
        project / "tests" / "exploiting.py": FOLDER / "exploiting.py",
        tests / "test_exploits.py": feature.folder / "exploits.py",
    }
    for target, source in copies.items():
        target.write_text(source.read_text("utf-8"), encoding="utf-8")
    report = project / "reports" / "exploits.xml"
    try:
        output = run_command(
            project, *pytest_command(report), f"{feature.name}/tests/test_exploits.py"
        ).stdout
    finally:
        for target in copies:
            target.unlink()
    if not report.is_file():
        return {weakness.exploit: output for weakness in feature.weaknesses}
    return read_report(report)


def show_failures(outcomes: list[Outcome], feature: Feature) -> str:
    """Return every line of the checks that names a file or a route of the feature."""
    lines = [
        f"{outcome.check}: {line}"
        for outcome in outcomes
        for failure in outcome.failures
        for line in failure.lines
        if f"{feature.name}/" in line and len(line) <= LONGEST_LINE
    ]
    return "\n".join(lines)
