"""Every scan finds what it is for, and none is green without having looked."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.baking import ALL_ON, PYTHON_COMBINATIONS, Answers, Project, clean_environment, commit, name, run
from tests.scanning.conftest import Advisories, Scan, StandIn

type Tool = Callable[[str], StandIn]

SCANS = ["bandit", "leaks", "audit", "dependency-check", "workflows", "sbom"]
# Nothing listens on the discard port.
UNREACHABLE = {"OSV_URL": "http://127.0.0.1:9/", "NVD_DATAFEED_URL": "http://127.0.0.1:9/nvdcve-{0}.json.gz"}

# The one expression by which Dependency-Check's PipAnalyzer reads a requirements.txt, as Java writes it.
PIP_ANALYZER = re.compile(r"^([^#].*?)(?:[=~>]=([\.\*0-9]+?))?$", re.MULTILINE)
VULNERABLE = """
{"dependencies": [{
    "fileName": "whitenoise:6.12.0",
    "packages": [{"id": "pkg:pypi/whitenoise@6.12.0"}],
    "vulnerabilities": [{"name": "CVE-2026-0001", "cvssv3": {"baseScore": 9.8}},
                        {"name": "CVE-2026-0002", "cvssv2": {"score": 4.3}}]}]}
"""
CLEAN = '{"dependencies": [{"fileName": "six:1.17.0", "packages": [{"id": "pkg:pypi/six@1.17.0"}]}]}'
EMPTY = '{"dependencies": []}'


# The table, and what it says where nothing can be reached


def test_all_scans_end_with_a_table_and_a_person_without_network_sees_no_red(folder: Path, scan: Scan) -> None:
    started = time.monotonic()
    outcome = scan(folder, **UNREACHABLE)
    assert time.monotonic() - started < 30
    assert outcome.code == 0, outcome.output
    assert list(outcome.results) == SCANS
    assert outcome.results["audit"] == "not run: 127.0.0.1:9 is out of reach"
    assert outcome.results["dependency-check"].startswith("not run: ")
    assert {outcome.results[tool] for tool in ("bandit", "leaks", "workflows", "sbom")} == {"passed"}
    for tool in ("bandit", "leaks"):
        assert sorted(path.suffix for path in (folder / "reports" / tool).iterdir()) == [".html", ".json", ".sarif"]
        assert f"reports/{tool}/{tool}.html" in outcome.output
    table = (folder / "reports" / "summary.md").read_text(encoding="utf-8").removeprefix("### Scans\n\n")
    assert table in outcome.output + "\n"
    assert run(folder, "git", "status", "--porcelain") == "", "reports and data stay out of git"


@pytest.mark.parametrize("tool", ["audit", "dependency-check"])
def test_in_ci_a_scan_that_did_not_run_is_red(tool: str, folder: Path, scan: Scan) -> None:
    outcome = scan(folder, tool, CI="true", **UNREACHABLE)
    assert outcome.results[tool].startswith("not run: ")
    assert outcome.code == 1


def test_a_network_that_swallows_everything_costs_seconds(folder: Path, scan: Scan) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        outcome = scan(folder, "audit", OSV_URL=f"http://{host}/")
        assert time.monotonic() - started < 20
    assert outcome.results == {"audit": f"not run: {host} is out of reach"}


def test_a_tool_that_is_missing_did_not_run(folder: Path, scan: Scan) -> None:
    outcome = scan(folder, *SCANS, PATH="")
    assert not [result for result in outcome.results.values() if not result.startswith("not run: ")]


def test_an_unknown_name_lists_the_known_ones(folder: Path, scan: Scan) -> None:
    outcome = scan(folder, "bandit", "zap")
    assert outcome.code == 1
    assert outcome.output == f"No such scan: zap. There are: {', '.join(SCANS)}.\n"


def test_an_old_report_never_passes_for_a_new_one(folder: Path, scan: Scan, stand_in: Tool) -> None:
    tool = stand_in("dependency-check")
    assert scan(folder, "dependency-check", **tool.environment, REPORT=CLEAN).results == {"dependency-check": "passed"}
    outcome = scan(folder, "dependency-check", **tool.environment)
    assert outcome.results["dependency-check"].startswith("not run: ")


# Bandit


def test_bandit_names_a_shell_call_and_a_password_by_place(folder: Path, scan: Scan) -> None:
    (folder / "config" / "planted.py").write_text(
        "import subprocess\n\n\ndef listing(folder: str) -> None:\n    subprocess.call('ls ' + folder, shell=True)\n",
        encoding="utf-8",
    )
    (folder / "contests").mkdir()
    (folder / "contests" / "__init__.py").touch()
    (folder / "contests" / "hosts.py").write_text(
        'import paramiko\n\nPASSWORD = "tiger"\nHOST = "0.0.0.0"\nparamiko.SSHClient().exec_command("x")\n',
        encoding="utf-8",
    )
    outcome = scan(folder, "bandit")
    assert outcome.code == 1
    assert "config/planted.py:5: B602 " in outcome.output.replace("\\", "/")
    assert "contests/hosts.py:4: B104 " in outcome.output.replace("\\", "/"), "and tests/ excludes nothing else"
    for report in ("html", "json", "sarif"):
        text = (folder / "reports" / "bandit" / f"bandit.{report}").read_text(encoding="utf-8")
        assert "B602" in text
        assert "B105" in text, "low severity, so in the report alone"


def test_a_password_in_the_code_is_red_too(folder: Path) -> None:
    # To Bandit it is of low severity, in any version, so the linter is the gate.
    (folder / "config" / "planted.py").write_text('PASSWORD = "tiger"\n', encoding="utf-8")
    with pytest.raises(AssertionError, match=r"S105 (?s:.)*config/planted\.py:1:12"):
        run(folder, "ruff", "check", "--no-cache")


def test_bandit_is_red_over_a_file_that_it_cannot_read(folder: Path, scan: Scan) -> None:
    (folder / "config" / "broken.py").write_text("def (:\n", encoding="utf-8")
    outcome = scan(folder, "bandit")
    assert outcome.code == 1
    assert "config/broken.py: not scanned, syntax error" in outcome.output.replace("\\", "/")


def test_bandit_is_red_when_it_reads_nothing(folder: Path, scan: Scan) -> None:
    configuration = folder / "pyproject.toml"
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(text.replace('exclude_dirs = ["', 'exclude_dirs = ["*", "'), encoding="utf-8")
    outcome = scan(folder, "bandit")
    assert outcome.code == 1
    assert "no line of code was scanned" in outcome.output


def test_bandit_is_red_over_an_exclusion_that_takes_more_than_it_says(folder: Path, scan: Scan) -> None:
    configuration = folder / "pyproject.toml"
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(text.replace('exclude_dirs = ["', 'exclude_dirs = ["tests", "'), encoding="utf-8")
    outcome = scan(folder, "bandit")
    assert outcome.code == 1
    assert 'pyproject.toml: exclude_dirs: write "*/tests/*", not "tests"' in outcome.output


def test_bandit_leaves_the_virtual_environment_alone(folder: Path, scan: Scan) -> None:
    package = folder / ".venv" / "lib" / "package"
    package.mkdir(parents=True)
    (package / "module.py").write_text("import os\nos.popen(input())\nexec(input())\n", encoding="utf-8")
    assert scan(folder, "bandit").results == {"bandit": "passed"}


# Secrets


def test_secrets_of_the_project_are_found_in_earlier_commits_and_shown_nowhere(folder: Path, scan: Scan) -> None:
    planted = {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_ENCRYPTION_KEYS": f"{secrets.token_urlsafe(32)}=",
        "CLOUDINARY_URL": f"cloudinary://382917264518273:{secrets.token_urlsafe(20)}@mycloud",
        "DATABASE_URL": f"postgres://site:{secrets.token_hex(10)}@db.internal:5432/site",
    }
    leak = folder / "production.env"
    leak.write_text("".join(f"{key}={value}\n" for key, value in planted.items()), encoding="utf-8")
    commit(folder, "Deploy")
    hash_of_it = run(folder, "git", "rev-parse", "HEAD").strip()
    leak.unlink()
    commit(folder, "Nobody saw that")
    outcome = scan(folder, "leaks")
    assert outcome.code == 1
    for line in range(1, len(planted) + 1):
        assert re.search(
            rf"^production\.env:{line}: .+ in commit {hash_of_it[:10]} \(\d+\)$", outcome.output, re.MULTILINE
        )
    reports = "".join(path.read_text(encoding="utf-8") for path in (folder / "reports" / "leaks").iterdir())
    for value in planted.values():
        hidden = re.split("[:@]", value)[2] if "://" in value else value
        assert hidden not in outcome.output
        assert hidden not in reports


def test_a_secret_that_was_rotated_is_green_again_and_the_next_one_is_not(folder: Path, scan: Scan) -> None:
    (folder / "leak.txt").write_text(f"FIELD_ENCRYPTION_KEYS={secrets.token_urlsafe(32)}=\n", encoding="utf-8")
    commit(folder)
    (fingerprint,) = re.findall(r"^leak\.txt:1: .+\((\d+)\)$", scan(folder, "leaks").output, re.MULTILINE)
    with (folder / "scripts" / "leaks-rotated.txt").open("a", encoding="utf-8") as file:
        file.write(f"{fingerprint} Ann, 2026-10-01\n")
    assert scan(folder, "leaks").results == {"leaks": "passed"}
    (folder / "leak.txt").write_text(f"FIELD_ENCRYPTION_KEYS={secrets.token_urlsafe(32)}=\n", encoding="utf-8")
    commit(folder)
    assert scan(folder, "leaks").results == {"leaks": "found 1"}


def test_secrets_that_no_commit_holds_are_where_they_belong(folder: Path, scan: Scan) -> None:
    assert "SECRET_KEY=" in (folder / ".env").read_text(encoding="utf-8")
    run(folder, "git", "remote", "add", "origin", f"https://ci-token:{secrets.token_hex(16)}@git.example.com/site.git")
    assert scan(folder, "leaks").results == {"leaks": "passed"}


# The others are searched by their README's commands in test_readme.py and test_day.py.
@pytest.mark.parametrize("answers", [*PYTHON_COMBINATIONS[1:3], ALL_ON | {"ci_scanning": "gitlab"}], ids=name)
def test_no_project_holds_what_looks_like_a_secret(answers: Answers, project: Project, scan: Scan) -> None:
    folder = project(answers)
    commit(folder)
    assert scan(folder, "leaks").results == {"leaks": "passed"}


def test_a_shallow_clone_has_no_history_to_look_at(folder: Path, tmp_path: Path, scan: Scan) -> None:
    commit(folder)
    run(tmp_path, "git", "clone", "--quiet", "--depth", "1", folder.as_uri(), "shallow")
    assert scan(tmp_path / "shallow", "leaks").results["leaks"].startswith("not run: a shallow clone")


def test_a_folder_without_a_commit_has_no_history_either(folder: Path, scan: Scan) -> None:
    shutil.rmtree(folder / ".git")
    assert re.match("not run: .*not a git repository", scan(folder, "leaks").results["leaks"])
    run(folder, "git", "init", "--quiet")
    assert scan(folder, "leaks").results["leaks"] == "not run: no commit was scanned"


# uv audit


def test_audit_names_a_package_with_a_known_hole(folder: Path, scan: Scan, osv: Advisories) -> None:
    assert scan(folder, "audit", OSV_URL=osv.url).results == {"audit": "passed"}
    locked = tomllib.loads((folder / "uv.lock").read_text(encoding="utf-8"))["package"]
    assert {query["package"]["name"] for query in osv.asked} == {package["name"] for package in locked[:]} - {
        "my-secure-site"
    }
    osv.vulnerable = "whitenoise"
    outcome = scan(folder, "audit", OSV_URL=osv.url)
    assert outcome.code == 1
    assert re.search(
        r"^uv\.lock: whitenoise [\d.]+: GHSA-aaaa-bbbb-cccc Anybody may do anything, fixed in 99\.1$",
        outcome.output,
        re.MULTILINE,
    )
    assert "GHSA-aaaa-bbbb-cccc" in (folder / "reports" / "audit" / "audit.sarif").read_text(encoding="utf-8")


def test_audit_without_a_lock_did_not_run(folder: Path, scan: Scan, osv: Advisories) -> None:
    (folder / "uv.lock").unlink()
    assert (
        scan(folder, "audit", OSV_URL=osv.url)
        .results["audit"]
        .startswith("not run: exit code 1: error: Unable to find lockfile")
    )


# OWASP Dependency-Check


def locked_dependencies(folder: Path) -> set[tuple[str, str]]:
    """Return what the project runs on by the lock file itself, everywhere and with every extra it asks for."""
    packages: dict[str, dict[str, Any]] = {
        package["name"]: package
        for package in tomllib.loads((folder / "uv.lock").read_text(encoding="utf-8"))["package"]
    }
    (root,) = (package for package in packages.values() if "virtual" in package["source"])
    found: set[str] = set()
    waiting = list(root["dependencies"])
    while waiting:
        wanted = waiting.pop()
        package = packages[wanted["name"]]
        found.add(package["name"])
        more = [
            *(package.get("dependencies", []) if wanted["name"] not in found - {wanted["name"]} else []),
            *(entry for extra in wanted.get("extra", []) for entry in package["optional-dependencies"].get(extra, [])),
        ]
        waiting += [entry for entry in more if entry["name"] not in found]
    return {(name, packages[name]["version"]) for name in found}


@pytest.mark.parametrize("answers", PYTHON_COMBINATIONS, ids=name)
def test_dependency_check_is_told_exactly_the_locked_packages(
    answers: Answers, project: Project, scan: Scan, stand_in: Tool
) -> None:
    folder = project(answers)
    run(folder, "uv", "lock", "--quiet")
    tool = stand_in("dependency-check")
    assert scan(folder, "dependency-check", **tool.environment, REPORT=CLEAN).code == 0
    (exported,) = tool.note["scanned"].values()
    assert list(tool.note["scanned"]) == ["requirements.txt"]
    # Its expression has no word for 2026.10.19.post1, which is told as 2026.10.19.
    locked = {(name, re.match(r"[\d.]*\d", version)[0]) for name, version in locked_dependencies(folder)}  # type: ignore[index]
    assert set(PIP_ANALYZER.findall(exported)) == locked
    assert len(exported.splitlines()) == len(locked) >= 15


@pytest.mark.parametrize(
    "case",
    [
        (0, CLEAN, r"passed"),
        (0, EMPTY, r"not run: it read no package"),
        (0, "", r"not run: exit code 0"),
        (0, "{}", r"not run: KeyError"),
        (1, "", r"not run: exit code 1: see its messages above"),
        (13, "", r"not run: no vulnerability data: .+NVD_API_KEY"),
        (14, CLEAN, r"not run: a source could not be brought up to date"),
        (14, VULNERABLE, r"found 1"),
        (15, VULNERABLE, r"found 1"),
        (15, CLEAN, r"found 1"),
    ],
)
def test_dependency_check_tells_vulnerable_clean_and_could_not_tell_apart(
    case: tuple[int, str, str], folder: Path, scan: Scan, stand_in: Tool
) -> None:
    code, report, result = case
    tool = stand_in("dependency-check")
    outcome = scan(folder, "dependency-check", **tool.environment, EXIT_CODE=str(code), REPORT=report, CI="true")
    assert re.match(result, outcome.results["dependency-check"]), outcome.output
    assert outcome.code == (0 if result == "passed" else 1)
    if report == VULNERABLE:
        assert "uv.lock: whitenoise:6.12.0: CVE-2026-0001, CVSS 9.8\n" in outcome.output
        assert "reports/dependency-check/dependency-check-report.html" in outcome.output


def test_dependency_check_is_asked_for_what_a_team_looks_at(folder: Path, scan: Scan, stand_in: Tool) -> None:
    tool = stand_in("dependency-check")
    scan(folder, "dependency-check", **tool.environment, REPORT=CLEAN)
    arguments = " ".join(tool.note["arguments"])
    for expected in (
        "--scan reports/dependency-check/packages --enableExperimental",
        "--format HTML --format SARIF --format JSON",
        "--suppression scripts/dependency-check/suppressions.xml",
        "--data .dependency_check_cache",
        "--failOnCVSS 7",
        f"--nvdDatafeed {tool.environment['NVD_DATAFEED_URL']}",
    ):
        assert expected in arguments


def test_a_key_never_stands_on_the_command_line(folder: Path, stand_in: Tool, osv: Advisories) -> None:
    tool = stand_in("dependency-check")
    key = secrets.token_hex(16)
    environment = {**clean_environment(), **tool.environment, "NVD_API_KEY": key, "REPORT": CLEAN}
    del environment["NVD_DATAFEED_URL"]
    program = (
        "from scripts import dependency_check, security\n"
        f"dependency_check.API = {osv.url!r}\n"
        "raise SystemExit(security.main(['dependency-check']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, check=False, capture_output=True
    )
    assert done.returncode == 0, done.stdout
    assert tool.note["properties"] == f"nvd.api.key={key}\n"
    assert not [argument for argument in tool.note["arguments"] if key in argument]
    assert "--nvdDatafeed" not in tool.note["arguments"]
    if os.name == "posix":
        assert tool.note["mode"] == "0o40700"
    assert not Path(tool.note["arguments"][tool.note["arguments"].index("--propertyfile") + 1]).exists()


@pytest.mark.skipif(bool(shutil.which("dependency-check")), reason="a tool on the path comes first")
def test_docker_runs_the_pinned_image_and_sees_four_folders(folder: Path, scan: Scan, stand_in: Tool) -> None:
    tool = stand_in("docker")
    outcome = scan(folder, "dependency-check", **tool.environment, REPORT=CLEAN)
    assert outcome.results == {"dependency-check": "passed"}
    pin = (folder / "scripts" / "dependency-check" / "Dockerfile").read_text(encoding="utf-8").split()[-1]
    assert re.fullmatch(r"owasp/dependency-check:\d+\.\d+\.\d+", pin)
    arguments = tool.note["arguments"]
    image = arguments.index(pin)
    assert arguments[:2] == ["run", "--rm"]
    mounted = [argument.removeprefix("--volume=") for argument in arguments[:image] if argument.startswith("--volume=")]
    assert [mount.partition(":/src/")[2] for mount in mounted] == [
        "reports/dependency-check",
        ".dependency_check_cache",
        "scripts/dependency-check:ro",
        "private:ro",
    ]
    assert mounted[0].startswith(str(folder.resolve()))
    if os.name == "posix":
        assert f"--user={os.getuid()}:{os.getgid()}" in arguments[:image]
    outcome = scan(folder, "dependency-check", **tool.environment, EXIT_CODE="125")
    assert outcome.results["dependency-check"].startswith("not run: Docker did not start it")


# Workflows and the bill of materials


def test_an_unpinned_action_is_named_by_place(folder: Path, scan: Scan) -> None:
    workflow = folder / ".github" / "workflows" / "ci.yml"
    text = workflow.read_text(encoding="utf-8")
    workflow.write_text(re.sub(r"actions/checkout@\w+ # v", "actions/checkout@v", text, count=1), encoding="utf-8")
    line = 1 + text[: text.index("actions/checkout@")].count("\n")
    outcome = scan(folder, "workflows")
    assert outcome.code == 1
    assert f".github/workflows/ci.yml:{line}: zizmor/unpinned-uses: " in outcome.output


def test_a_workflow_that_cannot_be_read_was_not_looked_at(folder: Path, scan: Scan) -> None:
    (folder / ".github" / "workflows" / "broken.yml").write_text("on: [push\njobs: {\n", encoding="utf-8")
    outcome = scan(folder, "workflows", CI="true")
    assert outcome.code == 1
    assert outcome.results["workflows"].startswith("not run: ")


def test_the_bill_of_materials_lists_what_the_project_runs_on(folder: Path, scan: Scan) -> None:
    assert scan(folder, "sbom").results == {"sbom": "passed"}
    bill = (folder / "reports" / "sbom" / "sbom.cdx.json").read_text(encoding="utf-8")
    assert '"CycloneDX"' in bill
    for package, version in locked_dependencies(folder):
        assert f'"pkg:pypi/{package}@{version}"' in bill
    assert "pkg:pypi/bandit@" not in bill
