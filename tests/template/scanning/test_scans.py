"""Every scan finds its problems, and no scan passes without having run."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from importlib.metadata import distribution
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.licenses import canonicalize_license_expression

from secure_django.scans import SCANNER
from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    PYTHON_COMBINATIONS,
    Answers,
    Project,
    clean_environment,
    commit,
    name,
    run,
)
from tests.support.renewal import DEPENDABOT
from tests.support.scanning import Advisories, Install, scan

pytestmark = pytest.mark.tier("whole")

SCANS = ["bandit", "leaks", "audit", "dependency-check", "sbom", "workflows"]
# Nothing listens on the discard port.
UNREACHABLE = {
    "OSV_URL": "https://127.0.0.1:9/",
    "NVD_DATAFEED_URL": "http://127.0.0.1:9/nvdcve-{0}.json.gz",
}
DATA = f".dependency_check_cache/{SCANNER.rpartition(':')[2]}"
OWN = "secure-django"
FEED = "https://dependency-check.github.io/DependencyCheck_Builder/nvd_cache/nvdcve-{0}.json.gz"

# The expression with which Dependency-Check's PipAnalyzer reads a requirements.txt, as
# Java writes it.
PIP_ANALYZER = re.compile(r"^([^#].*?)(?:[=~>]=([\.\*0-9]+?))?$", re.MULTILINE)
VULNERABLE = """
{"dependencies": [{
    "fileName": "whitenoise:6.12.0",
    "packages": [{"id": "pkg:pypi/whitenoise@6.12.0"}],
    "vulnerabilities": [{"name": "CVE-2026-0001", "cvssv3": {"baseScore": 9.8}},
                        {"name": "CVE-2026-0002", "cvssv2": {"score": 4.3}}]}]}
