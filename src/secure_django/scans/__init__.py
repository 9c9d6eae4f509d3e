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
from contextlib import suppress
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from secure_django.commands.programs import NotRun, PartlyRun, check_project, run
from secure_django.scans.own_package import audit_own_package, find_sources
from secure_django.untrusted import printable

REPORTS = Path("reports")
MAX_LINE = 1000  # characters
ROW = "| {:16} | {:8} | {:7} | {} |\n"
# What the package brings along for the tools.
BESIDE = Path(__file__).parent
# What a project has of its own: what it accepts, with reasons.
ROTATED = Path("scans/leaks-rotated.txt")
SUPPRESSIONS = Path("scans/suppressions.xml")

# Bandit's own exclusions match anywhere in a path: CVS excludes blog/CVSS.py.
BANDIT = "bandit --quiet --exit-zero -c pyproject.toml --exclude */.git/* -r . --format"
# A secret must reach neither the reports nor a service that could check it.
KINGFISHER = (
    f"--rules-path={BESIDE / 'leaks.yml'}",
    "--redact",
    "--no-validate",
    "--no-update-check",
)

OSV = os.environ.get("OSV_URL") or "https://api.osv.dev/"  # OSV_URL names a mirror
OSV_SECONDS = 300  # for a whole report
VULNERABILITY = (
    "uv.lock: {dependency[name]} {dependency[version]}:"
    " {id} {summary}, fixed in {fixed}"
)

# The scanner's image. Another version may not be able to read its data, so that each
# has a folder of its own.
SCANNER = (BESIDE / "dependency-check" / "Dockerfile").read_text("utf-8").split()[-1]
DATA = Path(".dependency_check_cache", SCANNER.rpartition(":")[2])
# Dependency-Check's own copy of the NVD, which needs no key. NVD_DATAFEED_URL names a
# mirror of the same form.
FEED = "https://dependency-check.github.io/DependencyCheck_Builder/nvd_cache/nvdcve-{0}.json.gz"
CVSS_LIMIT = 7  # the score from which the scan fails
# Dependency-Check reads only such lines completely. Its versions are digits and dots:
# 2.9.0.post0 becomes 2.9.0.
PACKAGE = re.compile(r"([\w.-]+==)(?:\d+!)?(\d+(?:\.\d+)*).*")

# The licenses of packages that declare no SPDX expression, as their license files say.
# They declare names such as "BSD License", which are those of several licenses.
LICENSES = {
    "python-dateutil": "BSD-3-Clause",
    "s3transfer": "Apache-2.0",
    "sqlparse": "BSD-3-Clause",
    "cloudinary": "MIT",
    "colorama": "BSD-3-Clause",
    "fido2": "BSD-2-Clause AND Apache-2.0 AND MPL-2.0",
    "qrcode": "BSD-3-Clause AND MIT",
}
# An id of the SPDX list. LicenseRef- begins the name of a license outside the list.
SPDX_ID = re.compile(r"(?!LicenseRef-)[\w.-]+")

# The packages that the project runs on, in every configuration.
EXPORT = ("uv", "export", "--quiet", "--frozen", "--no-dev", "--all-extras")


class Outcome(NamedTuple):
    result: str  # `passed`, `found` and a number, or `not run`
    note: str  # what the scan does, or why it did not run

    def is_failure(self) -> bool:
        if self.result == "not run":
            return "CI" in os.environ
        return self.result != "passed"


