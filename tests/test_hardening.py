"""What the emitted files for production and Git restrict, beside a project's own tests.

tests/production/ runs all of it. This notices a lost line within a second.
"""

import re
import shutil
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    ON_PLATFORM,
    PROMPTS,
    ROOT,
    Answers,
    Project,
    name,
    run,
)

both = pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)


def directives(path: Path) -> dict[str, list[str]]:
    """Return the values of each directive of a systemd unit."""
    found: dict[str, list[str]] = {}
    for key, value in re.findall(
        r"^(\w+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE
    ):
        found.setdefault(key, []).append(value)
    return found


def compose(project: Path) -> dict[str, Any]:
    """Return the parsed compose.yaml."""
    parsed: dict[str, Any] = yaml.safe_load(
        (project / "compose.yaml").read_text(encoding="utf-8")
    )
    return parsed


@both
def test_what_stays_is_started_again_and_has_a_limit_of_memory(
    answers: Answers, pristine: Project
) -> None:
    project = pristine(answers)
    for unit in sorted((project / "deploy").glob("*.service")):
        own = directives(unit)
        if own.get("Type") != ["oneshot"]:
            assert own["Restart"] == ["always"], unit.name
            assert own["MemoryMax"], unit.name
    services = compose(project)["services"]
    depends = "".join(str(it.get("depends_on")) for it in services.values())
    for service, options in services.items():
        once = "profiles" in options or (
            f"'{service}': {{'condition': 'service_completed_successfully'}}" in depends
        )
        assert options["restart"] == ("no" if once else "unless-stopped"), service
        assert options["mem_limit"], service
        assert options["logging"]["options"]["max-size"], service


@both
def test_secrets_of_containers_are_files(answers: Answers, pristine: Project) -> None:
    """Everyone who lists the containers reads their environment."""
    secret = re.compile(r"SECRET|PASSWORD|TOKEN|KEY|_URL|DSN")
    for service, options in compose(pristine(answers))["services"].items():
        variables = options.get("environment", {})
        readable = [name for name in variables if secret.search(name)]
        assert all(name.endswith("_FILE") for name in readable), service


# Containers


@both
def test_each_container_that_stays_has_a_health_check_of_its_own(
    answers: Answers, pristine: Project
) -> None:
    project = pristine(answers)
    services = compose(project)["services"]
    stays = {it for it, options in services.items() if options["restart"] != "no"}
    assert {it for it, options in services.items() if "healthcheck" in options} == stays
    # The worker has another one than the site, and a platform has its own.
    assert "HEALTHCHECK" not in (project / "Dockerfile").read_text(encoding="utf-8")


@both
def test_site_stops_only_after_its_requests(
    answers: Answers, pristine: Project
) -> None:
    project = pristine(answers)
    stated = re.findall(
        r"graceful timeout of (\d+) seconds",
        (project / "docs" / "reference.md").read_text("utf-8"),
    )
    (unit,) = directives(project / "deploy" / "site-web@.service")["TimeoutStopSec"]
    grace = compose(project)["services"]["site"]["stop_grace_period"]
    assert "graceful_timeout" not in (project / "gunicorn.conf.py").read_text(
        "utf-8"
    ), "its default is 30"
    assert stated == ["30"]
    assert min(int(unit), int(grace.removesuffix("s"))) > 30


# Scripts and scans


@both
def test_shell_scripts_say_what_they_change_and_have_no_findings(
    answers: Answers, pristine: Project
) -> None:
    folder = pristine(answers) / "deploy"
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in folder.iterdir()
        if path.is_file()
    }
    scripts = [path for path, text in texts.items() if text.startswith("#!/bin/sh\n")]
    assert len(scripts) >= 4
    for script in scripts:
        header = re.findall(r"\A(?:#.*\n)+", texts[script])[0]
        assert "\n# It changes: " in header, script.name
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    run(folder, "shellcheck", str(ROOT / ".ci" / "run"), *(it.name for it in scripts))


def test_dependabot_leaves_out_a_version_of_dependency_check_that_needs_a_key(
    pristine: Project,
) -> None:
    dependabot = pristine(ALL_ON) / ".github" / "dependabot.yml"
    updates = yaml.safe_load(dependabot.read_text(encoding="utf-8"))["updates"]
    folder = "/scripts/dependency-check"
    (entry,) = [it for it in updates if it["directory"] == folder]
    ignored = {it["dependency-name"]: it.get("versions") for it in entry["ignore"]}
    assert ignored["owasp/dependency-check"] == ["13.0.0"]


# Ignored files


def samples(pattern: str) -> str:
    """Return a path that a pattern of an ignore file means."""
    path = pattern.strip("/").replace("**/", "folder/").replace("*", "x")
    return f"{path}/file" if pattern.endswith("/") else path


def in_image(path: str, rules: list[str]) -> bool:
    """Tell whether Docker copies a path: a rule is for a path and what is below it."""
    parts = path.split("/")
    heads = ["/".join(parts[: number + 1]) for number in range(len(parts))]
    for rule in rules:
        plain = rule.removeprefix("/")
        tails = (
            heads
            if not plain.startswith("**/")
            else [part for head in heads for part in (head, head.rpartition("/")[2])]
        )
        if any(fnmatchcase(it, plain.removeprefix("**/")) for it in tails):
            return False
    return True


def rules(path: Path) -> list[str]:
    """Return the lines of an ignore file."""
    return [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]


@both
def test_secrets_and_data_are_neither_committed_nor_in_the_image(
    answers: Answers, project: Project
) -> None:
    """cookiecutter.json also names what work leaves behind, and does not copy it."""
    folder = project(answers)
    ignored = {
        samples(rule)
        for rule in rules(folder / ".gitignore")
        if not rule.startswith("!")
    }
    left = {
        f"{it}/file"
        for it in PROMPTS["_copy_without_render"]
        if re.fullmatch(r"\.venv|[a-z]+", it)
    }
    state = (
        ignored
        | left
        | {
            ".env",
            ".env.production",
            "certificates/site.key",
            "site.pem",
            "backups/2026/database",
        }
    )
    run(folder, "git", "init", "--quiet")
    assert state == set(
        run(folder, "git", "check-ignore", "--no-index", *state).splitlines()
    )
    docker = rules(folder / ".dockerignore")
    assert not [it for it in docker if it.startswith("!")], (
        "an exception would need a rule here"
    )
    assert not [it for it in sorted(state) if in_image(it, docker)]
    assert in_image("manage.py", docker)
    assert in_image("core/middleware.py", docker)


@pytest.mark.parametrize(
    ("answers", "path"),
    [(ALL_ON, "deploy/site.conf"), (ON_PLATFORM, "nginx/nginx.conf")],
    ids=["server", "platform"],
)
def test_nginx_logs_no_url_with_a_token(
    answers: Answers, path: str, pristine: Project
) -> None:
    text = (pristine(answers) / path).read_text(encoding="utf-8")
    [(masked, body)] = re.findall(
        r'location ~ "([^"]*reset[^"]*)" \{(.*?)\}', text, re.DOTALL
    )
    assert "error_log /dev/null emerg;" in body
    for url in ("/accounts/reset/key/a-b/", f"/notes/shared/{'a' * 43}/"):
        assert re.search(masked, url), url
    assert not re.search(masked, "/photos/mine/")
    levels = re.findall(r"^ *error_log \S+ (\w+);", text, re.MULTILINE)
    assert set(levels) <= {"error", "emerg"}
    assert not re.findall(r"access_log(?! off| /var/log/nginx/access\.log)", text)
