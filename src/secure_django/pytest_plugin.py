"""The pytest plugin of the package, which pytest finds by its entry point.

In a project with the package's apps, it adds fixtures, and collects the guard and the
controls with the project's own tests. No file of the project names them, so that none
that is deleted takes them away. In any other Django project, it collects the guard if
pyproject.toml has the table [tool.secure-django.guard].
"""

from collections.abc import Generator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from secure_django.controls.project import Project
    from secure_django.guard.config import Config

pytest.register_assert_rewrite(
    "secure_django.controls", "secure_django.guard", "secure_django.testing"
)

# The folders with tests that run in a project, and the fixtures that they need.
SUITES = {
    "guard": ["secure_django.guard.fixtures"],
    "controls": ["secure_django.testing.fixtures", "secure_django.controls.fixtures"],
}
COLLECTED = "secure_django.controls.collected"
EVIDENCE = "secure_django.controls.evidence"
COMPLETENESS = "secure_django.controls.completeness"
COLLECTING = "secure-django-collecting"
RUN = "secure-django-guard-run"
SURVEY = Path(__file__).parent / "guard" / "run_survey.py"
MARKERS = (
    "control(id): the control in docs/controls.md that the test demonstrates",
    "rule(name): the rule that a project asks the guard for",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the guard."""
    from secure_django.guard.run import add_options

    add_options(parser)
    parser.getgroup("secure-django").addoption(
        "--guard-survey",
        action="store_true",
        help="open each page as each person, say who gets in, and write the tables"
        " of the guard that are missing",
    )


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Set up what needs the project's settings, once pytest-django has loaded them."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    if config.option.guard_survey:
        check_survey()
    if not apps.ready:
        return
    if apps.is_installed("secure_django.photos"):
        # A project's own tests, not the package's.
        if config.rootpath.samefile(settings.BASE_DIR):
            name_what_did_not_run(config, EVIDENCE)
        collect(config, settings.BASE_DIR, SUITES)
    elif is_guard_asked_for():
        collect(config, config.rootpath, {"guard": SUITES["guard"]})
        name_what_did_not_run(config, COMPLETENESS)


def name_what_did_not_run(config: pytest.Config, plugin: str) -> None:
    """Import the plugin that makes a run red without all tests. A survey runs none."""
    if not config.option.guard_survey:
        config.pluginmanager.import_plugin(COLLECTED)
        config.pluginmanager.import_plugin(plugin)


def check_survey() -> None:
    """Raise UsageError if the project says too little for a survey."""
    if not apps.ready:
        message = "Name your settings first: DJANGO_SETTINGS_MODULE in [tool.pytest]."
        raise pytest.UsageError(message)
    if not is_guard_asked_for() and not apps.is_installed("secure_django.photos"):
        message = "Add the table [tool.secure-django.guard] to pyproject.toml first."
        raise pytest.UsageError(message)


def is_guard_asked_for() -> bool:
    from secure_django.guard.config import find_root, has_table

    return has_table(find_root())


def collect(config: pytest.Config, root: Path, suites: dict[str, list[str]]) -> None:
    """Add fixtures, and the tests in these folders of the package."""
    from secure_django.controls.command_line import names_paths
    from secure_django.controls.project import read_project

    for names in suites.values():
        for name in names:
            import_plugin(config, name)
    if config.option.guard_survey:
        from secure_django.guard.terminal import SurveyPrinter

        config.pluginmanager.register(Surveying())
        config.pluginmanager.register(SurveyPrinter())
        return
    is_whole = not names_paths(config)
    register_run(config, root, is_whole=is_whole)
    # After it, since pytest asks the last plugin first: the run counts what is left.
    collecting = Collecting(read_project(root), list(suites), is_whole=is_whole)
    config.pluginmanager.register(collecting, COLLECTING)


def import_plugin(config: pytest.Config, name: str) -> None:
    """Import fixtures. A wrong word of the project ends the run with one sentence."""
    try:
        import_module(name)
    except ImproperlyConfigured as error:
        raise pytest.UsageError(str(error)) from error
    config.pluginmanager.import_plugin(name)


def register_run(config: pytest.Config, root: Path, *, is_whole: bool) -> None:
    """Let the run say at its end what the guard has found."""
    from secure_django.guard.config import read_config
    from secure_django.guard.run import Project, Run

    has_evidence = config.pluginmanager.has_plugin(EVIDENCE)
    project = Project(
        root=root,
        left_out=read_config().left_out,
        report_folder=root / "reports" if has_evidence else None,
    )
    config.pluginmanager.register(Run(config, project, is_whole=is_whole), RUN)


class Suite(pytest.Collector):
    """The guard and the controls."""

    files: list[Path]

    def collect(self) -> Generator[pytest.Module]:
        """Yield the modules, with the same short names wherever they are installed."""
        from secure_django.controls.project import name_of

        for path in self.files:
            yield pytest.Module.from_parent(self, path=path, nodeid=name_of(path))


class Surveying:
    """Collect the survey in place of all tests."""

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if isinstance(collector, pytest.Session) and report.passed:
            suite = Suite.from_parent(collector, name="secure_django")
            suite.files = [SURVEY]
            report.result = [suite]
        return report


class Collecting:
    """Collect the package's tests that are about a project."""

    def __init__(
        self, project: "Project", suites: list[str], *, is_whole: bool
    ) -> None:
        self.project = project
        self.suites = suites
        self.is_whole = is_whole

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Put the package's tests before those that pytest collects from folders.

        A project's own test may leave rows in the database, which no page of the guard
        should show. pytest-django keeps this order among the tests of a kind.
        """
        from secure_django.controls.project import suite_files

        report = yield
        if isinstance(collector, pytest.Session) and self.is_whole and report.passed:
            suite = Suite.from_parent(collector, name="secure_django")
            suite.files = suite_files(self.project, self.suites)
            report.result = [suite, *report.result]
        return report

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Ignore tests about files that the project has not, and those in vendor/."""
        from secure_django.controls.project import name_of

        if self.is_whole and collection_path == self.project.root / "vendor":
            return True
        name = name_of(collection_path)
        if name and self.project.missing(name):
            return True
        return None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out tests of the guard that the project does not ask for."""
        from secure_django.guard.config import read_config

        config = read_config()
        items[:] = [item for item in items if is_asked_for(item, config)]


def is_asked_for(item: pytest.Item, config: "Config") -> bool:
    """Return whether a test is of a rule that is asked for, and not left out.

    In a project of the template, evidence.py leaves tests out, and counts them.
    """
    marker = item.get_closest_marker("rule")
    is_of_rules = marker is None or marker.args[0] in config.rules
    name = getattr(item, "originalname", "")
    return is_of_rules and (config.is_of_template or name not in config.left_out)
