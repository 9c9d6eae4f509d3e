"""Rules for every CI file: when jobs run, in which order, and with which rights.

The rules say what a job may do from what its steps do, so a workflow that a fork adds
obeys them too.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from secure_django.commands.tasks import TASKS
from secure_django.scans import SCANS
from tests.support.baking import ALL_ON, RAW, ROOT, Project, own_paths, run
from tests.support.renewal import (
    ROW_OF_BOTS,
    SHORTEST_COOLDOWN,
    cooldowns,
    read_dependabot,
)
from tests.support.updating import jobs_of

type Job = dict[str, Any]

MOST_MINUTES = 240  # of a job: the longest runs a third of what is scheduled
GITLAB = ALL_ON | {"ci_scanning": "gitlab"}
BYTECODE = "scans/bytecode.py"
RUNS_UV = re.compile(r"^\s*uv run\b", re.MULTILINE)
CHANGES, NEWS = {"push", "pull_request"}, {"schedule", "workflow_dispatch"}
# What a workflow is for says what must start it: every change, or the time, since new
# vulnerabilities and releases come without a change.
TRIGGERS = {
    "ci.yml": CHANGES,
    "image.yml": CHANGES,
    "tests.yml": CHANGES | {"workflow_call"},
    "docs.yml": CHANGES | {"workflow_call"},
    "everywhere.yml": {"workflow_call"},
    "security.yml": CHANGES | {"schedule"},
    "release.yml": {"push"},
    "scheduled.yml": NEWS | {"pull_request"},
    "renew.yml": NEWS,
    "template-update.yml": NEWS,
}
# The rights that a step needs. A job has those of its steps, and no others.
RIGHTS = {
    r"actions/checkout@": {"contents": "read"},
    r"actions/attest": {"attestations": "write", "id-token": "write"},
    r"github/codeql-action/(analyze|upload-sarif)@": {"security-events": "write"},
    r"ossf/scorecard-action@": {"id-token": "write"},
    r"pypa/gh-action-pypi-publish@": {"id-token": "write"},
    r"actions/deploy-pages@": {"id-token": "write", "pages": "write"},
    r"\bgit push\b|\bgh release create\b": {"contents": "write"},
    r"\bgh pr create\b": {"pull-requests": "write"},
    r"\bgh issue create\b": {"issues": "write"},
}
# These look at old commits or tags.
HISTORY = re.compile(
    r"poe security.* leaks|\.ci/new-release >>|python -m website --versions"
)
# A line that starts a program of the project.
RUNS_CODE = re.compile(r"^\s*(uv|poe|python\S*|pytest)\b", re.MULTILINE)
RAISES_PINS = re.compile(r"^\s*uv run renew\.py", re.MULTILINE)
KEEPS_REPORTS = re.compile(
    r"reports/.*GITHUB_STEP_SUMMARY|upload-(artifact|sarif)@(?s:.*)\breports\b"
)


def workflows(folder: Path) -> dict[str, dict[Any, Any]]:
    """Return the workflows of a folder; YAML reads the key `on` as true."""
    files = sorted((folder / ".github" / "workflows").iterdir())
    return {
        path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in files
    }


def jobs(folder: Path) -> Iterator[tuple[str, Job]]:
    """Yield every job of the workflows, with its name."""
    for file, workflow in workflows(folder).items():
        yield from ((f"{file}: {name}", job) for name, job in workflow["jobs"].items())


def steps(job: Job) -> list[str]:
    """Return each step as text: the action and its inputs, or the commands."""
    return [
        f"{step.get('uses', '')} {step.get('with', '')}\n{step.get('run', '')}"
        for step in job.get("steps", [])
    ]


def rights(job: Job, workflow: dict[str, dict[Any, Any]]) -> dict[str, str]:
    """Return the rights that the steps of a job need.

    A job that calls a workflow needs those of its jobs.
    """
    called = workflow.get(Path(job.get("uses", "")).name, {"jobs": {}})["jobs"].values()
    texts = [*steps(job), *(text for inner in called for text in steps(inner))]
    needed: dict[str, str] = {}
    for pattern, granted in RIGHTS.items():  # what reads comes before what writes
        if any(re.search(pattern, text) for text in texts):
            needed |= granted
    return needed


def needs(job: Job) -> set[str]:
    """Return the jobs that a job waits for."""
    named = job.get("needs", [])
    return {named} if isinstance(named, str) else set(named)


@pytest.fixture(params=["own", "emitted"])
def folder(request: pytest.FixtureRequest, pristine: Project) -> Path:
    """Return a folder with workflows: this repository, and a project."""
    return ROOT if request.param == "own" else pristine(ALL_ON)


# GitHub


def test_workflows_start_when_their_purpose_says(folder: Path) -> None:
    found = {file: workflow[True] for file, workflow in workflows(folder).items()}
    assert {"security.yml"} < found.keys()
    for file, triggers in found.items():
        assert TRIGGERS.get(file, set()) <= triggers.keys(), file
        assert triggers.get("pull_request") is None, (
            f"{file}: for every request, whatever it changes"
        )
        assert "main" in triggers.get("push", {}).get("branches", ["main"]), file
        for schedule in triggers.get("schedule", []):
            assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", schedule["cron"]), (
                f"{file}: each week"
            )
        text = (folder / ".github" / "workflows" / file).read_text(encoding="utf-8")
        assert (
            set(re.findall(r"github\.event_name [!=]= '(\w+)'", text))
            <= triggers.keys()
        ), file
        assert "pull_request_target" not in triggers, file


def test_jobs_have_the_rights_of_their_steps(folder: Path) -> None:
    for file, workflow in workflows(folder).items():
        assert workflow["permissions"] == {}, file
        for name, job in workflow["jobs"].items():
            granted = dict(job["permissions"])
            if "upload-sarif" in str(job) or "codeql" in str(job):
                granted.pop(
                    "actions", ""
                )  # code scanning reads them in private repositories
            assert granted == rights(job, workflows(folder)), f"{file}: {name}"


def test_job_that_writes_waits_for_all_others(folder: Path) -> None:
    """What it publishes was tested, and it runs nothing of what was tested.

    Only what needs what it wrote, such as a tag, comes later.
    """
    for file, workflow in workflows(folder).items():
        for name, job in workflow["jobs"].items():
            if rights(job, workflows(folder)).get("contents") == "write":
                all_jobs = workflow["jobs"]
                later = {key for key, it in all_jobs.items() if name in needs(it)}
                others = all_jobs.keys() - {name} - later
                assert needs(job) == others, f"{file}: {name}"
                assert not [text for text in steps(job) if RUNS_CODE.search(text)], (
                    f"{file}: {name}"
                )
            assert set(re.findall(r"\bneeds\.(\w+)", str(job))) <= needs(job), (
                f"{file}: {name}"
            )


def test_jobs_are_limited_and_actions_pinned(folder: Path) -> None:
    for file, workflow in workflows(folder).items():
        assert "concurrency" in workflow, file
    for name, job in jobs(folder):
        limit = job.get("timeout-minutes", MOST_MINUTES + 1)
        assert limit <= MOST_MINUTES or job["uses"].startswith("./"), name
        for step in job.get("steps", []):
            assert re.fullmatch(
                r"[\w./-]+@[0-9a-f]{40}", step.get("uses", f"none@{'0' * 40}")
            ), name
            if "actions/checkout@" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False, name
        assert not job.get("runs-on", "").endswith("latest"), (
            f"{name}: it would change by itself"
        )
        if HISTORY.search(str(steps(job))):
            assert any("'fetch-depth': 0" in text for text in steps(job)), (
                f"{name}: it needs all commits"
            )


def test_no_failure_is_passed_over(folder: Path) -> None:
    for name, job in jobs(folder):
        assert "continue-on-error" not in job, name
        assert job.get("strategy", {}).get("fail-fast", False) is False, (
            f"{name}: it would hide other failures"
        )
        for step in job.get("steps", []):
            assert not re.search(r"\|\| true(?!\))", step.get("run", "")), name
            if "continue-on-error" in step:  # then the job hands on how the step ended
                assert f"steps.{step['id']}.outcome" in str(job["outputs"]), name
            if KEEPS_REPORTS.search(
                f"{step.get('uses')} {step.get('with')} {step.get('run')}"
            ):
                assert re.search(r"cancelled\(\)|failure\(\)", step.get("if", "")), (
                    f"{name}: also after a finding"
                )


def test_no_job_shares_a_cache_with_the_templates_code(pristine: Project) -> None:
    """Code that runs in a job can write to its repository's cache by itself."""
    for name, job in jobs(pristine(ALL_ON)):
        for step in job["steps"]:
            if "setup-uv@" in step.get("uses", ""):
                assert step["with"]["enable-cache"] is False, name
    # Data of known vulnerabilities, which takes an hour to download.
    assert [
        key for key, job in pipeline(pristine(GITLAB)).items() if "cache" in job
    ] == ["dependency-check"]


