"""What the emitted files for production and Git restrict.

The rules hold for each service, unit, server and file. tests/production/ runs all of
it; this notices a lost line within a second.
"""

import json
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
    PROMPTS,
    ROOT,
    Answers,
    Project,
    name,
    run,
)

both = pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)

# What systemd.exec(5) offers to a service that needs no privilege. Another value is a
# weaker one.
SANDBOX = {
    "CapabilityBoundingSet": "",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "NoNewPrivileges": "yes",
    "PrivateDevices": "yes",
    "PrivateTmp": "yes",
    "PrivateUsers": "yes",
    "ProcSubset": "pid",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHome": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectProc": "invisible",
    "ProtectSystem": "strict",
    "RemoveIPC": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "StateDirectoryMode": "0700",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
}
# What each server of nginx has for HTTPS.
SERVER = {
    "server_tokens": "off",
    "ssl_protocols": "TLSv1.2 TLSv1.3",
    "client_header_timeout": "20s",
    "client_body_timeout": "20s",
    "proxy_request_buffering": "on",
}
TRUSTED = {"Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-ID"}


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


# systemd


@both
def test_units_are_restricted_as_far_as_systemd_can(
    answers: Answers, pristine: Project
) -> None:
    deploy = pristine(answers) / "deploy"
    common = directives(deploy / "site-.service.d" / "hardening.conf")
    assert {key: common.get(key) for key in SANDBOX} == {
        key: [value] for key, value in SANDBOX.items()
    }
    assert "~@privileged" in common["SystemCallFilter"]
    assert common["User"] != ["root"]
    units = sorted(deploy.glob("*.service"))
    assert len(units) >= 3
    for unit in units:
        own = directives(unit)
        assert unit.name.startswith("site-"), "hardening.conf is for units of this name"
        assert not own.keys() & {
            *SANDBOX,
            "User",
            "Group",
            "SystemCallFilter",
            "AmbientCapabilities",
        }, unit.name
        assert all(not it.startswith(("+", "!", "-")) for it in own["ExecStart"]), (
            f"{unit.name}: a prefix adds rights"
        )
        if own.get("Type") != ["oneshot"]:
            assert own["Restart"] == ["always"], unit.name
            assert own["MemoryMax"], unit.name


@both
def test_timers_run_each_day_and_make_up_for_a_missed_one(
    answers: Answers, pristine: Project
) -> None:
    timers = sorted((pristine(answers) / "deploy").glob("*.timer"))
    assert timers
    for timer in timers:
        own = directives(timer)
        times = own.get("OnCalendar", [])
        assert times or own["OnUnitActiveSec"], timer.name
        # Each day, or more often: no weekday, month or year.
        assert all(
            re.fullmatch(r"(\*-\*-\* )?(\d\d|\*):[\d/:]+", it) for it in times
        ), timer.name
        assert own.get("Persistent") == ["true"] or not times or "*:" in str(times), (
            timer.name
        )
        assert timer.with_suffix(".service").is_file()


# Containers


@both
def test_every_container_is_restricted(answers: Answers, pristine: Project) -> None:
    project = pristine(answers)
    parsed = compose(project)
    published, users = (
        set(),
        re.findall(
            r"^USER (.+)$", (project / "Dockerfile").read_text("utf-8"), re.MULTILINE
        ),
    )
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]), (
        "the image's own user has no name and no rights"
    )
    depends = "".join(str(it.get("depends_on")) for it in parsed["services"].values())
    for service, options in parsed["services"].items():
        once = "profiles" in options or (
            f"'{service}': {{'condition': 'service_completed_successfully'}}" in depends
        )
        assert options["read_only"] is True, service
        assert options["cap_drop"] == ["ALL"], service
        assert options["security_opt"] == ["no-new-privileges:true"], service
        assert options["pids_limit"], service
        assert options["mem_limit"], service
        assert options["logging"]["options"]["max-size"], service
        assert options["restart"] == ("no" if once else "unless-stopped"), service
        forbidden = {
            "privileged",
            "cap_add",
            "devices",
            "network_mode",
            "pid",
            "ipc",
            "userns_mode",
        }
        assert not options.keys() & forbidden, service
        assert "build" in options or options.get("user", "root") not in {"root", "0"}, (
            service
        )
        mounts = [it for it in options.get("volumes", []) if it.startswith((".", "/"))]
        writable = ["./backups"] if service == "restic" else []
        assert [
            it.split(":")[0] for it in mounts if not it.endswith(":ro")
        ] == writable, f"{service}: it could write to the machine"
        assert not [it for it in mounts if "docker.sock" in it], service
        secret = re.compile(r"SECRET|PASSWORD|TOKEN|KEY|_URL|DSN")
        readable = [
            it
            for it in options.get("environment", {})
            if secret.search(it) and not it.endswith("_FILE")
        ]
        assert not readable, f"{service}: everyone who lists the containers reads it"
        if "ports" in options:
            published.add(service)
    assert published == {"proxy"}, "only nginx is reached from outside"
    assert parsed["services"]["restic"]["volumes"][0] == "media:/photos:ro"
    assert parsed["networks"]["inside"]["internal"] is True
    assert parsed["services"]["database"]["networks"] == ["inside"]
    assert "inside" not in parsed["services"]["proxy"]["networks"], (
        "nginx does not reach the database"
    )


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


