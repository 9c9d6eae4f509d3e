"""A machine that updates projects, and CI's jobs, with stand-ins for uv and gh."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.baking import clean_environment, run
from tests.support.releases import NEXT, SERVER, VENDOR

# This suite's tools instead of a download. Without RUN_TESTS, checks and tests of the
# project count as passed, and as failed if it is "red". So does what writes
# settings.lock. Of the engines, one module is tested: test_engines.py tests all. Of the
# project's tests, a few run: test_end_to_end.py runs all after an update.
# With GENERATED, a folder, each project is generated once, and then copied from there.
UV = """\
#!/bin/bash
# Takes the command of update.py that generates. What comes out depends on the commit
# of the template, its tags and its address, and on the answers.
generate_once() {
  local output=$6 template=$7 original
  original="$GENERATED/$(
    {
      printf '%s\\n' "$2" "${@:8}"
      git -C "$template" rev-parse HEAD
      git -C "$template" show-ref --tags
      git -C "$template" config remote.origin.url
    } | sha256sum | cut --characters=1-64
  )" || return
  if [ ! -d "$original" ]; then
    "$@" || return
    mkdir --parents "$GENERATED"
    cp --archive "$output" "$original.$$"
    # Another process may have been first.
    mv --no-target-directory "$original.$$" "$original" || true
  else
    cp --archive "$original" "$output"
  fi
}

case "$1" in
  run)
    shift
    while [[ "$1" == -* ]]; do shift; done
    counted="^(check|test|engines|settings-lock)$"
    if [ -z "${RUN_TESTS:-}" ] && [[ "$2" =~ $counted ]]; then exit 0; fi
    if [[ "$2" == engines ]]; then exec "$@" -k test_headers; fi
    if [[ "$2" == test ]]; then exec "$@" -k start_page; fi
    if [[ "$2" == check && "$RUN_TESTS" == red ]]; then exit 1; fi
    exec "$@" ;;
  tool)
    while [ "$1" != cookiecutter ]; do shift; done
    if [ -z "$GENERATED" ]; then exec "$@"; fi
    generate_once "$@" ;;
  lock) echo locked > uv.lock ;;
esac
"""
# The request of the branch is in a file.
GH = """\
#!/bin/bash
request="$HOME/request.json"
case "$1 $2" in
  "pr view") exec jq --raw-output "$7" "$request" ;;
  "pr create")
    if [ -z "$ALLOWED" ]; then exit 1; fi
    if [ -n "${NO_DRAFTS:-}" ] && [[ " $* " == *" --draft "* ]]; then exit 1; fi
    jq --null-input --arg title "$6" '{state: "OPEN", title: $title}' > "$request" ;;
esac
echo "gh $*"
"""
# The condition of the steps that test a merge.
MERGED = "${{ steps.merge.outputs.release && !steps.merge.outputs.decide }}"
PIPX = "#!/bin/bash\n"
# Without the first word, an option.
SUDO = '#!/bin/bash\nexec "${@:2}"\n'


class Machine:
    """A folder with a home, where Git finds the template at its published URL."""

    def __init__(
        self, folder: Path, repositories: Path, generated: Path | None = None
    ) -> None:
        """Create the home and the stand-ins; `repositories` contains the template.

        `generated` is a folder of generated projects that machines share.
        """
        self.folder = folder
        self.remote = folder / "remote.git"
        home = folder / "home"
        programs = folder / "bin"
        home.mkdir()
        programs.mkdir()
        config = [
            "[user]",
            "name = Ann",
            "email = ann@example.com",
            f'[url "{repositories.as_posix()}/"]',
            f"insteadOf = {SERVER}/",
        ]
        (home / ".gitconfig").write_text("\n".join(config), encoding="utf-8")
        for name, text in {"uv": UV, "gh": GH, "pipx": PIPX, "sudo": SUDO}.items():
            (programs / name).write_text(text, encoding="utf-8")
            (programs / name).chmod(0o755)
        path = os.pathsep.join([str(programs), clean_environment()["PATH"]])
        self.environment = {
            "HOME": str(home),
            "PATH": path,
            "GENERATED": str(generated or ""),
        }

    def run(self, folder: Path, *command: str) -> str:
        """Run a command and return its output; a failure raises AssertionError."""
        return run(folder, *command, **self.environment)

    def clone(self, branch: str) -> Path:
        """Clone a branch of the project's remote repository."""
        clones = list(self.folder.glob("clone-*"))
        target = self.folder / f"clone-{len(clones)}"
        clone = ("git", "clone", "--quiet", "--branch", branch)
        run(self.folder, *clone, str(self.remote), str(target))
        return target

    def close_request(self, title: str = f"Update the template to v{NEXT}") -> None:
        """Close the request, as a team does on GitHub.

        GitLab has no stand-in: there only the branch counts.
        """
        request = self.folder / "home" / "request.json"
        text = json.dumps({"state": "CLOSED", "title": title})
        request.write_text(text, encoding="utf-8")


@dataclass
class Request:
    """What CI's jobs did.

    The output, the run's page, the body and options of the request, and the artifact.
    """

    artifact: Path
    log: str = ""
    page: str = ""
    body: str = ""
    failed: bool = False
    pushed: bool = False
    tests: str = "skipped"
    options: str = ""


def package_of(project: Path) -> dict[str, str]:
    """Return an environment where the project's own copy of the package is imported."""
    return {"PYTHONPATH": str(project / VENDOR / "src")}