def test_jobs_last_longer_than_the_limits_of_their_tests() -> None:
    """The inner limit names the test that hangs."""
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    limits = re.findall(r"run_tests (\w+) (\d+) (\d+)", text)
    seconds = {tier: int(first) + int(second) for tier, first, second in limits}
    needed = {
        "tests.yml: quick": seconds["quick"],
        "tests.yml: whole": seconds["whole"],
        "everywhere.yml: whole": seconds["whole"],
        "renew.yml: renew": seconds["quick"] + seconds["whole"],
        "scheduled.yml: test": seconds["scheduled"],
    }
    limits_of_jobs = {
        name: job["timeout-minutes"] * 60 for name, job in jobs(ROOT) if name in needed
    }
    assert limits_of_jobs.keys() == needed.keys()
    too_short = [name for name in needed if limits_of_jobs[name] <= needed[name]]
    assert not too_short


def test_job_that_runs_new_packages_may_not_write() -> None:
    renewal = workflows(ROOT)["renew.yml"]["jobs"]
    assert renewal["renew"]["permissions"] == {"contents": "read"}
    assert "TOKEN" not in str(renewal["renew"])
    assert "uv " not in str(renewal["request"]).replace("uv run renew.py", "")
    actions = [step["uses"] for step in renewal["request"]["steps"] if "uses" in step]
    assert all(action.startswith("actions/") for action in actions)