def write_reports(
    folder: Path,
    kinds: str,
    *command: str,
    **options: Any,
) -> dict[str, Any]:
    """Write a tool's report of each kind, and return the last one.

    The command ends before the name of the kind. `options` are those of run().
    """
    for kind in kinds.split():
        text = run(*command, kind, **options)
        report = folder / f"{folder.name}.{kind}"
        report.write_text(text, encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def describe_result(result: dict[str, Any]) -> str:
    """Return a result of a SARIF report as one line."""
    place = result["locations"][0]["physicalLocation"]
    file = unquote(place["artifactLocation"]["uri"])
    line = place.get("region", {}).get("startLine", 1)
    rule = result.get("ruleId", "not scanned")
    return f"{file}:{line}: {rule}: {result['message']['text']}"


def run_bandit(folder: Path) -> list[str]:
    """Find insecure calls in the code, from medium severity on."""
    (sarif,) = write_reports(folder, "html json sarif", *BANDIT.split())["runs"]
    # Bandit itself passes when it could not read a file.
    unread = sarif["invocations"][0].get("toolConfigurationNotifications", [])
    results = sarif["results"] + unread
    severe = [result for result in results if result.get("level") != "note"]
    findings = [describe_result(result) for result in severe]
    totals = sarif["properties"]["metrics"]["_totals"]
    if not totals["loc"]:
        findings.append(".: no line of code was scanned")
    return findings + check_exclusions()


def check_exclusions() -> list[str]:
    """Find patterns without *, which match anywhere in a path.

    "tests" excludes contests/ too.
    """
    pyproject = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    patterns = pyproject["tool"]["bandit"]["exclude_dirs"]
    loose = [pattern for pattern in patterns if "*" not in pattern]
    advice = 'pyproject.toml: exclude_dirs: write "*/{0}/*", not "{0}"'
    return [advice.format(pattern) for pattern in loose]


def find_leaks(folder: Path) -> list[str]:
    """Find secrets in commits."""
    # Only there: secrets belong in .env, and .git holds CI's short-lived token.
    # Never the repository of a folder above the project.
    above = str(Path.cwd().parent)
    find = ("git", "rev-parse", "--git-common-dir")
    repository = run(*find, GIT_CEILING_DIRECTORIES=above).strip()
    command = ["kingfisher", "scan", repository, "--exclude", f"{repository}/*"]
    command += [*KINGFISHER, "--format"]
    report = write_reports(folder, "html json sarif", *command, findings_code=200)
    (sarif,) = report["runs"]
    check_history(sarif)
    # The history keeps a rotated secret, with one fingerprint in all files and commits.
    rotated = rotated_fingerprints()
    findings = []
    for result in sarif["results"]:
        fingerprint = result["partialFingerprints"]["fingerprint"]
        git = result["locations"][0]["properties"]["git_metadata"]
        place = f"in commit {git['commit']['id']:.10} ({fingerprint})"
        if fingerprint not in rotated:
            findings.append(f"{describe_result(result)} {place}")
    return findings


def rotated_fingerprints() -> list[str]:
    """Return the secrets that the project accepts. It may have no list."""
    if not ROTATED.is_file():
        return []
    return re.findall(r"^\w+", ROTATED.read_text(encoding="utf-8"), re.MULTILINE)


def scan_staged(files: list[str]) -> int:
    """Find secrets in files that are about to be committed, and return the exit code.

    The hook of pre-commit names them.
    """
    program = shutil.which("kingfisher")
    if program is None:
        sys.exit("kingfisher is not installed")
    command = [program, "scan", *KINGFISHER, *files]
    return subprocess.run(command, check=False).returncode  # noqa: S603 - no shell


def check_history(sarif: dict[str, Any]) -> None:
    """Raise NotRun if Kingfisher did not read the whole history."""
    (repository,) = sarif["properties"]["repository_audit"]["repositories"]
    if repository["git"]["shallow"]:
        raise NotRun("a shallow clone lacks the history: run git fetch --unshallow")
    is_complete = repository["scan"]["status"] == "completed"
    if not is_complete or not repository["git"]["fetched_commit_count"]:
        raise NotRun("no commit was scanned: it looks only at commits")
    # Kingfisher skips an object that a partial clone lacks.
    objects = run("git", "rev-list", "--all", "--objects", "--missing=print")
    if re.search(r"^\?", objects, re.MULTILINE):
        raise NotRun(
            "a partial clone lacks a part of the history: clone without --filter"
        )


def audit_packages(folder: Path) -> list[str]:
    """Find known vulnerabilities (OSV)."""
    findings: dict[str, str] = {}
    reasons: list[str] = []
    try:
        findings |= audit_by_osv(folder)
    except NotRun as reason:
        reasons.append(str(reason))
    try:
        sources = find_sources()
    except NotRun as reason:
        sources = []
        reasons.append(str(reason))
    for source in sources:
        try:
            findings |= audit_own_package(source, findings.keys())
        except NotRun as reason:
            reasons.append(str(reason))
    if reasons:
        raise PartlyRun("; ".join(reasons), [*findings.values()])
    return [*findings.values()]


def ask_osv(folder: Path) -> dict[str, Any]:
    """Return the report of uv; raise NotRun if OSV, or a mirror, cannot be reached."""
    if urlsplit(OSV).scheme != "https":
        raise NotRun("OSV_URL has to begin with https://")
    command = ("uv", "audit", "--frozen", "--service-url", OSV, "--output-format")
    patience = {"UV_HTTP_RETRIES": "1", "UV_HTTP_TIMEOUT": "8"}  # seconds
    try:
        return write_reports(
            folder,
            "sarif json",
            *command,
            findings_code=1,
            seconds=OSV_SECONDS,
            **patience,
        )
    except NotRun as reason:
        if urlsplit(OSV).netloc in str(reason):
            raise NotRun(f"OSV cannot be reached: {reason}") from reason
        raise


def audit_by_osv(folder: Path) -> dict[str, str]:
    """Return a line for each vulnerability of a locked package, by its id."""
    report = ask_osv(folder)
    if not report["summary"]["audited_packages"]:
        raise NotRun("uv audited no package")
    findings = {}
    for vulnerability in report["vulnerabilities"]:
        fixed = ", ".join(vulnerability["fix_versions"]) or "no release"
        line = VULNERABILITY.format_map(vulnerability | {"fixed": fixed})
        key = f"{vulnerability['id']} {vulnerability['dependency']['name']}"
        findings[key] = line
    # Packages that the index lists as archived, deprecated or quarantined.
    findings |= {str(it): f"uv.lock: {it}" for it in report["adverse_statuses"]}
    return findings


def run_dependency_check(folder: Path) -> list[str]:
    """Find known vulnerabilities in a second database, the NVD, which has fewer."""
    tool = shutil.which("dependency-check") or shutil.which("docker")
    if tool is None:
        raise NotRun("needs Docker, or dependency-check on the path")
    packages = folder / "packages"
    packages.mkdir()
    # The only file name that the tool reads, alone in its folder.
    file = packages / "requirements.txt"
    file.write_text(locked_packages(), encoding="utf-8")
    make_data_folder()
    with tempfile.TemporaryDirectory() as private:
        code = call_dependency_check(tool, folder, private)
    report = folder / "dependency-check-report.json"
    findings = []
    if report.exists():
        content = json.loads(report.read_text(encoding="utf-8"))
        findings = find_vulnerabilities(content)
    # The findings count whatever the code: after a failed update of the tool's data,
    # the code is 14.
    has_failed = code != 0 or not report.exists()
    if has_failed and not findings:
        raise NotRun(f"exit code {code}: see its messages above")
    return findings


def locked_packages() -> str:
    """Return the packages in the form that Dependency-Check reads.

    Without secure-django, if it is in vendor/ or comes from a repository: no database
    knows such a version.
    """
    options = ("--no-hashes", "--no-annotate", "--no-header", "--no-emit-local")
    exported = run(*EXPORT, *options).splitlines()
    lines = [line for line in exported if not line.startswith("secure-django @ git+")]
    unread = [line for line in lines if not PACKAGE.fullmatch(line)]
    if unread or not lines:
        raise NotRun(
            f"uv exported no package, or lines that are not name==version: {unread}"
        )
    return "".join(PACKAGE.sub(r"\1\2\n", line) for line in lines)


def make_data_folder() -> None:
    """Make the folder of the scanner's data, and remove those of other versions."""
    DATA.mkdir(parents=True, exist_ok=True)
    for other in set(DATA.parent.iterdir()) - {DATA}:
        shutil.rmtree(other, ignore_errors=True)


def call_dependency_check(tool: str, folder: Path, private: str) -> int:
    """Update the data, scan the packages, and return the exit code.

    `private` is a folder that only this user may read.
    """
    command = [tool]
    seen_private = private
    if Path(tool).stem == "docker":
        command = container_command(tool, folder, private)
        seen_private = "/src/private"
    command += ["--project", Path.cwd().name]
    command += ["--scan", f"{folder.as_posix()}/packages", "--enableExperimental"]
    command += ["--data", DATA.as_posix()]
    command += ["--suppression", SUPPRESSIONS.as_posix()]
    command += ["--out", folder.as_posix()]
    command += ["--format", "HTML", "--format", "SARIF", "--format", "JSON"]
    # These analyzers need an account or do not cover Python.
    command += ["--disableOssIndex", "--disableRetireJS", "--disableKnownExploited"]
    command += ["--failOnCVSS", str(CVSS_LIMIT)]
    mirror = os.environ.get("NVD_DATAFEED_URL")
    key = os.environ.get("NVD_API_KEY")
    source = ["--nvdDatafeed", mirror or FEED]
    if key and not mirror:
        # The API often fails to deliver the whole NVD: the feed comes first, and
        # the API brings what is newer.
        update = [*command, *source, "--updateonly"]
        subprocess.run(update, check=False)  # noqa: S603 - no shell
        # Every process on the machine could read the key on the command line.
        properties = Path(private, "nvd.properties")
        properties.write_text(f"nvd.api.key={key}\n", encoding="utf-8")
        source = ["--propertyfile", f"{seen_private}/{properties.name}"]
        source += ["--nvdValidForHours", "0"]
    scan = [*command, *source]
    return subprocess.run(scan, check=False).returncode  # noqa: S603 - no shell


def container_command(docker: str, folder: Path, private: str) -> list[str]:
    """Return the command that runs the pinned image with access to four paths."""
    command = [docker, "run", "--rm", volume(folder), volume(DATA)]
    command += [f"{volume(SUPPRESSIONS)}:ro", f"--volume={private}:/src/private:ro"]
    if sys.platform != "win32":
        command.append(f"--user={os.getuid()}:{os.getgid()}")
    return [*command, SCANNER]


def volume(path: Path) -> str:
    return f"--volume={path.resolve()}:/src/{path.as_posix()}"


def find_vulnerabilities(report: dict[str, Any]) -> list[str]:
    """Return vulnerabilities from the limit on; raise NotRun if no package was read."""
    dependencies = report["dependencies"]
    if not any(map(has_package, dependencies)):
        raise NotRun("it read no package")
    findings = []
    for dependency in dependencies:
        package = f"uv.lock: {dependency['fileName']}"
        for vulnerability in dependency.get("vulnerabilities", []):
            name = vulnerability["name"]
            score = highest_score(vulnerability)
            if not 0 < score < CVSS_LIMIT:  # without a score, it may be severe
                findings.append(f"{package}: {name}, CVSS {score or 'unknown'}")
    return findings


def has_package(dependency: dict[str, Any]) -> bool:
    return any("@" in package["id"] for package in dependency.get("packages", []))


def highest_score(vulnerability: dict[str, Any]) -> float:
    """Return the highest CVSS score, or 0 if there is none."""
    cvss2 = vulnerability.get("cvssv2", {}).get("score", 0)
    cvss3 = vulnerability.get("cvssv3", {}).get("baseScore", 0)
    cvss4 = vulnerability.get("cvssv4", {}).get("baseScore", 0)
    return float(max(cvss2, cvss3, cvss4))


def write_sbom(folder: Path) -> list[str]:
    """Write the SBOM (CycloneDX), with hashes and licenses."""
    sbom = json.loads(run(*EXPORT, "--format", "cyclonedx1.5"))
    sbom["specVersion"] = "1.6"  # CycloneDX 1.6 includes 1.5
    packages = sbom.setdefault("components", [])
    for package in packages:
        package["licenses"] = find_licenses(package["name"])
    text = json.dumps(sbom, indent=2)
    (folder / "sbom.cdx.json").write_text(text, encoding="utf-8")
    if not packages:
        raise NotRun("uv listed no package")
    return []


def find_licenses(package: str) -> list[dict[str, Any]]:
    """Return the licenses of a package, as CycloneDX writes them.

    They are SPDX ids where possible, since some scanners read no expressions, and
    otherwise what the package declares.
    """
    expression = find_expression(package)
    if not expression:
        return [{"license": {"name": name}} for name in declared_names(package)]
    ids = expression.split(" AND ")
    if all(map(SPDX_ID.fullmatch, ids)):
        return [{"license": {"id": spdx_id}} for spdx_id in ids]
    return [{"expression": expression}]


def find_expression(package: str) -> str:
    """Return the SPDX expression of a package, or nothing.

    A package that is not installed here has that of LICENSES alone.
    """
    listed = LICENSES.get(package, "")
    try:
        return declared_expression(metadata(package)) or listed
    except PackageNotFoundError:
        return listed


def declared_names(package: str) -> list[str]:
    try:
        about = metadata(package)
    except PackageNotFoundError:
        return []
    classifiers = about.get_all("Classifier", [])
    licenses = [text for text in classifiers if text.startswith("License")]
    names = [classifier.rpartition(" :: ")[2] for classifier in licenses]
    return names or about.get_all("License", [])


def declared_expression(about: PackageMetadata) -> str:
    """Return the SPDX expression in the metadata of a package, or nothing."""
    # Only this scan needs it. CI runs Dependency-Check without the project's tools.
    from packaging.licenses import (
        InvalidLicenseExpression,
        canonicalize_license_expression,
    )

    older_field = about.get_all("License", [])  # often a name or the whole text
    for text in about.get_all("License-Expression", []) + older_field:
        with suppress(InvalidLicenseExpression):
            return canonicalize_license_expression(text)
    return ""


SCANS = {
    "bandit": run_bandit,
    "leaks": find_leaks,
    "audit": audit_packages,
    "dependency-check": run_dependency_check,
    "sbom": write_sbom,
}


def check_workflows(folder: Path) -> list[str]:
    """Find vulnerable workflows."""
    if not any(Path(".github/workflows").glob("*.y*ml")):
        raise NotRun("there is no workflow")
    command = ["zizmor", "--offline", "--no-progress"]
    # By default, zizmor skips what .gitignore names, and a file that it cannot read.
    command += ["--collect=all", "--strict-collection"]
    command += [".github", *map(str, Path().glob(".pre-commit-config.y*ml"))]
    (sarif,) = write_reports(folder, "sarif", *command, "--format")["runs"]
    return [describe_result(result) for result in sarif["results"]]


SCANS["workflows"] = check_workflows


def main(names: list[str]) -> int:
    """Run the named scans, or all, and return 1 if one failed."""
    check_project()
    unknown = sorted(set(names) - SCANS.keys())
    if unknown:
        known = ", ".join(SCANS)
        sys.exit(f"Unknown scan: {', '.join(unknown)}. Known scans: {known}.")
    # A console that cannot show a character shows its code point.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    is_failure = False
    note = "what it does, or why it did not run"
    table = ROW.format("tool", "result", "seconds", note)
    table += ROW.format("---", "---", "---", "---")
    for name in names or SCANS:
        started_at = time.monotonic()
        outcome = run_scan(name)
        seconds = f"{time.monotonic() - started_at:.0f}"
        table += ROW.format(name, outcome.result, seconds, outcome.note)
        is_failure |= outcome.is_failure()
    (REPORTS / "summary.md").write_text(f"### Scans\n\n{table}\n", encoding="utf-8")
    print(f"\n{table}", end="")
    return int(is_failure)


def run_scan(name: str) -> Outcome:
    print(f"== {name}", flush=True)
    folder = REPORTS / name
    # Without this, an old report could pass as a new one.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    scan = SCANS[name]
    result = "passed"
    try:
        findings = scan(folder)
        note = str(scan.__doc__)
    except PartlyRun as reason:
        findings = reason.findings
        note = str(reason)
        result = "not run"
    except NotRun as reason:
        return Outcome("not run", describe_note(reason))
    except Exception as error:
        # A report in an unexpected form shows nothing, so the scan must not pass.
        return Outcome("not run", describe_note(f"{type(error).__name__}: {error}"))
    # A finding has texts of files and of databases.
    sys.stdout.writelines(f"{printable(line, MAX_LINE)}\n" for line in findings)
    if findings:
        result = f"found {len(findings)}"
    return Outcome(result, describe_note(note))


def describe_note(note: object) -> str:
    """Return a note for a table in Markdown, which GitHub shows as HTML."""
    return printable(note, MAX_LINE).replace("|", "\\|").replace("<", "&lt;")