def jobs_of(project: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the job that merges and the job that opens the request."""
    workflow = project / ".github" / "workflows" / "template-update.yml"
    if workflow.is_file():
        jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
        return jobs["update"], jobs["request"]
    pipeline = yaml.safe_load((project / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    return pipeline["template-update"], pipeline["template-request"]


def run_jobs(
    project: Path,
    machine: Machine,
    *,
    tests: str = "",
    own_token: bool = False,
    allowed: bool = True,
) -> Request:
    """Run both jobs in new clones of the project, as CI does.

    `tests` is "whole" to run check, tests and those of an engine, and "red" to let them
    fail.
    """
    if not machine.remote.is_dir():
        clone_bare = ("git", "clone", "--quiet", "--bare")
        run(machine.folder, *clone_bare, str(project), str(machine.remote))
        run(machine.remote, "git", "config", "receive.advertisePushOptions", "true")
    before = run(machine.remote, "git", "for-each-ref")
    clone = machine.clone("main")
    request = Request(clone / "reports" / "template-update")
    page = machine.folder / "page.md"
    page.write_text("", encoding="utf-8")
    environment = {
        "GITHUB_STEP_SUMMARY": str(page),
        "GITHUB_OUTPUT": str(machine.folder / "output"),
    }
    environment |= {
        "RUN_TESTS": tests,
        "ALLOWED": "yes" if allowed else "",
        # The project's package, where `uv run` would install it.
        **package_of(clone),
    }
    jobs = jobs_of(project)
    if "steps" in jobs[0]:
        environment["OWN_TOKEN"] = "yes" if own_token else ""
        on_github(request, machine, clone, jobs, environment)
    else:
        on_gitlab(request, machine, clone, jobs, environment)
    request.page = page.read_text(encoding="utf-8")
    request.pushed = run(machine.remote, "git", "for-each-ref") != before
    return request


def on_github(
    request: Request,
    machine: Machine,
    clone: Path,
    jobs: tuple[dict[str, Any], ...],
    environment: dict[str, str],
) -> None:
    """Run the steps of both jobs, each under the condition that its `if` states."""
    output = Path(environment["GITHUB_OUTPUT"])
    output.write_text("", encoding="utf-8")
    for step in jobs[0]["steps"]:
        condition = step.get("if", "")
        outputs = output.read_text(encoding="utf-8")
        is_merged = "release=" in outputs and "decide=" not in outputs
        conditions = {
            "": not request.failed,
            "${{ !cancelled() }}": True,
            "${{ failure() }}": request.failed,
            MERGED: is_merged and not request.failed,
        }
        if "run" in step and conditions[condition]:
            code = execute(request, machine, clone, step["run"], environment)
            if step.get("id") == "tests":
                request.tests = "failure" if code else "success"
            elif code:
                request.failed = True
    outputs = output.read_text(encoding="utf-8")
    release = re.search(r"^release=(.+)$", outputs, re.MULTILINE)
    if request.failed or not release:
        return
    second = machine.clone("main")
    artifact = second / "reports" / "template-update"
    shutil.copytree(request.artifact, artifact)
    variables = jobs[1]["env"].items()
    environment |= {key: value for key, value in variables if "${{" not in value}
    environment |= {
        "TITLE": f"Update the template to {release[1]}",
        "TESTS": request.tests,
        "RUN": "https://run",
    }
    for step in jobs[1]["steps"]:
        if "run" in step and not request.failed:
            code = execute(request, machine, second, step["run"], environment)
            request.failed = code != 0
    request.body = (artifact / "body.md").read_text(encoding="utf-8")


def on_gitlab(
    request: Request,
    machine: Machine,
    clone: Path,
    jobs: tuple[dict[str, Any], ...],
    environment: dict[str, str],
) -> None:
    """Run the scripts of both jobs, each in one shell."""
    options = machine.folder / "options"
    hook = machine.remote / "hooks" / "pre-receive"
    text = f'#!/bin/sh\nenv | grep ^GIT_PUSH_OPTION_ > "{options}"\n'
    hook.write_text(text, encoding="utf-8")
    hook.chmod(0o755)
    script = "\n".join(jobs[0]["script"])
    request.failed = execute(request, machine, clone, script, environment) != 0
    request.body = (request.artifact / "todo.txt").read_text(encoding="utf-8")
    if request.failed:
        return
    second = machine.clone("main")
    shutil.copytree(request.artifact, second / "reports" / "template-update")
    environment |= jobs[1]["variables"]
    environment |= {
        "REPOSITORY": str(machine.remote),
        "CI_DEFAULT_BRANCH": "main",
        "TEMPLATE_UPDATE_TOKEN": environment["ALLOWED"],
        "CI_PIPELINE_URL": "https://run",
    }
    script = "\n".join(jobs[1]["script"])
    request.failed = execute(request, machine, second, script, environment) != 0
    if options.is_file():
        request.options = options.read_text(encoding="utf-8")


def execute(
    request: Request,
    machine: Machine,
    folder: Path,
    script: str,
    environment: dict[str, str],
) -> int:
    """Run a script as CI does, and return its exit code."""
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]
    process = subprocess.run(
        [*shell, script],
        cwd=folder,
        env=clean_environment() | environment | machine.environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    request.log += process.stdout
    return process.returncode
