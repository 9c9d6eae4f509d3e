"""What `.github/workflows/release.yml` does, with a stand-in for gh."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from tests.support.baking import ROOT, commit, run
from tests.support.records import record
from tests.support.releases import change, set_version

# `gh release create` makes the tag in the repository, and publishes the archive with
# the notes.
GH = """\
#!/bin/bash
set -e
[ "$1 $2 $5 $7 $9" = "release create --target --title --notes-file" ]
git -C "$ORIGIN" tag "$3" "$6"
mkdir "$PUBLISHED/$3"
cp "$4" "$PUBLISHED/$3/"
cp "${10}" "$PUBLISHED/$3/notes.md"
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


def publish_by_workflow(origin: Path, folder: Path) -> str:
    """Run the commands of the workflow's own jobs; return the tag that it makes.

    Each job has a clone of its own. The job between them runs the tests, by another
    workflow. Actions are not run.
    """
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    programs = folder / "bin"
    programs.mkdir(parents=True)
    (programs / "gh").write_text(GH, encoding="utf-8")
    (programs / "gh").chmod(0o755)
    (folder / "published").mkdir()
    output = folder / "output"
    environment = {
        "ORIGIN": str(origin),
        "PUBLISHED": str(folder / "published"),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_SHA": run(origin, "git", "rev-parse", "HEAD").strip(),
    }
    run_job(jobs["new"], origin, folder / "new", environment)
    tag = output.read_text(encoding="utf-8").removeprefix("tag=").strip()
    if tag:
        values = {"needs.new.outputs.tag": tag, "github.token": "none"}
        for name, value in jobs["release"]["env"].items():
            environment[name] = fill(value, values)
        run_job(jobs["release"], origin, folder / "release", environment)
    return tag


def run_job(
    job: dict[str, Any], origin: Path, clone: Path, environment: dict[str, str]
) -> None:
    """Run the commands of a job in a clone, as a runner of GitHub does."""
    run(origin.parent, "git", "clone", "--quiet", str(origin), str(clone))
    programs = clone.parent / "bin"
    for step in job["steps"]:
        if "attest" in step.get("uses", ""):
            subject = fill(step["with"]["subject-path"], environment, "env.")
            assert (clone / subject).is_file()
        if "run" in step:
            script = f'PATH="{programs}:$PATH"\n{step["run"]}'
            run(clone, "bash", "--noprofile", "-e", "-c", script, **environment)


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
