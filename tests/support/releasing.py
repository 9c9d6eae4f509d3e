"""What `.github/workflows/release.yml` does, with a stand-in for gh."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from tests.support.baking import ROOT, commit, run
from tests.support.records import record
from tests.support.releases import change, set_version

# `gh release create` makes the tag in the repository, and publishes files and notes.
GH = """\
#!/bin/bash
set -e
[ "$1 $2 $4 $6 $8" = "release create --target --title --notes-file" ]
[ -z "$(ls -A "$INDEX")" ] && echo "the index has nothing yet" >&2 && exit 1
git -C "$ORIGIN" tag "$3" "$5"
mkdir "$PUBLISHED/$3"
cp "$9" "$PUBLISHED/$3/notes.md"
cp "${@:10}" "$PUBLISHED/$3/"
"""
SECTION = re.compile(r"^## (\S+), (\S+)\n\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def first_section(template: Path) -> tuple[str, str, str]:
    """Return the number, the date and the text of the changelog's first section."""
    changelog = (template / "CHANGELOG.md").read_text(encoding="utf-8")
    section = SECTION.search(changelog)
    assert section, "the changelog has no release"
    number, date, text = section.groups()
    return number, date, text.strip()


def date_release(template: Path) -> str:
    """Commit what CONTRIBUTING.md asks for a release, with a date; return its tag."""
    number, date, _ = first_section(template)
    change(
        template,
        [("CHANGELOG.md", f"\n## {number}, {date}\n", f"\n## {number}, 2099-01-31\n")],
    )
    set_version(template, number)
    record(template)
    commit(template, f"Release {number}")
    return f"v{number}"


class Runner:
    """Runs the commands of the workflow's jobs, each in a clone, as GitHub does.

    Of the actions, artifacts are copied, and the upload to the index is a copy too.
    """

    def __init__(self, origin: Path, folder: Path) -> None:
        """Make the stand-ins and folders of a run."""
        path = ROOT / ".github" / "workflows" / "release.yml"
        self.jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
        self.origin = origin
        self.folder = folder
        self.values = {"github.token": "none"}
        for name in ("bin", "artifacts", "index", "published"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "bin" / "gh").write_text(GH, encoding="utf-8")
        (folder / "bin" / "gh").chmod(0o755)
        self.environment = {
            "ORIGIN": str(origin),
            "INDEX": str(folder / "index"),
            "PUBLISHED": str(folder / "published"),
            "GITHUB_SHA": run(origin, "git", "rev-parse", "HEAD").strip(),
        }

    def run_job(self, name: str) -> None:
        """Run a job, and keep its outputs."""
        job = self.jobs[name]
        clone = self.folder / name
        # What a job that checks nothing out has is its artifacts alone.
        if any("checkout@" in step.get("uses", "") for step in job["steps"]):
            run(self.folder, "git", "clone", "--quiet", str(self.origin), str(clone))
        clone.mkdir(exist_ok=True)
        environment = self.environment | {"GITHUB_OUTPUT": str(clone / ".output")}
        for variable, value in job.get("env", {}).items():
            environment[variable] = fill(value, self.values)
        for step in job["steps"]:
            if "run" in step:
                path = f'PATH="{self.folder / "bin"}:$PATH"\n'
                script = ("bash", "--noprofile", "-e", "-c", f"{path}{step['run']}")
                run(clone, *script, **environment)
            else:
                self.run_action(step, clone, environment)
        if (clone / ".output").exists():
            self.keep_outputs(name, clone)

    def keep_outputs(self, name: str, clone: Path) -> None:
        """Keep what a job wrote for later ones."""
        lines = (clone / ".output").read_text(encoding="utf-8").splitlines()
        for line in lines:
            variable, _, value = line.partition("=")
            self.values[f"needs.{name}.outputs.{variable}"] = value

    def run_action(
        self, step: dict[str, Any], clone: Path, environment: dict[str, str]
    ) -> None:
        """Do what an action does to files; check the inputs of an attestation."""
        action = step["uses"].partition("@")[0].rpartition("/")[2]
        inputs = step.get("with", {})
        if action == "upload-artifact":
            shutil.copytree(clone / inputs["path"], self.artifact(inputs))
        elif action == "download-artifact":
            shutil.copytree(self.artifact(inputs), clone / inputs["path"])
        elif action == "gh-action-pypi-publish":
            assert set(inputs) == {"packages-dir"}, "attestations are its default"
            for path in (clone / inputs["packages-dir"]).iterdir():
                shutil.copy2(path, self.folder / "index")
        elif action == "attest":
            patterns = fill(inputs["subject-path"], environment, "env.").split()
            assert all(list(clone.glob(pattern)) for pattern in patterns)
            assert (clone / inputs.get("sbom-path", ".")).exists()

    def artifact(self, inputs: dict[str, str]) -> Path:
        """Return the folder of an artifact."""
        return self.folder / "artifacts" / inputs["name"]


def publish_by_workflow(origin: Path, folder: Path) -> str:
    """Run the commands of the workflow's own jobs; return the tag that it makes.

    The jobs between them run tests, by other workflows and by `test_delivery.py`. The
    SBOM of the latter is made up.
    """
    runner = Runner(origin, folder)
    runner.run_job("new")
    tag = runner.values["needs.new.outputs.tag"]
    if tag:
        runner.run_job("build")
        sbom = folder / "artifacts" / "sbom" / "sbom.cdx.json"
        sbom.parent.mkdir()
        sbom.write_text("{}\n", encoding="utf-8")
        runner.run_job("publish")
        runner.run_job("release")
    return tag


def fill(text: str, values: dict[str, str], prefix: str = "") -> str:
    """Replace the expressions of a workflow; an unknown one raises KeyError."""
    expression = re.compile(r"\$\{\{ (.+?) \}\}")
    return expression.sub(lambda it: values[it[1].removeprefix(prefix)], text)


def add_patch_release(template: Path) -> str:
    """Add a section for a made-up patch release; return its number."""
    number, _, _ = first_section(template)
    major, minor, patch = number.split(".")
    following = f"{major}.{minor}.{int(patch) + 1}"
    changelog = template / "CHANGELOG.md"
    section = f"## {following}, unreleased\n\n**What to do:** nothing.\n\n- A fix.\n\n"
    text = changelog.read_text(encoding="utf-8")
    changelog.write_text(
        text.replace("## ", f"{section}## ", 1), encoding="utf-8", newline="\n"
    )
    return following


def version(template: Path) -> str:
    """Return the release that generated projects record."""
    prompts = json.loads((template / "cookiecutter.json").read_text(encoding="utf-8"))
    return str(prompts["_version"])
