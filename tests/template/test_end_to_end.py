"""The commands of the documents in order: generate, update, test and scan.

production/ follows the deployment.
"""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.baking import ROOT, commit, run
from tests.support.readme import commands
from tests.support.releases import ACTION, NEXT, RELEASE, change, publish, publish_next

pytestmark = pytest.mark.tier("whole")

TEMPLATE_URL = "https://github.com/org/"


class Machine:
    """A computer with a home of its own, where Git finds the template at its URL."""

    def __init__(self, folder: Path, repositories: Path) -> None:
        """Create the home folder; `repositories` contains the template."""
        self.home = folder / "home"
        self.home.mkdir()
        config = [
            "[user]",
            "name = Ann",
            "email = ann@example.com",
            "[init]",
            "defaultBranch = main",
        ]
        config += [f'[url "{repositories.as_posix()}/"]', f"insteadOf = {TEMPLATE_URL}"]
        (self.home / ".gitconfig").write_text("\n".join(config), encoding="utf-8")
        # Share uv's cache with the other tests, to download packages once.
        cache = subprocess.run(
            ["uv", "cache", "dir"], check=True, capture_output=True, text=True
        ).stdout.strip()
        self.environment = {
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),
            "UV_CACHE_DIR": cache,
        }

    def run(
        self, folder: Path, line: str, answers: str = "", **environment: str
    ) -> str:
        """Run a document's command line; return its output, or raise AssertionError."""
        return run(
            folder,
            *shlex.split(line, comments=True),
            typed=answers,
            **self.environment | environment,
        )


def block(readme: Path, language: str, before: str) -> str:
    """Return the first code block of a language after the text `before`."""
    _, _, text = readme.read_text(encoding="utf-8").partition(before)
    found = re.search(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, before
    return found[1]


def only(lines: list[str], start: str) -> str:
    """Return the only line with this start."""
    (line,) = [line for line in lines if line.startswith(start)]
    return line


def generate_for_a_team(machine: Machine, folder: Path) -> Path:
    """Generate a project without prompts, with a team's defaults, and commit it."""
    guide = ROOT / "docs" / "generation.md"
    team = block(guide, "yaml", "## Defaults of a team")
    (machine.home / ".cookiecutterrc").write_text(team, encoding="utf-8")
    summary = machine.run(
        folder, only(commands(guide, "Without prompts"), "uvx cookiecutter --no-input")
    )
    for choice in (
        "The museum's web team",
        "cloudinary_moderation  no",
        "auth_app               no",
        "gitlab",
    ):
        assert choice in summary
    project = folder / "field-notes"
    commit(project, "Start")
    return project


def update(machine: Machine, project: Path, origin: Path) -> None:
    """Edit the project, and update it to the next release."""
    change(
        project,
        [
            (
                "config/settings.py",
                'conf.time_zone, "UTC"',
                'conf.time_zone, "Europe/Zurich"',
            )
        ],
    )
    # Any `uv run` writes it, and the README says to commit it.
    machine.run(project, "uv lock")
    commit(project, "Move to Zurich")
    guide = project / "docs" / "updating.md"
    publish_next(origin)
    report = machine.run(
        project, only(commands(guide, "Take a release"), "uv run poe template-update")
    )
    assert f"- {NEXT}: {ACTION}" in report
    commit(project, f"Take release {NEXT}")
    settings = (project / "config" / "settings.py").read_text(encoding="utf-8")
    assert "Europe/Zurich" in settings
    assert "REPORT_EMAIL" in settings
    (start,) = commands(project / "README.md", "Start")
    with pytest.raises(AssertionError, match="REPORT_EMAIL: Is not set"):
        machine.run(project, start)
    with (project / ".env").open("a", encoding="utf-8") as env:
        env.write("REPORT_EMAIL=reports@example.com\n")


def check_evidence(project: Path, report: str) -> None:
    """Check that a whole run showed every control without a failure."""
    summary = report.partition(" controls =")[2]
    assert "\n0 red\n0 not shown\n0 left out\n" in summary
    evidence = json.loads(
        (project / "reports" / "controls.json").read_text(encoding="utf-8")
    )
    assert (evidence["complete"], evidence["result"], evidence["failed"]) == (
        True,
        "green",
        [],
    )
    shown = [it for it in evidence["controls"] if it["state"] == "shown"]
    assert f"\n{len(shown)} shown\n" in summary
    assert len(shown) > 40


def test_documents_lead_from_generation_to_passed_scans(
    template: Path, tmp_path: Path
) -> None:
    origin = shutil.copytree(template, tmp_path / "repositories" / "secure-django.git")
    publish(origin)
    machine = Machine(tmp_path, origin.parent)

    project = generate_for_a_team(machine, tmp_path)
    assert f'version = "{RELEASE}"' in (project / "pyproject.toml").read_text(
        encoding="utf-8"
    )
    update(machine, project, origin)
    test, _, scan = commands(project / "README.md", "Test, check, scan")
    check_evidence(project, machine.run(project, test))
    report = machine.run(project, scan)
    for name in ("bandit", "leaks", "sbom"):
        assert re.search(rf"^\| {name} +\| passed +\| \d+ +\|", report, re.MULTILINE), (
            report
        )
