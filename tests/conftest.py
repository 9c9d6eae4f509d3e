"""Which tests run, and what most of them use: the template and its projects."""

import os
import shutil
import signal
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.baking import (
    NOT_OFFERED,
    OTHER_BOT,
    ROOT,
    TEMPORARY_FOLDERS,
    Answers,
    Once,
    Project,
    bake,
    copy_template,
    name,
    need,
    run,
)
from tests.support.tiers import (
    TIERS,
    changed_since,
    choose_tier,
    is_in_room,
    limit_of,
    named_paths,
    split,
)

pytest_plugins = [
    "tests.support.durations",
    "tests.support.live",
    "tests.support.browsing",
    "tests.support.services",
    "tests.support.postgresql",
]

# What the machine forbids, whatever is installed. Every other skip is an error where
# `.ci/run` installs the programs.
FORBIDDEN = (
    "containers do not run here",
    "no Debian can be made here",
    "npm cannot install",
    "only root",
    "this machine mounts no disk",
    "this kernel has no",
    "this machine runs no 32-bit",
    "systemd does not start in namespaces here",
)
# What a skip may say although the programs are installed.
ALLOWED = (*FORBIDDEN, NOT_OFFERED, OTHER_BOT)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the choice of a tier, and of a part of it."""
    group = parser.getgroup("tiers")
    group.addoption("--tier", choices=TIERS, help="run this tier; by default the quick")
    group.addoption("--changed", metavar="COMMIT", help="only what differs from it")
    group.addoption("--part", default="1/1", help="one of several parts, such as 2/3")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the tier, and let tests interrupt what they start."""
    # A script starts what runs in the background without Ctrl-C, and so would every
    # program be that a test starts and interrupts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    choose_tier(config)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Start no processes for named rooms of the package.

    Each start takes more than most rooms. What generates projects takes longer.
    """
    return 0 if all(is_in_room(path) for path in named_paths(config)) else None


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what is not in the chosen tier, and begin with the longest limits.

    So one process runs the tests that wait for each other's ports, one after the other.
    """
    option = config.option
    if not option.tier:
        return
    changed = changed_since(option.changed) if option.changed else None
    chosen, others = split(items, option.tier, changed, option.part)
    config.hook.pytest_deselected(items=others)
    items[:] = sorted(chosen, key=limit_of, reverse=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests of a feature that the fork has removed."""
    for marker in item.iter_markers("feature"):
        for feature in marker.args:
            need(feature)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tests of features that the fork has removed."""
    skipped = [
        (report.longrepr[2].partition(NOT_OFFERED)[2], report.nodeid)
        for report in terminalreporter.stats.get("skipped", [])
        if NOT_OFFERED in report.longrepr[2]
    ]
    if skipped:
        terminalreporter.section("tests of removed features")
    for feature, test in sorted(skipped):
        terminalreporter.line(f"{feature}: {test}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    """Fail instead of skipping for a program that `.ci/run` should have installed."""
    report = yield
    if (
        report.skipped
        and isinstance(report.longrepr, tuple)
        and "ALL_PROGRAMS" in os.environ
    ):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(ALLOWED):
            report.outcome = "failed"
            report.longrepr = (
                f"skipped, although .ci/run installs every program: {reason}"
            )
    return report


@pytest.fixture(scope="session", autouse=True)
def inner_folders(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Give each pytest that a test starts a place of its own for temporary folders.

    In the common place it would delete what earlier runs of this suite have left, which
    can be a million files.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TEMPORARY_FOLDERS, str(tmp_path_factory.mktemp("inner")))
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clean copy of the template. Tests share it and do not change it."""
    return copy_template(tmp_path_factory.mktemp("template") / "secure-django")


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of what a process of this run has made for all."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    originals = folder / "originals"
    originals.mkdir(exist_ok=True)
    return originals


@pytest.fixture(scope="session")
def once(originals: Path) -> Once:
    """Return a function that makes a folder once a run, in the process that is first.

    Tests do not change the folder.
    """

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder = originals / name
        if not folder.exists():
            own = originals / f"{name}-{os.getpid()}"
            fill(own)
            with suppress(OSError):  # another process was first
                own.rename(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def pristine(
    template: Path, once: Once, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """Return a function that generates projects. Tests share and do not change them.

    Each project is generated once, and each process has a copy of its own.
    """

    @cache
    def generate(features: str, answers: tuple[tuple[str, object], ...]) -> Path:
        folder = tmp_path_factory.mktemp(features.replace("+", "-"))
        key = digest(dict(answers))
        original = once(key, lambda new: bake(template, new, **dict(answers)))
        [project] = original.glob("*/manage.py")
        return shutil.copytree(project.parent, folder / project.parent.name)

    return lambda answers: generate(name(answers), tuple(answers.items()))


@pytest.fixture
def project(pristine: Project, tmp_path: Path) -> Project:
    """Return a function that copies such a project, for tests that write to it."""
    return lambda answers: shutil.copytree(
        pristine(answers), tmp_path / "my-secure-site"
    )


@pytest.fixture
def locked_project(pristine: Project, once: Once, tmp_path: Path) -> Project:
    """Return a function that copies a project with its lock file, made once a run."""

    def lock(answers: Answers, folder: Path) -> None:
        shutil.copytree(pristine(answers), folder)
        run(folder, "uv", "lock", "--quiet")

    def make(answers: Answers) -> Path:
        key = f"locked-{digest(answers)}"
        original = once(key, lambda folder: lock(answers, folder))
        return shutil.copytree(original, tmp_path / "my-secure-site")

    return make


def digest(answers: Answers) -> str:
    return sha256(repr(tuple(answers.items())).encode()).hexdigest()


@pytest.fixture(scope="session")
def mypy_cache() -> str:
    """Return an option for mypy: a cache that later runs find.

    Each process has its own. A common one would save nothing: because of its plugin for
    Django, mypy reads nothing from the cache of a project with other models.
    """
    process = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    return f"--cache-dir={ROOT / '.mypy_cache' / process}"


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a home folder of its own, for cookiecutter's files."""
    (tmp_path / "home").mkdir()
    return {"HOME": str(tmp_path / "home"), "USERPROFILE": str(tmp_path / "home")}