def test_job_that_runs_new_packages_shares_no_cache() -> None:
    """An entry that their code wrote would reach jobs that may write."""
    for name, job in jobs(ROOT):
        if any(RAISES_PINS.search(text) for text in steps(job)):
            setups = [step for step in job["steps"] if "setup-uv@" in str(step)]
            assert setups, name
            assert not [it for it in setups if it["with"].get("enable-cache", True)]


def test_job_that_uploads_to_the_index_has_nothing_but_the_files() -> None:
    """It may sign and publish, so no code of the repository or of a package runs."""
    release = workflows(ROOT)["release.yml"]["jobs"]
    publish = release["publish"]
    assert publish["environment"] == "pypi"
    assert set(publish["permissions"]) == {"id-token"}
    steps = publish["steps"]
    actions = [step["uses"].partition("@")[0] for step in steps if "uses" in step]
    assert actions == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]
    check, remove = [step["run"] for step in steps if "run" in step]
    assert "sha256sum --check" in check
    assert remove.startswith("rm dist/*.sha256")
    assert needs(publish) >= {"test", "everywhere", "build", "try"}
    assert "publish" in needs(release["release"]), "no tag before the upload"
    others = {name for name in release if "environment" in release[name]}
    assert others == {"publish"}


def test_job_that_builds_a_release_installs_nothing() -> None:
    build = workflows(ROOT)["release.yml"]["jobs"]["build"]
    commands = "\n".join(step["run"] for step in build["steps"] if "run" in step)
    assert "python3 release.py" in commands
    assert not re.search(r"\b(uv (run|sync|pip)|pip|poe|pytest)\b", commands)


def test_no_artifact_can_replace_the_patch_of_a_renewal() -> None:
    """The tests run code of new packages, which can write into the later artifact."""
    steps_of_request = workflows(ROOT)["renew.yml"]["jobs"]["request"]["steps"]
    downloads = [
        step["with"] for step in steps_of_request if "download-artifact@" in str(step)
    ]
    assert {it["name"] for it in downloads} == {"renewal", "renewal-failures"}
    assert len({it["path"] for it in downloads}) == len(downloads)
    assert not [it for it in downloads if "merge-multiple" in it]