"""
CLEAN = (
    '{"dependencies": [{"fileName": "six:1.17.0", '
    '"packages": [{"id": "pkg:pypi/six@1.17.0"}]}]}'
)
EMPTY = '{"dependencies": []}'
UNSCORED = CLEAN.replace(
    '"fileName"', '"vulnerabilities": [{"name": "CVE-2026-0003"}], "fileName"'
)


# The table, and scans that did not run


def check_table(output: str, took: float) -> None:
    """Check that the table shows seconds, and why a scan did not run."""
    assert re.search(
        r"^\| tool +\| result +\| seconds \| what it does, or why it did not run \|$",
        output,
        re.MULTILINE,
    )
    (seconds,) = re.findall(
        r"^\| bandit +\| passed +\| (\d+) +\| Find insecure calls", output, re.MULTILINE
    )
    assert 0 < int(seconds) < took
    assert re.search(
        r"^\| audit +\| not run +\| \d+ +\| OSV cannot be reached: exit code 2: ",
        output,
        re.MULTILINE,
    )


def test_scans_without_network_are_not_run_and_do_not_fail(folder: Path) -> None:
    started = time.monotonic()
    outcome = scan(folder, **UNREACHABLE)
    took = time.monotonic() - started
    assert outcome.code == 0, outcome.output
    check_table(outcome.output, took)
    assert list(outcome.results) == SCANS
    assert re.match(
        r"not run: OSV cannot be reached: exit code 2: error: .+https://127\.0\.0\.1:9/",
        outcome.results["audit"],
    )
    assert outcome.results["dependency-check"].startswith("not run: ")
    assert {
        outcome.results[tool] for tool in ("bandit", "leaks", "workflows", "sbom")
    } == {"passed"}
    for tool in ("bandit", "leaks"):
        assert sorted(
            path.suffix for path in (folder / "reports" / tool).iterdir()
        ) == [".html", ".json", ".sarif"]
    table = (
        (folder / "reports" / "summary.md")
        .read_text(encoding="utf-8")
        .removeprefix("### Scans\n\n")
    )
    assert table in outcome.output + "\n"
    assert run(folder, "git", "status", "--porcelain") == "", (
        "Git ignores reports and data"
    )


@pytest.mark.parametrize("tool", ["audit", "dependency-check"])
def test_scan_that_did_not_run_fails_in_ci(tool: str, folder: Path) -> None:
    outcome = scan(folder, tool, CI="true", **UNREACHABLE)
    assert outcome.results[tool].startswith("not run: ")
    assert outcome.code == 1


def test_silent_server_is_given_up_within_seconds(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        outcome = scan(folder, "audit", OSV_URL=f"https://{host}/")
        # 8 seconds, twice. By its defaults, uv would wait 30 seconds, four times.
        assert time.monotonic() - started < 100
    assert re.match(
        rf"not run: OSV cannot be reached: .+https://{host}/.+timed out",
        outcome.results["audit"],
    )


def test_missing_tool_is_reported_as_not_run(folder: Path) -> None:
    outcome = scan(folder, *SCANS, PATH="")
    assert not [
        result
        for result in outcome.results.values()
        if not result.startswith("not run: ")
    ]


def test_old_report_is_not_taken_for_a_new_one(folder: Path, stand_in: Install) -> None:
    tool = stand_in("dependency-check")
    assert scan(
        folder, "dependency-check", **tool.environment, REPORT=CLEAN
    ).results == {"dependency-check": "passed"}
    outcome = scan(folder, "dependency-check", **tool.environment)
    assert outcome.results["dependency-check"].startswith("not run: ")


# Bandit


def test_bandit_reports_a_shell_call_with_file_and_line(folder: Path) -> None:
    (folder / "config" / "planted.py").write_text(
        "import subprocess\n\n\ndef listing(folder: str) -> None:\n"
        "    subprocess.call('ls ' + folder, shell=True)\n",
        encoding="utf-8",
    )
    (folder / "contests").mkdir()
    (folder / "contests" / "__init__.py").touch()
    (folder / "contests" / "hosts.py").write_text(
        'import paramiko\n\nPASSWORD = "tiger"\nHOST = "0.0.0.0"\n'
        'paramiko.SSHClient().exec_command("x")\n',
        encoding="utf-8",
    )
    (folder / "config" / "CVSS.py").write_text('HOST = "0.0.0.0"\n', encoding="utf-8")
    outcome = scan(folder, "bandit")
    assert outcome.code == 1
    assert "config/planted.py:5: B602: " in outcome.output
    assert "contests/hosts.py:4: B104: " in outcome.output, (
        "no pattern excludes contests/"
    )
    assert "config/CVSS.py:1: B104: " in outcome.output, (
        "no pattern of Bandit's own excludes it"
    )
    for report in ("html", "json", "sarif"):
        text = (folder / "reports" / "bandit" / f"bandit.{report}").read_text(
            encoding="utf-8"
        )
        assert "B602" in text
        assert "B105" in text, "low severity, so only in the report"


def test_finding_is_printed_on_a_console_that_cannot_show_it(folder: Path) -> None:
    code = (
        "import subprocess\n\n\ndef listing(folder):\n"
        "    subprocess.call('ls ' + folder, shell=True)\n"
    )
    (folder / "config" / "網.py").write_text(code, encoding="utf-8")
    outcome = scan(folder, "bandit", PYTHONIOENCODING="cp1252")
    assert "\\u7db2.py:5: B602: " in outcome.output
    assert outcome.results == {"bandit": "found 1"}


def test_ruff_reports_a_password_in_the_code(folder: Path) -> None:
    # Bandit rates it as low severity, so Ruff reports it.
    (folder / "config" / "planted.py").write_text(
        'PASSWORD = "tiger"\n', encoding="utf-8"
    )
    with pytest.raises(AssertionError, match=r"S105 (?s:.)*config/planted\.py:1:12"):
        run(folder, "ruff", "check", "--no-cache")


def test_bandit_fails_on_a_file_that_it_cannot_read(folder: Path) -> None:
    (folder / "config" / "broken.py").write_text("def (:\n", encoding="utf-8")
    outcome = scan(folder, "bandit")
    assert outcome.code == 1
    assert "config/broken.py:1: not scanned: syntax error" in outcome.output


def test_bandit_fails_when_it_reads_no_code(folder: Path) -> None:
    configuration = folder / "pyproject.toml"
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(
        text.replace('exclude_dirs = ["', 'exclude_dirs = ["*", "'), encoding="utf-8"
    )
    outcome = scan(folder, "bandit")
    assert outcome.code == 1
    assert "no line of code was scanned" in outcome.output


def test_bandit_fails_on_a_pattern_that_excludes_too_much(folder: Path) -> None:
    configuration = folder / "pyproject.toml"
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(
        text.replace('exclude_dirs = ["', 'exclude_dirs = ["tests", "'),
        encoding="utf-8",
    )
    outcome = scan(folder, "bandit")
    assert outcome.code == 1
    assert (
        'pyproject.toml: exclude_dirs: write "*/tests/*", not "tests"' in outcome.output
    )


def test_bandit_skips_the_virtual_environment(folder: Path) -> None:
    package = folder / ".venv" / "lib" / "package"
    package.mkdir(parents=True)
    (package / "module.py").write_text(
        "import os\nos.popen(input())\nexec(input())\n", encoding="utf-8"
    )
    assert scan(folder, "bandit").results == {"bandit": "passed"}


# Secrets


def test_secrets_in_old_commits_are_found_and_not_shown(folder: Path) -> None:
    planted = {
        "SECRET_KEY": secrets.token_urlsafe(50),
        # As deploy/make-secrets makes it.
        "SECRET_KEY_FALLBACKS": secrets.token_hex(64),
        "FIELD_ENCRYPTION_KEYS": f"{secrets.token_urlsafe(32)}=",
        "CLOUDINARY_URL": f"cloudinary://382917264518273:{secrets.token_urlsafe(20)}@mycloud",
        "DATABASE_URL": f"postgres://site:{secrets.token_hex(10)}@db.internal:5432/site",
        "STORAGE_URL": f"s3://photos:{secrets.token_urlsafe(30)}@s3.internal/photos",
    }
    leak = folder / "production.env"
    leak.write_text(
        "".join(f"{key}={value}\n" for key, value in planted.items()), encoding="utf-8"
    )
    commit(folder, "Deploy")
    hash_of_it = run(folder, "git", "rev-parse", "HEAD").strip()
    leak.unlink()
    commit(folder, "Remove the secrets")
    outcome = scan(folder, "leaks")
    assert outcome.code == 1
    for line in range(1, len(planted) + 1):
        assert re.search(
            rf"^production\.env:{line}: .+ in commit {hash_of_it[:10]} \(\d+\)$",
            outcome.output,
            re.MULTILINE,
        )
    reports = "".join(
        path.read_text(encoding="utf-8")
        for path in (folder / "reports" / "leaks").iterdir()
    )
    for value in planted.values():
        hidden = re.split("[:@]", value)[2] if "://" in value else value
        assert hidden not in outcome.output
        assert hidden not in reports


@pytest.mark.parametrize(
    "line",
    [
        'SECRET_KEY = "{}"',
        'SECRET_KEY = env.read("SECRET_KEY", secret_key, "{}")',
        'os.environ.setdefault("SECRET_KEY", "{}")',
        'os.environ["SECRET_KEY"] = "{}"',
    ],
)
def test_secret_key_in_code_is_found(line: str, folder: Path) -> None:
    (folder / "leak.py").write_text(
        line.format(secrets.token_urlsafe(50)) + "\n", encoding="utf-8"
    )
    commit(folder)
    assert scan(folder, "leaks").results == {"leaks": "found 1"}


def test_rotated_secret_passes_and_a_new_secret_fails(folder: Path) -> None:
    (folder / "leak.txt").write_text(
        f"FIELD_ENCRYPTION_KEYS={secrets.token_urlsafe(32)}=\n", encoding="utf-8"
    )
    commit(folder)
    (fingerprint,) = re.findall(
        r"^leak\.txt:1: .+\((\d+)\)$", scan(folder, "leaks").output, re.MULTILINE
    )
    with (folder / "scans" / "leaks-rotated.txt").open("a", encoding="utf-8") as file:
        file.write(f"{fingerprint} Ann, 2026-10-01\n")
    assert scan(folder, "leaks").results == {"leaks": "passed"}
    (folder / "leak.txt").write_text(
        f"FIELD_ENCRYPTION_KEYS={secrets.token_urlsafe(32)}=\n", encoding="utf-8"
    )
    commit(folder)
    assert scan(folder, "leaks").results == {"leaks": "found 1"}


def test_secrets_outside_of_commits_pass(folder: Path) -> None:
    assert "SECRET_KEY=" in (folder / ".env").read_text(encoding="utf-8")
    run(
        folder,
        "git",
        "remote",
        "add",
        "origin",
        f"https://ci-token:{secrets.token_hex(16)}@git.example.com/site.git",
    )
    assert scan(folder, "leaks").results == {"leaks": "passed"}


def test_new_project_contains_no_secrets(project: Project) -> None:
    """test_readme.py scans that with everything for GitHub; others have parts of it."""
    folder = project(ALL_ON | {"ci_scanning": "gitlab"})
    commit(folder)
    assert scan(folder, "leaks").results == {"leaks": "passed"}


def test_shallow_clone_is_reported_as_not_run(folder: Path, tmp_path: Path) -> None:
    commit(folder)
    run(tmp_path, "git", "clone", "--quiet", "--depth", "1", folder.as_uri(), "shallow")
    assert (
        scan(tmp_path / "shallow", "leaks")
        .results["leaks"]
        .startswith("not run: a shallow clone")
    )


@pytest.mark.parametrize("kind", ["blob:none", "tree:0"])
def test_partial_clone_is_reported_as_not_run(
    kind: str, folder: Path, tmp_path: Path
) -> None:
    (folder / "leak.txt").write_text(
        f"FIELD_ENCRYPTION_KEYS={secrets.token_urlsafe(32)}=\n", encoding="utf-8"
    )
    commit(folder)
    (folder / "leak.txt").unlink()
    commit(folder)
    run(folder, "git", "config", "uploadpack.allowFilter", "true")
    run(
        tmp_path,
        "git",
        "clone",
        "--quiet",
        f"--filter={kind}",
        folder.as_uri(),
        "partial",
    )
    assert (
        scan(tmp_path / "partial", "leaks")
        .results["leaks"]
        .startswith("not run: a partial clone")
    )


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="only root can give files away",
)
def test_repository_of_another_user_is_reported_with_advice(folder: Path) -> None:
    os.chown(folder, 12345, 12345)
    os.chown(folder / ".git", 12345, 12345)
    outcome = scan(folder, "leaks", GIT_CONFIG_GLOBAL=os.devnull)
    assert outcome.results["leaks"].startswith(
        "not run: exit code 128: fatal: detected dubious ownership"
    )
    assert "git config --global --add safe.directory" in outcome.results["leaks"]


def test_folder_without_commits_is_reported_as_not_run(folder: Path) -> None:
    shutil.rmtree(folder / ".git")
    # Another repository, in which the project lies.
    run(folder.parent, "git", "init", "--quiet")
    assert (
        scan(folder, "leaks")
        .results["leaks"]
        .startswith("not run: exit code 128: fatal: not a git repository")
    )
    run(folder, "git", "init", "--quiet")
    assert (
        scan(folder, "leaks").results["leaks"]
        == "not run: no commit was scanned: it looks only at commits"
    )


# uv audit


def test_audit_reports_a_package_with_a_known_vulnerability(
    folder: Path, osv: Advisories
) -> None:
    assert scan(folder, "audit", **osv.environment).results == {"audit": "passed"}
    locked = tomllib.loads((folder / "uv.lock").read_text(encoding="utf-8"))["package"]
    assert {query["package"]["name"] for query in osv.asked} == {
        package["name"] for package in locked[:]
    } - {"my-secure-site"}
    osv.vulnerable = "whitenoise"
    outcome = scan(folder, "audit", **osv.environment)
    assert outcome.code == 1
    assert re.search(
        r"^uv\.lock: whitenoise [\d.]+: GHSA-aaaa-bbbb-cccc "
        r"Anyone can run any command, fixed in 99\.1$",
        outcome.output,
        re.MULTILINE,
    )
    assert "GHSA-aaaa-bbbb-cccc" in (
        folder / "reports" / "audit" / "audit.sarif"
    ).read_text(encoding="utf-8")


def test_audit_without_a_lock_file_is_reported_as_not_run(
    folder: Path, osv: Advisories
) -> None:
    (folder / "uv.lock").unlink()
    assert (
        scan(folder, "audit", **osv.environment)
        .results["audit"]
        .startswith("not run: exit code 1: error: Unable to find lockfile")
    )


def test_lock_file_without_packages_is_reported_as_not_run(
    folder: Path, osv: Advisories
) -> None:
    (folder / "uv.lock").write_text(
        'version = 1\nrevision = 3\nrequires-python = ">=3.12, <3.15"\n\n'
        '[[package]]\nname = "my-secure-site"\nversion = "0.1.0"\n'
        'source = { virtual = "." }\n',
        encoding="utf-8",
    )
    results = scan(folder, "audit", "sbom", **osv.environment).results
    assert results == {
        "audit": "not run: uv audited no package",
        "sbom": "not run: uv listed no package",
    }


# OWASP Dependency-Check


def locked_dependencies(folder: Path) -> set[tuple[str, str]]:
    """Return the locked packages that the project runs on.

    These are the packages for all platforms, and those of extras.
    """
    packages: dict[str, dict[str, Any]] = {
        package["name"]: package
        for package in tomllib.loads((folder / "uv.lock").read_text(encoding="utf-8"))[
            "package"
        ]
    }
    (root,) = (
        package for package in packages.values() if "virtual" in package["source"]
    )
    waiting = [
        *root["dependencies"],
        *chain.from_iterable(root["optional-dependencies"].values()),
    ]
    found: set[tuple[str, str]] = set()  # packages, each with one of its extras
    while waiting:
        wanted = waiting.pop()
        package = packages[wanted["name"]]
        lists = {"": package.get("dependencies", [])}
        lists |= package.get("optional-dependencies", {})
        for extra in ["", *wanted.get("extra", [])]:
            if (wanted["name"], extra) not in found:
                found.add((wanted["name"], extra))
                waiting += lists.get(extra, [])
    return {(name, packages[name]["version"]) for name, _ in found}


@pytest.mark.parametrize("answers", PYTHON_COMBINATIONS, ids=name)
def test_dependency_check_reads_exactly_the_locked_packages(
    answers: Answers, locked_project: Project, stand_in: Install
) -> None:
    folder = locked_project(answers)
    tool = stand_in("dependency-check")
    assert scan(folder, "dependency-check", **tool.environment, REPORT=CLEAN).code == 0
    (exported,) = tool.note["scanned"].values()
    assert list(tool.note["scanned"]) == ["requirements.txt"]
    # The expression does not match 2026.10.19.post1, so the scan passes 2026.10.19.
    locked = {
        (name, re.match(r"[\d.]*\d", version)[0])  # type: ignore[index]
        for name, version in locked_dependencies(folder)
        if name != OWN  # no database knows the version in vendor/
    }
    assert set(PIP_ANALYZER.findall(exported)) == locked
    assert len(exported.splitlines()) == len(locked) >= 15


def test_dependency_check_names_a_package_without_a_version(folder: Path) -> None:
    program = (
        "from secure_django import scans as security\n"
        "security.run = lambda *_: 'six==1.17.0\\n./library\\n'\n"
        "security.locked_packages()\n"
    )
    with pytest.raises(
        AssertionError, match=r"NotRun: .+ not name==version: \['\./library'\]\n"
    ):
        run(folder, sys.executable, "-c", program)


@pytest.mark.parametrize(
    "case",
    [
        (0, CLEAN, r"passed"),
        (0, EMPTY, r"not run: it read no package"),
        (0, UNSCORED, r"found 1"),
        (0, "", r"not run: exit code 0"),
        (0, "{}", r"not run: KeyError"),
        (1, "", r"not run: exit code 1: see its messages above"),
        (13, "", r"not run: exit code 13: see its messages above"),
        (14, CLEAN, r"not run: exit code 14: see its messages above"),
        (14, VULNERABLE, r"found 1"),
        (15, VULNERABLE, r"found 1"),
        (15, CLEAN, r"not run: exit code 15: see its messages above"),
    ],
)
def test_dependency_check_result_follows_exit_code_and_report(
    case: tuple[int, str, str], folder: Path, stand_in: Install
) -> None:
    code, report, result = case
    tool = stand_in("dependency-check")
    outcome = scan(
        folder,
        "dependency-check",
        **tool.environment,
        EXIT_CODE=str(code),
        REPORT=report,
        CI="true",
    )
    assert re.match(result, outcome.results["dependency-check"]), outcome.output
    assert outcome.code == (0 if result == "passed" else 1)
    if report == VULNERABLE:
        assert "uv.lock: whitenoise:6.12.0: CVE-2026-0001, CVSS 9.8\n" in outcome.output


def test_dependency_check_gets_formats_limit_and_suppressions(
    folder: Path, stand_in: Install
) -> None:
    tool = stand_in("dependency-check")
    scan(folder, "dependency-check", **tool.environment, REPORT=CLEAN)
    arguments = " ".join(tool.note["arguments"])
    for expected in (
        "--scan reports/dependency-check/packages --enableExperimental",
        "--format HTML --format SARIF --format JSON",
        "--suppression scans/suppressions.xml",
        f"--data {DATA}",
        "--failOnCVSS 7",
        f"--nvdDatafeed {tool.environment['NVD_DATAFEED_URL']}",
    ):
        assert expected in arguments


def test_feed_comes_first_and_the_key_is_not_on_the_command_line(
    folder: Path, stand_in: Install
) -> None:
    tool = stand_in("dependency-check")
    key = secrets.token_hex(16)
    environment = {
        **clean_environment(),
        **tool.environment,
        "NVD_API_KEY": key,
        "REPORT": CLEAN,
    }
    del environment["NVD_DATAFEED_URL"]
    done = subprocess.run(
        [sys.executable, "-m", "secure_django.scans", "dependency-check"],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout
    assert tool.note["properties"] == f"nvd.api.key={key}\n"
    assert not [argument for argument in tool.note["arguments"] if key in argument]
    assert "--nvdDatafeed" not in tool.note["arguments"], (
        "the API brings what is newer than the feed"
    )
    assert tool.note["arguments"][-2:] == ["--nvdValidForHours", "0"], (
        "however new the feed is"
    )
    feed = json.loads(tool.file.with_name("feed").read_text(encoding="utf-8"))[
        "arguments"
    ]
    assert feed[-3:] == ["--nvdDatafeed", FEED, "--updateonly"]
    assert (
        feed[feed.index("--data") + 1]
        == tool.note["arguments"][tool.note["arguments"].index("--data") + 1]
    )
    if os.name == "posix":
        assert tool.note["mode"] == "0o40700"
    assert not Path(
        tool.note["arguments"][tool.note["arguments"].index("--propertyfile") + 1]
    ).exists()


@pytest.mark.skipif(
    bool(shutil.which("dependency-check")), reason="a tool on the path is preferred"
)
def test_docker_runs_the_pinned_image_with_four_folders(
    folder: Path, stand_in: Install
) -> None:
    tool = stand_in("docker")
    outcome = scan(folder, "dependency-check", **tool.environment, REPORT=CLEAN)
    assert outcome.results == {"dependency-check": "passed"}
    assert re.fullmatch(r"owasp/dependency-check:\d+\.\d+\.\d+", SCANNER)
    arguments = tool.note["arguments"]
    image = arguments.index(SCANNER)
    assert arguments[:2] == ["run", "--rm"]
    mounted = [
        argument.removeprefix("--volume=")
        for argument in arguments[:image]
        if argument.startswith("--volume=")
    ]
    assert [mount.partition(":/src/")[2] for mount in mounted] == [
        "reports/dependency-check",
        DATA,
        "scans/suppressions.xml:ro",
        "private:ro",
    ]
    assert mounted[0].startswith(str(folder.resolve()))
    if os.name == "posix":
        assert f"--user={os.getuid()}:{os.getgid()}" in arguments[:image]
    outcome = scan(folder, "dependency-check", **tool.environment, EXIT_CODE="125")
    assert outcome.results["dependency-check"].startswith(
        "not run: exit code 125: see its messages above"
    )


# Workflows and the SBOM


def test_unpinned_action_is_reported_with_file_and_line(folder: Path) -> None:
    workflow = folder / ".github" / "workflows" / "ci.yml"
    text = workflow.read_text(encoding="utf-8")
    workflow.write_text(
        re.sub(r"actions/checkout@\w+ # v", "actions/checkout@v", text, count=1),
        encoding="utf-8",
    )
    line = 1 + text[: text.index("actions/checkout@")].count("\n")
    outcome = scan(folder, "workflows")
    assert outcome.code == 1
    assert f".github/workflows/ci.yml:{line}: zizmor/unpinned-uses: " in outcome.output


def test_unreadable_workflow_is_reported_as_not_run(folder: Path) -> None:
    (folder / ".github" / "workflows" / "broken.yml").write_text(
        "on: [push\njobs: {\n", encoding="utf-8"
    )
    outcome = scan(folder, "workflows", CI="true")
    assert outcome.code == 1
    assert outcome.results["workflows"].startswith("not run: ")


def test_workflow_that_git_ignores_is_read(folder: Path) -> None:
    (folder / ".github" / ".gitignore").write_text("ignored.yml\n", encoding="utf-8")
    (folder / ".github" / "workflows" / "ignored.yml").write_text(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n"
        "    steps:\n      - uses: actions/checkout@v7\n",
        "utf-8",
    )
    outcome = scan(folder, "workflows")
    assert outcome.code == 1
    assert ".github/workflows/ignored.yml:6: zizmor/unpinned-uses: " in outcome.output


def test_project_without_workflows_is_reported_as_not_run(folder: Path) -> None:
    shutil.rmtree(folder / ".github" / "workflows")
    (folder / DEPENDABOT).touch()  # zizmor would read it, and pass
    assert (
        scan(folder, "workflows").results["workflows"]
        == "not run: there is no workflow"
    )


def test_sbom_lists_the_packages_that_the_project_runs_on(folder: Path) -> None:
    assert scan(folder, "sbom").results == {"sbom": "passed"}
    bill = json.loads(
        (folder / "reports" / "sbom" / "sbom.cdx.json").read_text(encoding="utf-8")
    )
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    packages = {it["purl"]: it for it in bill["components"] if "purl" in it}
    locked = locked_dependencies(folder)
    assert {
        f"pkg:pypi/{name}@{version}" for name, version in locked if name != OWN
    } <= (packages.keys())
    # In vendor/, it comes from no index.
    [own] = [it for it in bill["components"] if it["name"] == OWN]
    assert (OWN, own["version"]) in locked
    assert "purl" not in own
    assert not [it for it in packages if it.startswith("pkg:pypi/bandit@")]
    for it in packages.values():
        assert all(
            file["hashes"][0]["alg"] == "SHA-256" for file in it["externalReferences"]
        ), it["name"]


type Sbom = dict[str, Any]


def written_sbom(folder: Path) -> Sbom:
    """Return the SBOM that the scan of a locked project writes."""
    assert scan(folder, "sbom").results == {"sbom": "passed"}
    file = folder / "reports" / "sbom" / "sbom.cdx.json"
    sbom: Sbom = json.loads(file.read_text(encoding="utf-8"))
    return sbom


def schema_errors(sbom: Sbom) -> list[str]:
    """Return where an SBOM differs from CycloneDX's own strict schema.

    It reads one file of each package: a URL takes 50 ms, and all have one form.
    """
    for component in sbom["components"]:
        del component.get("externalReferences", [])[1:]
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    errors = validator.validate_str(json.dumps(sbom), all_errors=True)
    return [str(error) for error in errors or ()]


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_sbom_fits_its_schema_and_names_licenses_as_spdx_does(
    answers: Answers, locked_project: Project
) -> None:
    folder = locked_project(answers)
    sbom = written_sbom(folder)
    licenses_of = {it["name"]: it["licenses"] for it in sbom["components"]}
    assert not schema_errors(sbom)
    for package, licenses in licenses_of.items():
        assert licenses, package
        for entry in licenses:
            assert "name" not in entry.get("license", {}), package
            # The schema has the list of ids, but leaves expressions unread.
            spdx = entry["license"]["id"] if "license" in entry else entry["expression"]
            assert canonicalize_license_expression(spdx) == spdx, package
    assert licenses_of["pillow"] == [{"license": {"id": "MIT-CMU"}}]
    either = "Apache-2.0 OR BSD-3-Clause"
    assert licenses_of["cryptography"] == [{"expression": either}]
    both = [{"license": {"id": "BSD-3-Clause"}}, {"license": {"id": "MIT"}}]
    assert licenses_of.get("qrcode") == (both if answers.get("auth_app") else None)


def test_schema_refuses_a_broken_sbom(folder: Path) -> None:
    sbom = json.dumps(written_sbom(folder))
    for old, new in {
        '"id": "MIT"': '"id": "MIT License"',
        '"license": {': '"licence": {',
        '"type": "library"': '"type": "package"',
        '"alg": "SHA-256"': '"alg": "SHA256"',
        '"bomFormat": "CycloneDX"': '"bomFormat": "SPDX"',
        '"serialNumber": "urn:uuid:': '"serialNumber": "uuid:',
    }.items():
        assert old in sbom
        assert schema_errors(json.loads(sbom.replace(old, new, 1))), new


# A part of the text of each license, or of a notice that names it.
LICENSE_TEXTS = {
    "Apache-2.0": r"Apache License(?s:.+)Version 2\.0",
    "BSD-2-Clause": r"Redistributions in binary form(?!(?s:.+)Neither the )",
    "BSD-3-Clause": r"Redistributions in binary form(?s:.+)Neither the (package )?name",
    "MIT": r"Permission is hereby granted, free of charge|under the MIT license",
    "MPL-2.0": r"Mozilla Public License Version 2\.0",
}
DECLARED = """
from importlib.metadata import metadata
from secure_django.scans import LICENSES, declared_expression
for package, license in LICENSES.items():
    if package != "colorama":  # of Windows
        print(package, license, declared_expression(metadata(package)), sep="|")
