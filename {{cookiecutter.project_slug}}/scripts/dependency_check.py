"""Run OWASP Dependency-Check on the locked packages; a known vulnerability fails from CVSS 7 on.

The NVD analyzes only a part of the new CVEs, so this is a second look after `audit`.
"""

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from scripts.scans import NotRun, expect, reach, run

CONFIGURATION = Path("scripts/dependency-check")
DATA = Path(".dependency_check_cache")
# Dependency-Check's own copy of the NVD, which needs no key.
FEED = "https://dependency-check.github.io/DependencyCheck_Builder/nvd_cache/nvdcve-{0}.json.gz"
API = "https://services.nvd.nist.gov/"
LIMIT = 7
# Exit codes of an incomplete scan.
REASONS = {
    13: "no vulnerability data: see its messages above; try again, or set NVD_API_KEY",
    14: "a data source could not be updated: see its messages above, and try again",
    125: "Docker did not start it: is Docker running, and can it load the image?",
}


def scan(reports: Path) -> list[str]:
    tool = shutil.which("dependency-check") or shutil.which("docker")
    if tool is None:
        raise NotRun("needs Docker, or dependency-check on the path")
    # NVD_DATAFEED_URL names a mirror, such as https://mirror.example/nvdcve-{0}.json.gz
    mirror = os.environ.get("NVD_DATAFEED_URL")
    key = "" if mirror else os.environ.get("NVD_API_KEY", "")
    reach(API if key else (mirror or FEED).replace("{0}", "modified"))
    (reports / "packages").mkdir()
    # The only file name that Dependency-Check reads, alone in its folder.
    (reports / "packages" / "requirements.txt").write_text(locked_packages(), encoding="utf-8")
    DATA.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as private:
        in_docker = Path(tool).stem == "docker"
        command = container(tool, reports, private) if in_docker else [tool]
        source = ["--nvdDatafeed", mirror or FEED]
        if key:
            # The API often fails to deliver the whole NVD: the feed comes first, and the API brings what is newer.
            run(*command, *options(reports), *source, "--updateonly", capture=False)
            # Every process on the machine could read the key on the command line.
            Path(private, "nvd.properties").write_text(f"nvd.api.key={key}\n", encoding="utf-8")
            properties = f"{'/src/private' if in_docker else private}/nvd.properties"
            source = ["--propertyfile", properties, "--nvdValidForHours", "0"]
        code = run(*command, *options(reports), *source, capture=False).returncode
    report = reports / "dependency-check-report.json"
    # It counts whatever the code: after a failed update the code is 14 even when vulnerabilities were found.
    found = vulnerabilities(json.loads(report.read_text(encoding="utf-8"))) if report.exists() else []
    if code == 15:  # --failOnCVSS
        return found or ["uv.lock: a vulnerability without a score: see the report"]
    if found or (code == 0 and report.exists()):
        return found
    raise NotRun(REASONS.get(code, f"exit code {code}: see its messages above"))


def locked_packages() -> str:
    """Return the packages as lines of `name==1.2.3`, the only form that Dependency-Check reads completely."""
    options = ("--no-hashes", "--no-annotate", "--no-header", "--no-emit-project")
    export = expect(run("uv", "export", "--quiet", "--frozen", "--no-dev", "--all-extras", *options), 0)
    lines = [line.partition(";")[0].strip() for line in export.splitlines()]
    # Dependency-Check and the CVEs know versions of digits and dots: 2.9.0.post0 becomes 2.9.0.
    packages = [re.match(r"([\w.-]+)==(?:\d+!)?(\d+(?:\.\d+)*)", line) for line in lines]
    unread = [line for line, package in zip(lines, packages, strict=True) if not package]
    if unread or not packages:
        raise NotRun(f"uv exported no package, or lines that are not name==version: {unread}")
    return "".join(f"{package[1]}=={package[2]}\n" for package in packages if package)


def container(docker: str, reports: Path, private: str) -> list[str]:
    """Return the command that runs the pinned image with access to four folders of this machine."""
    image = (CONFIGURATION / "Dockerfile").read_text(encoding="utf-8").split()[-1]
    mounts = [f"{path.resolve()}:/src/{path.as_posix()}" for path in (reports, DATA)]
    mounts += [f"{CONFIGURATION.resolve()}:/src/{CONFIGURATION.as_posix()}:ro", f"{private}:/src/private:ro"]
    user = [] if sys.platform == "win32" else [f"--user={os.getuid()}:{os.getgid()}"]
    return [docker, "run", "--rm", *(f"--volume={mount}" for mount in mounts), *user, image]


def options(reports: Path) -> list[str]:
    return [
        *("--project", Path.cwd().name, "--scan", f"{reports.as_posix()}/packages", "--enableExperimental"),
        *("--data", DATA.as_posix(), "--suppression", f"{CONFIGURATION.as_posix()}/suppressions.xml"),
        *("--out", reports.as_posix(), "--format", "HTML", "--format", "SARIF", "--format", "JSON"),
        # % if cookiecutter.ci_scanning == "gitlab"
        *("--format", "GITLAB"),
        # % endif
        # These analyzers need an account or do not cover Python.
        *("--disableOssIndex", "--disableRetireJS", "--disableKnownExploited", "--failOnCVSS", str(LIMIT)),
    ]


def vulnerabilities(report: dict[str, Any]) -> list[str]:
    """Return the vulnerabilities at or above the limit; raise NotRun if the report covers no package."""
    dependencies = report["dependencies"]
    if not any("@" in package["id"] for dependency in dependencies for package in dependency.get("packages", [])):
        raise NotRun("it read no package")
    known = [(it["fileName"], found) for it in dependencies for found in it.get("vulnerabilities", [])]
    scores = [(f"{file}: {found['name']}", score(found)) for file, found in known]
    return [f"uv.lock: {name}, CVSS {cvss}" for name, cvss in scores if cvss >= LIMIT]


def score(vulnerability: dict[str, Any]) -> float:
    fields = ("cvssv2", "score"), ("cvssv3", "baseScore"), ("cvssv4", "baseScore")
    return max(float(vulnerability.get(version, {}).get(field, 0)) for version, field in fields)