# Returns the open issues of a file, and notes every other command.
GH = """\
#!/bin/sh
if [ "$2" = list ]; then cat "$ISSUES"; else echo "$2 $3" >> "$COMMANDS"; fi
"""


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for gh is a script")
@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
@pytest.mark.parametrize(
    ("issues", "command"),
    [
        ([], "create --title"),
        ([{"number": 7, "title": "Why the scheduled tests fail"}], "create --title"),
        ([{"number": 8, "title": "The scheduled tests fail"}], "comment 8"),
    ],
)
def test_failed_schedule_opens_or_updates_one_issue(
    issues: list[dict[str, object]], command: str, tmp_path: Path
) -> None:
    job = workflows(ROOT)["scheduled.yml"]["jobs"]["report"]
    assert "github.event_name == 'schedule'" in job["if"]
    for name in needs(job):
        assert f"needs.{name}.result != 'success'" in job["if"]
    assert needs(job) == {"test", "everywhere", "django"}
    gh = tmp_path / "gh"
    gh.write_text(GH, encoding="utf-8")
    gh.chmod(0o755)
    (tmp_path / "issues").write_text(json.dumps(issues), encoding="utf-8")
    environment = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "ISSUES": str(tmp_path / "issues"),
        "COMMANDS": str(tmp_path / "commands"),
        "TITLE": job["env"]["TITLE"],
        "BODY": "Failed.",
    }
    (step,) = job["steps"]
    run(tmp_path, "bash", "-euo", "pipefail", "-c", step["run"], **environment)
    assert (tmp_path / "commands").read_text(encoding="utf-8") == f"{command}\n"


# GitLab


def pipeline(project: Path) -> dict[str, Any]:
    """Return the pipeline of a project: its jobs and its general keys."""
    parsed: dict[str, Any] = yaml.safe_load(
        (project / ".gitlab-ci.yml").read_text(encoding="utf-8")
    )
    return parsed


def script(job: Job) -> str:
    """Return all commands of a job."""
    parts = (job.get(key, []) for key in ("before_script", "script", "after_script"))
    return "\n".join(
        line for part in parts for line in ([part] if isinstance(part, str) else part)
    )


def test_pipeline_runs_for_changes_and_schedules(pristine: Project) -> None:
    parsed = pipeline(pristine(GITLAB))
    rules = [rule["if"] for rule in parsed["workflow"]["rules"]]
    assert rules == [
        '$CI_PIPELINE_SOURCE == "merge_request_event"',
        "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH",
        '$CI_PIPELINE_SOURCE == "schedule"',
    ]
    scheduled = {
        name for name, job in parsed.items() if "rules" in job and name != "workflow"
    }
    assert scheduled == {"engines", "template-update", "template-request"}
    assert not [
        name for name in scheduled if parsed[name]["rules"] != [{"if": rules[2]}]
    ]
    assert "weekly schedule" in (pristine(GITLAB) / "docs" / "updating.md").read_text(
        encoding="utf-8"
    )


def test_pipeline_follows_the_rules_of_the_workflows(pristine: Project) -> None:
    parsed = pipeline(pristine(GITLAB))
    assert parsed["default"]["timeout"]
    names = parsed.keys() - {"workflow", "variables", "default"}
    for name in names:
        job, commands = parsed[name], script(parsed[name])
        assert not {"allow_failure", "when"} & job.keys(), name
        assert not re.search(r"\|\| true", commands), name
        if HISTORY.search(commands):
            assert job["variables"]["GIT_DEPTH"] == "0", f"{name}: it needs all commits"
        if "TOKEN" in commands:
            assert job["environment"], f"{name}: the token has its scope"
            assert not RUNS_CODE.search(commands), name
        made = (
            {other for other in names - {name} if f"reports/{other}/" in commands}
            if "needs" in job
            else set()
        )
        assert made <= needs(job), name
        assert name != "template-request" or needs(job) == {"template-update"}


def test_every_job_on_gitlab_keeps_its_reports(pristine: Project) -> None:
    """A job's own `artifacts` replace the default ones."""
    kept = {
        key: job["artifacts"]
        for key, job in pipeline(pristine(GITLAB)).items()
        if "artifacts" in job
    }
    assert {"default", "test", "scan", "dependency-check"} <= set(kept)
    for key, artifacts in kept.items():
        assert (artifacts["paths"], artifacts["when"]) == (["reports/"], "always"), key


# Both