"""


def test_listed_licenses_are_needed_and_those_of_the_files(
    locked_project: Project,
) -> None:
    folder = locked_project(ALL_ON)
    rows = run(folder, sys.executable, "-c", DECLARED).splitlines()
    locked = {package for package, _ in locked_dependencies(folder)}
    for row in rows:
        package, license_, declared = row.split("|")
        assert package in locked, f"{package}: the project does not use it"
        assert not declared, f"{package}: it declares {declared} by now"
        files = distribution(package).files or []
        texts = [
            file.read_text(encoding="utf-8")
            for file in files
            if re.search(r"\.dist-info/(licenses/)?(LICENSE|COPYING)", str(file))
        ]
        for spdx_id in license_.split(" AND "):
            pattern = LICENSE_TEXTS[spdx_id]
            assert any(re.search(pattern, text) for text in texts), row
    assert len(rows) == 6


def test_license_outside_the_list_keeps_its_name(folder: Path) -> None:
    """A package of a team may declare any license, or an old name of one."""
    program = (
        "import json\n"
        "from email.message import Message\n"
        "from secure_django import scans as security\n"
        "about = Message()\n"
        "about['{field}'] = {text!r}\n"
        "security.metadata = lambda _: about\n"
        "print(json.dumps(security.find_licenses('made-up')))\n"
    )
    for field, text, expected in (
        ("License-Expression", "mit", {"license": {"id": "MIT"}}),
        (
            "License-Expression",
            "LicenseRef-Museum",
            {"expression": "LicenseRef-Museum"},
        ),
        ("License", "Museum License", {"license": {"name": "Museum License"}}),
        ("Classifier", "License :: BSD License", {"license": {"name": "BSD License"}}),
    ):
        code = program.format(field=field, text=text)
        assert json.loads(run(folder, sys.executable, "-c", code)) == [expected]
