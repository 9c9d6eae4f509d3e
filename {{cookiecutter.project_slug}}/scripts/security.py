"""Run all scans, or the named ones, and print a table of the results.

The reports are in reports/. A scan that cannot run, reads nothing or writes an
unexpected report is *not run*: in CI, that is a failure.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from urllib.parse import unquote

REPORTS = Path("reports")
OSV = os.environ.get("OSV_URL") or "https://api.osv.dev/"  # OSV_URL names a mirror
DATA = Path(".dependency_check_cache")
CONFIGURATION = Path("scripts/dependency-check")
# Dependency-Check's own copy of the NVD, which needs no key. NVD_DATAFEED_URL names a
# mirror of the same form.
FEED = "https://dependency-check.github.io/DependencyCheck_Builder/nvd_cache/nvdcve-{0}.json.gz"
LIMIT = 7  # the CVSS score from which it fails
SCORES = ("cvssv2", "score"), ("cvssv3", "baseScore"), ("cvssv4", "baseScore")
# Dependency-Check reads only such lines completely. Its versions are digits and dots:
# 2.9.0.post0 becomes 2.9.0.
PACKAGE = re.compile(r"([\w.-]+==)(?:\d+!)?(\d+(?:\.\d+)*).*")
# The packages that the project runs on, in every configuration.
EXPORT = ("uv", "export", "--quiet", "--frozen", "--no-dev", "--all-extras")


class NotRun(Exception):
    """The reason why a command did not do its work."""


def run(*command: str, found: int = 0, **environment: str) -> str:
    """Return a tool's output; raise NotRun with its error if it fails.

    It succeeds with the exit code 0, or with `found` and a report.
    """
    program = shutil.which(command[0])  # finds the .bat and .cmd of Windows too
    if program is None:
        raise NotRun(f"{command[0]} is not installed")
    done = subprocess.run(  # noqa: S603 - no shell, and all arguments come from this project
        [program, *command[1:]],
        env=os.environ | {"PYTHONIOENCODING": "utf-8"} | environment,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode and not (done.returncode == found and done.stdout):
        text = f"{done.stdout}\n{done.stderr}".strip()
        error = re.search(
            r"^(?:error|fatal)\b.*", text, re.DOTALL | re.IGNORECASE | re.MULTILINE
        )
        reason = error[0] if error else text.rpartition("\n")[2] or "no output"
        raise NotRun(f"exit code {done.returncode}: {' '.join(reason.split())[:300]}")
    return done.stdout


def report(
    folder: Path, kinds: str, *command: str, found: int = 0, **environment: str
) -> dict[str, Any]:
    """Write a tool's report of each kind, and return the last one.

    The command ends before the name of the kind.
    """
    for kind in kinds.split():
        text = run(*command, kind, found=found, **environment)
        (folder / f"{folder.name}.{kind}").write_text(text, encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def describe(result: dict[str, Any]) -> str:
    """Return a result of a SARIF report as one line."""
    place = result["locations"][0]["physicalLocation"]
    file, line = (
        unquote(place["artifactLocation"]["uri"]),
        place.get("region", {}).get("startLine", 1),
    )
    return (
        f"{file}:{line}: {result.get('ruleId', 'not scanned')}:"
        f" {result['message']['text']}"
    )


def bandit(folder: Path) -> list[str]:
    """Find insecure calls in the code, from medium severity on."""
    # Bandit's own exclusions match anywhere in a path: CVS excludes core/CVSS.py.
    options = (
        "--quiet",
        "--exit-zero",
        "-c",
        "pyproject.toml",
        "--exclude",
        "*/.git/*",
        "-r",
        ".",
        "-f",
    )
    (sarif,) = report(folder, "html json sarif", "bandit", *options)["runs"]
    # Bandit itself passes when it could not read a file.
    unread = sarif["invocations"][0].get("toolConfigurationNotifications", [])
    found = [
        describe(result)
        for result in sarif["results"] + unread
        if result.get("level") != "note"
    ]
    if not sarif["properties"]["metrics"]["_totals"]["loc"]:
        found.append(".: no line of code was scanned")
    # A pattern without * matches anywhere in a path: "tests" excludes contests/ too.
    excluded = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))[
        "tool"
    ]["bandit"]["exclude_dirs"]
    return found + [
        f'pyproject.toml: exclude_dirs: write "*/{it}/*", not "{it}"'
        for it in excluded
        if "*" not in it
    ]


def leaks(folder: Path) -> list[str]:
    """Find secrets in commits."""
    # Only there: secrets belong in .env, and .git holds CI's short-lived token.
    repository = run("git", "rev-parse", "--git-common-dir").strip()
    where = (
        repository,
        "--exclude",
        f"{repository}/*",
        "--rules-path",
        "scripts/leaks.yml",
    )
    # A found secret must reach neither the reports nor a service that could check it.
    private = ("--redact", "--no-validate", "--no-update-check")
    (sarif,) = report(
        folder,
        "html json sarif",
        "kingfisher",
        "scan",
        *where,
        *private,
        "--format",
        found=200,
    )["runs"]
    (audited,) = sarif["properties"]["repository_audit"]["repositories"]
    if audited["git"]["shallow"]:
        raise NotRun("a shallow clone lacks the history: run git fetch --unshallow")
    if (
        audited["scan"]["status"] != "completed"
        or not audited["git"]["fetched_commit_count"]
    ):
        raise NotRun("no commit was scanned: it looks only at commits")
    # Kingfisher passes over an object that a partial clone lacks.
    if re.search(
        r"^\?",
        run("git", "rev-list", "--all", "--objects", "--missing=print"),
        re.MULTILINE,
    ):
        raise NotRun(
            "a partial clone lacks a part of the history: clone without --filter"
        )
    # The history keeps a rotated secret, with one fingerprint in all files and commits.
    rotated = re.findall(
        r"^\w+",
        Path("scripts/leaks-rotated.txt").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    found = []
    for result in sarif["results"]:
        commit = result["locations"][0]["properties"]["git_metadata"]["commit"]["id"]
        if (fingerprint := result["partialFingerprints"]["fingerprint"]) not in rotated:
            found.append(f"{describe(result)} in commit {commit:.10} ({fingerprint})")
    return found


def audit(folder: Path) -> list[str]:
    """Find known vulnerabilities (OSV)."""
    command = ("uv", "audit", "--frozen", "--service-url", OSV, "--output-format")
    content = report(
        folder,
        "sarif json",
        *command,
        found=1,
        UV_HTTP_RETRIES="1",
        UV_HTTP_TIMEOUT="8",
    )
    if not content["summary"]["audited_packages"]:
        raise NotRun("uv audited no package")
    text = (
        "uv.lock: {dependency[name]} {dependency[version]}:"
        " {id} {summary}, fixed in {fixed}"
    )
    known = [
        it | {"fixed": ", ".join(it["fix_versions"]) or "no release"}
        for it in content["vulnerabilities"]
    ]
    # Packages that the index lists as archived, deprecated or quarantined.
    return [
        *map(text.format_map, known),
        *(f"uv.lock: {status}" for status in content["adverse_statuses"]),
    ]


def dependency_check(folder: Path) -> list[str]:
    """Find known vulnerabilities in a second database, the NVD, which has fewer."""
    tool = shutil.which("dependency-check") or shutil.which("docker")
    if tool is None:
        raise NotRun("needs Docker, or dependency-check on the path")
    mirror = os.environ.get("NVD_DATAFEED_URL")
    key = "" if mirror else os.environ.get("NVD_API_KEY")
    source = ["--nvdDatafeed", mirror or FEED]
    (folder / "packages").mkdir()
    # The only file name that it reads, alone in its folder.
    (folder / "packages" / "requirements.txt").write_text(
        locked_packages(), encoding="utf-8"
    )
    DATA.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as private:
        command, seen = (
            ([tool], private)
            if Path(tool).stem != "docker"
            else container(tool, folder, private)
        )
        command += [
            *(
                "--project",
                Path.cwd().name,
                "--scan",
                f"{folder.as_posix()}/packages",
                "--enableExperimental",
            ),
            *(
                "--data",
                DATA.as_posix(),
                "--suppression",
                f"{CONFIGURATION.as_posix()}/suppressions.xml",
            ),
            *(
                "--out",
                folder.as_posix(),
                "--format",
                "HTML",
                "--format",
                "SARIF",
                "--format",
                "JSON",
            ),
            # % if cookiecutter.ci_scanning == "gitlab"
            *("--format", "GITLAB"),
            # % endif
            # These analyzers need an account or do not cover Python.
            *(
                "--disableOssIndex",
                "--disableRetireJS",
                "--disableKnownExploited",
                "--failOnCVSS",
                str(LIMIT),
            ),
        ]
        if key:
            # The API often fails to deliver the whole NVD: the feed comes first, and
            # the API brings what is newer.
            subprocess.run([*command, *source, "--updateonly"])  # noqa: S603 - no shell
            # Every process on the machine could read the key on the command line.
            Path(private, "nvd.properties").write_text(
                f"nvd.api.key={key}\n", encoding="utf-8"
            )
            source = [
                "--propertyfile",
                f"{seen}/nvd.properties",
                "--nvdValidForHours",
                "0",
            ]
        code = subprocess.run([*command, *source]).returncode  # noqa: S603 - no shell
    written = folder / "dependency-check-report.json"
    found = (
        vulnerabilities(json.loads(written.read_text(encoding="utf-8")))
        if written.exists()
        else []
    )
    # What it found counts whatever the code: after a failed update of its data, the
    # code is 14.
    if not found and (code or not written.exists()):
        raise NotRun(f"exit code {code}: see its messages above")
    return found


def locked_packages() -> str:
    lines = run(
        *EXPORT, "--no-hashes", "--no-annotate", "--no-header", "--no-emit-project"
    ).splitlines()
    unread = [line for line in lines if not PACKAGE.fullmatch(line)]
    if unread or not lines:
        raise NotRun(
            f"uv exported no package, or lines that are not name==version: {unread}"
        )
    return "".join(PACKAGE.sub(r"\1\2\n", line) for line in lines)


def container(docker: str, folder: Path, private: str) -> tuple[list[str], str]:
    """Return the command that runs the pinned image, and its name of `private`.

    The container has access to four folders.
    """
    image = (CONFIGURATION / "Dockerfile").read_text(encoding="utf-8").split()[-1]
    mounts = [f"{path.resolve()}:/src/{path.as_posix()}" for path in (folder, DATA)]
    mounts += [
        f"{CONFIGURATION.resolve()}:/src/{CONFIGURATION.as_posix()}:ro",
        f"{private}:/src/private:ro",
    ]
    user = [] if sys.platform == "win32" else [f"--user={os.getuid()}:{os.getgid()}"]
    return [
        docker,
        "run",
        "--rm",
        *(f"--volume={mount}" for mount in mounts),
        *user,
        image,
    ], "/src/private"


def vulnerabilities(content: dict[str, Any]) -> list[str]:
    """Return vulnerabilities from the limit on; raise NotRun if no package was read."""
    dependencies = content["dependencies"]
    if not any(
        "@" in package["id"]
        for dependency in dependencies
        for package in dependency.get("packages", [])
    ):
        raise NotRun("it read no package")
    found = []
    for dependency in dependencies:
        for known in dependency.get("vulnerabilities", []):
            score = max(
                known.get(version, {}).get(field, 0) for version, field in SCORES
            )
            if not 0 < score < LIMIT:  # without a score, it may be a bad one
                found.append(
                    f"uv.lock: {dependency['fileName']}: {known['name']},"
                    f" CVSS {score or 'unknown'}"
                )
    return found


def sbom(folder: Path) -> list[str]:
    """Write the SBOM (CycloneDX), with hashes and licenses."""
    # CycloneDX 1.6 includes 1.5.
    bill = json.loads(run(*EXPORT, "--format", "cyclonedx1.5")) | {"specVersion": "1.6"}
    for package in bill.setdefault("components", []):
        package["licenses"] = licenses(package["name"])
    (folder / "sbom.cdx.json").write_text(json.dumps(bill, indent=2), encoding="utf-8")
    if not bill["components"]:
        raise NotRun("uv listed no package")
    return []


def licenses(package: str) -> list[dict[str, Any]]:
    """Return the licenses that a package declares, as CycloneDX writes them.

    There are none if the package is not installed here.
    """
    for about in (found.metadata for found in distributions(name=package)):
        if expressions := about.get_all("License-Expression", []):
            return [{"expression": expressions[0]}]
        names = [
            it.rpartition(" :: ")[2]
            for it in about.get_all("Classifier", [])
            if it.startswith("License")
        ]
        return [
            {"license": {"name": name}}
            for name in names or about.get_all("License", [])
        ]
    return []


SCANS = {
    "bandit": bandit,
    "leaks": leaks,
    "audit": audit,
    "dependency-check": dependency_check,
    "sbom": sbom,
}


# % if cookiecutter.ci_scanning == "github"
def workflows(folder: Path) -> list[str]:
    """Find vulnerable workflows."""
    if not any(Path(".github/workflows").glob("*.y*ml")):
        raise NotRun("there is no workflow")
    # By default, zizmor passes over what .gitignore names, and over a file that it
    # cannot read.
    files = (".github", *map(str, Path().glob(".pre-commit-config.y*ml")))
    options = (
        "--offline",
        "--no-progress",
        "--collect=all",
        "--strict-collection",
        *files,
        "--format",
    )
    (sarif,) = report(folder, "sarif", "zizmor", *options)["runs"]
    return [describe(result) for result in sarif["results"]]


SCANS["workflows"] = workflows


# % endif
def main(names: list[str]) -> int:
    if unknown := set(names) - SCANS.keys():
        sys.exit(
            f"Unknown scan: {', '.join(sorted(unknown))}."
            f" Known scans: {', '.join(SCANS)}."
        )
    # A console that cannot show a character shows its code point.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    row, failed = "| {:16} | {:8} | {:7} | {}\n".format, False
    table = row(
        "tool", "result", "seconds", "what it does, or why it did not run |"
    ) + row(*["---"] * 3, "--- |")
    for name in names or SCANS:
        started = time.monotonic()
        result, _, reason = run_scan(name).partition(": ")
        failed |= result.startswith("found") or (
            result == "not run" and "CI" in os.environ
        )
        table += row(
            name,
            result,
            f"{time.monotonic() - started:.0f}",
            f"{reason or SCANS[name].__doc__} |",
        )
    (REPORTS / "summary.md").write_text(f"### Scans\n\n{table}\n", encoding="utf-8")
    print(f"\n{table}", end="")
    return int(failed)


def run_scan(name: str) -> str:
    """Return `passed`, `found` and a number, or `not run` and the reason."""
    print(f"== {name}", flush=True)
    folder = REPORTS / name
    # An old report must not be taken for a new one.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        found = SCANS[name](folder)
    except NotRun as reason:
        return f"not run: {reason}"
    except Exception as error:
        # A report in an unexpected form shows nothing, so the scan must not pass.
        return f"not run: {type(error).__name__}: {error}"
    sys.stdout.writelines(f"{line}\n" for line in found)
    return f"found {len(found)}" if found else "passed"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
