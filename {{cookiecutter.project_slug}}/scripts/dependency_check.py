"""OWASP Dependency-Check: known vulnerabilities of the packages that this project runs on. Red from CVSS 7 on."""

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
# The tool's own copy of the NVD, which asks for no key.
FEED = "https://dependency-check.github.io/DependencyCheck_Builder/nvd_cache/nvdcve-{0}.json.gz"
API = "https://services.nvd.nist.gov/"
LIMIT = 7
VULNERABLE = 15
# Every other code but 0 means that it could not tell.
REASONS = {
    13: "no vulnerability data: see its messages above; try again, or set NVD_API_KEY",
    14: "a source could not be brought up to date: see its messages above, and try again",
    125: "Docker did not start it: is Docker running, and can it load the image?",
}


def scan(reports: Path) -> list[str]:
    tool = shutil.which("dependency-check") or shutil.which("docker")
    if tool is None:
        raise NotRun("needs Docker, or dependency-check on the path")
    # NVD_DATAFEED_URL names a mirror, such as https://mirror.example/nvdcve-{0}.json.gz
    mirror, key = os.environ.get("NVD_DATAFEED_URL"), os.environ.get("NVD_API_KEY")
    reach(API if key and not mirror else (mirror or FEED).replace("{0}", "modified"))
    requirements = reports / "packages" / "requirements.txt"  # the only name that it reads, alone in its folder
    requirements.parent.mkdir()
    requirements.write_text(locked_packages(), encoding="utf-8")
    DATA.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as private:
        command, private_inside = [tool], private
        if Path(tool).stem == "docker":
            command, private_inside = container(tool, reports, private), "/src/private"
        source = ["--nvdDatafeed", mirror or FEED]
        if key and not mirror:
            # On the command line every process of the machine could read the key.
            Path(private, "nvd.properties").write_text(f"nvd.api.key={key}\n", encoding="utf-8")
            source = ["--propertyfile", f"{private_inside}/nvd.properties"]
        code = run(
            *(*command, "--project", Path.cwd().name, "--scan", requirements.parent.as_posix(), "--enableExperimental"),
            *("--data", DATA.as_posix(), "--suppression", f"{CONFIGURATION.as_posix()}/suppressions.xml"),
            *("--out", reports.as_posix(), "--format", "HTML", "--format", "SARIF", "--format", "JSON"),
            # % if cookiecutter.ci_scanning == "gitlab"
            *("--format", "GITLAB"),
            # % endif
            # They need an account, or say nothing of Python.
            *("--disableOssIndex", "--disableRetireJS", "--disableKnownExploited"),
            *("--failOnCVSS", str(LIMIT), *source),
            capture=False,
        ).returncode
    report = reports / "dependency-check-report.json"
    # Read it whatever the code: after a failed update it answers 14 even where it found something.
    found = vulnerabilities(json.loads(report.read_text(encoding="utf-8"))) if report.exists() else []
    if code == VULNERABLE:
        return found or ["uv.lock: a vulnerability without a score: see the report"]
    if found or (code == 0 and report.exists()):
        return found
    raise NotRun(REASONS.get(code, f"exit code {code}: see its messages above"))


def locked_packages() -> str:
    """Returns the packages in the one form that the tool's parser reads whole: lines of `name==1.2.3`."""
    options = ("--frozen", "--no-dev", "--no-hashes", "--no-annotate", "--no-header", "--no-emit-project")
    export = expect(run("uv", "export", "--quiet", *options), 0)
    lines = [line.partition(";")[0].strip() for line in export.splitlines()]
    # Digits and dots are a version to it, and to the CVEs: of 2.9.0.post0 it is told 2.9.0.
    packages = [re.match(r"([\w.-]+)==(?:\d+!)?(\d+(?:\.\d+)*)", line) for line in lines]
    if not packages or None in packages:
        raise NotRun(f"uv exported what is no name==version: {lines}")
    return "".join(f"{package[1]}=={package[2]}\n" for package in packages if package)


def container(docker: str, reports: Path, private: str) -> list[str]:
    """Returns the command for the pinned image, which sees these folders and nothing else of the machine."""
    image = (CONFIGURATION / "Dockerfile").read_text(encoding="utf-8").split()[-1]
    mounts = [f"{path.resolve()}:/src/{path.as_posix()}" for path in (reports, DATA)]
    mounts += [f"{CONFIGURATION.resolve()}:/src/{CONFIGURATION.as_posix()}:ro", f"{private}:/src/private:ro"]
    command = [docker, "run", "--rm", *(f"--volume={mount}" for mount in mounts)]
    if sys.platform != "win32":
        command.append(f"--user={os.getuid()}:{os.getgid()}")
    return [*command, image]


def vulnerabilities(report: dict[str, Any]) -> list[str]:
    """Returns those at or above the limit; a report on no package at all is none."""
    dependencies = report["dependencies"]
    if not any("@" in package["id"] for dependency in dependencies for package in dependency.get("packages", [])):
        raise NotRun("it read no package")
    found = []
    for dependency in dependencies:
        for vulnerability in dependency.get("vulnerabilities", []):
            scores = ("cvssv2", "score"), ("cvssv3", "baseScore"), ("cvssv4", "baseScore")
            score = max(float(vulnerability.get(version, {}).get(name, 0)) for version, name in scores)
            if score >= LIMIT:
                found.append(f"uv.lock: {dependency['fileName']}: {vulnerability['name']}, CVSS {score}")
    return found