# nginx


@both
def test_nginx_passes_on_no_header_that_the_site_trusts(
    answers: Answers, pristine: Project
) -> None:
    text = (pristine(answers) / "deploy" / "site.conf").read_text(encoding="utf-8")
    sent = dict(re.findall(r"^ *proxy_set_header (\S+) (.+);$", text, re.MULTILINE))
    assert sent.keys() >= TRUSTED
    assert not [
        it
        for it in sent.values()
        if re.search(r"\$http_|\$proxy_add_x_forwarded_for", it)
    ], "the client's own"
    # A block with one such line inherits none.
    assert set(re.findall(r"^( *)proxy_set_header", text, re.MULTILINE)) == {"    "}, (
        "in `server` only"
    )


@both
def test_nginx_limits_each_client(answers: Answers, pristine: Project) -> None:
    text = (pristine(answers) / "deploy" / "site.conf").read_text(encoding="utf-8")
    plain, tls = re.findall(r"^server \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    found = dict(re.findall(r"^    (\w+) (.+);$", tls, re.MULTILINE))
    assert {key: found.get(key) for key in SERVER} == SERVER
    assert {"limit_conn", "client_max_body_size", "ssl_session_cache"} <= found.keys()
    # No office reaches it, and 429 is for those that cannot even wait.
    (rate,) = re.findall(
        r"^limit_req_zone \S+ zone=posts:1m rate=(\d+)r/s;", text, re.MULTILINE
    )
    (burst,) = re.findall(r"^zone=posts burst=(\d+)$", found["limit_req"])
    assert int(rate) >= 10
    assert int(burst) >= 100
    zones = set(re.findall(r"^limit_conn_zone \S+ zone=(\w+):", text, re.MULTILINE))
    assert zones == set(re.findall(r"^    limit_conn (\w+) \d+;", tls, re.MULTILINE)), (
        "a zone limits nothing by itself"
    )
    assert "server_tokens off;" in plain
    assert "return 301 https://" in plain
    assert "proxy_pass" not in plain


@both
def test_nginx_logs_no_link_that_resets_a_password(
    answers: Answers, pristine: Project
) -> None:
    """An error of nginx names the URL, and the access log of each server is off."""
    text = (pristine(answers) / "deploy" / "site.conf").read_text(encoding="utf-8")
    location = re.compile(
        r"^    location /accounts/password/reset/key/ \{\n(.*?)^    \}",
        re.MULTILINE | re.DOTALL,
    )
    (block,) = location.findall(text)
    assert "        error_log /dev/null emerg;\n" in block
    _, tls = re.findall(r"^server \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    logs = re.findall(r"^    access_log (.+);$", tls, re.MULTILINE)
    assert [log for log in logs if "if=$" not in log] == []


# Scripts and scans


@both
def test_shell_scripts_stop_at_the_first_error(
    answers: Answers, pristine: Project
) -> None:
    files = [
        path for path in (pristine(answers) / "deploy").iterdir() if path.is_file()
    ]
    texts = {path.name: path.read_text(encoding="utf-8") for path in files}
    scripts = {name: text for name, text in texts.items() if text.startswith("#!")}
    assert len(scripts) >= 4
    for script, text in scripts.items():
        commands = [line for line in text.splitlines() if line and line[0] != "#"]
        assert commands[0] == "set -eu", script
        # The way back after a failure goes on whatever happens: it is a function.
        assert not re.search(r"^set \+|\bset \+\w*u", text, re.MULTILINE), script


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


@both
def test_image_has_exactly_the_locked_packages(
    answers: Answers, pristine: Project
) -> None:
    text = (pristine(answers) / "Dockerfile").read_text(encoding="utf-8")
    syncs = re.findall(r"\buv sync\b.*", text)
    assert syncs
    assert not [it for it in syncs if "--locked" not in it or "--no-dev" not in it]


@both
def test_version_of_dependency_check_that_needs_a_key_is_left_out(
    answers: Answers, pristine: Project
) -> None:
    project = pristine(answers)
    renovate = project / "renovate.json"
    if renovate.is_file():
        rules = json.loads(renovate.read_text(encoding="utf-8"))["packageRules"]
        (rule,) = [it for it in rules if "owasp" in str(it.get("matchPackageNames"))]
        assert rule["allowedVersions"] == r"!/^13\.0\.0$/"
    else:
        dependabot = project / ".github" / "dependabot.yml"
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