@pytest.mark.parametrize("ci_scanning", ["github", "gitlab"])
def test_ci_checks_tests_and_scans_everything_with_the_lock_file(
    ci_scanning: str, pristine: Project
) -> None:
    project = pristine(ALL_ON | {"ci_scanning": ci_scanning})
    if ci_scanning == "github":
        commands = "\n".join(text for _, job in jobs(project) for text in steps(job))
        locks = [
            flow["env"].get("UV_LOCKED")
            for file, flow in workflows(project).items()
            if "env" in flow
        ]
        assert locks == ["1", "1", "1"], "CI never writes a new lock file"
    else:
        parsed = pipeline(project)
        commands = "\n".join(
            script(job) for job in parsed.values() if isinstance(job, dict)
        )
        assert parsed["variables"]["UV_LOCKED"] == "1", (
            "CI never writes a new lock file"
        )
    assert not [
        task for task in TASKS["ci"]["sequence"] if f"poe {task}" not in commands
    ]
    scans = set(SCANS)
    if ci_scanning == "gitlab":
        scans -= {"workflows"}
    command = r"^.*(?:poe security|secure_django\.scans)((?: [\w-]+)+)"
    called = " ".join(re.findall(command, commands, re.MULTILINE)).split()
    assert sorted(called) == sorted(scans), "every scan runs, once"


@pytest.mark.parametrize("ci_scanning", ["github", "gitlab"])
def test_engines_are_tested_each_week_and_on_each_update(
    ci_scanning: str, pristine: Project
) -> None:
    project = pristine(ALL_ON | {"ci_scanning": ci_scanning})
    command = "uv run poe engines"
    if ci_scanning == "github":
        flow = workflows(project)["security.yml"]
        job = flow["jobs"]["engines"]
        assert set(re.findall(r"github\.event_name == '(\w+)'", job["if"])) == NEWS
        assert flow[True].keys() >= NEWS
        assert flow["env"]["UV_LOCKED"] == "1"
        assert job["steps"][-1]["run"] == command
    else:
        job = pipeline(project)["engines"]
        assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "schedule"'}]
        assert job["script"] == command
    merging, _ = jobs_of(project)
    commands = re.findall(r"uv run poe (check|test|engines)\b", str(merging))
    assert commands == ["check", "test", "engines"]


# Whatever names a version has something that raises it.
ECOSYSTEMS = {
    "pyproject.toml": "uv",
    "Dockerfile": "docker",
    "compose.yaml": "docker-compose",
    ".github/workflows": "github-actions",
}


def test_dependabot_raises_whatever_names_a_version(folder: Path) -> None:
    config = read_dependabot(folder)
    entries = {
        (it["package-ecosystem"], it["directory"].strip("/"))
        for it in config["updates"]
    }
    expected = {("uv", ""), ("github-actions", "")}
    if folder == ROOT:
        expected |= {
            ("github-actions", f"{RAW}/.github/workflows")
        }  # renew.py raises the images of the raw folder
    else:
        # The package's releases raise what is in vendor/.
        files = [
            Path(path)
            for path in own_paths(folder)
            if path.rpartition("/")[2] in ECOSYSTEMS
        ]
        expected |= {
            (ECOSYSTEMS[path.name], path.parent.as_posix().strip(".")) for path in files
        }
    missing = expected - entries
    assert not missing, f"dependabot.yml needs entries for {missing}\n{ROW_OF_BOTS}"
    assert not cooldowns(folder), (
        f"dependabot.yml needs a cooldown of {SHORTEST_COOLDOWN} days\n{ROW_OF_BOTS}"
    )


def test_jobs_on_github_refuse_compiled_code_before_they_run_any(
    pristine: Project,
) -> None:
    count = 0
    for name, job in jobs(pristine(ALL_ON)):
        texts = steps(job)
        running = [place for place, text in enumerate(texts) if RUNS_UV.search(text)]
        checks = [place for place, text in enumerate(texts) if BYTECODE in text]
        if running:
            assert checks, name
            assert checks[0] < running[0], name
            count += 1
    assert count >= 6


def test_jobs_on_gitlab_refuse_compiled_code_before_they_run_any(
    pristine: Project,
) -> None:
    all_jobs = pipeline(pristine(GITLAB))
    usual = all_jobs["default"]["before_script"]
    count = 0
    for name, job in all_jobs.items():
        if "script" in job and RUNS_UV.search(script(job)):
            assert BYTECODE in str(job.get("before_script", usual)), name
            count += 1
    assert count >= 6
