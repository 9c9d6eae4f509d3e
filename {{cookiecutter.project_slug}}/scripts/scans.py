"""Every scan with a tool of this project, and what all scans share: running a tool, saying that it could not look."""

import json
import os
import shutil
import subprocess
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

# OSV_URL names a mirror.
OSV = os.environ.get("OSV_URL") or "https://api.osv.dev/"
BANDIT = ("bandit", "--quiet", "-c", "pyproject.toml", "-r", ".")
ROTATED = Path("scripts/leaks-rotated.txt")


class NotRun(Exception):
    """Says why a tool could not look: no failure for a person without network or Docker, always one in CI."""


def run(*command: str, capture: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a tool to its end, whatever its exit code; those who call know what the code means."""
    program = shutil.which(command[0])  # finds the .bat and .cmd of Windows too
    if program is None:
        raise NotRun(f"{command[0]} is not installed")
    return subprocess.run(  # noqa: S603 - no shell, and every argument is ours
        [program, *command[1:]],
        env=os.environ | environment,
        capture_output=capture,
        encoding="utf-8",
        errors="replace",
    )


def expect(done: subprocess.CompletedProcess[str], *codes: int) -> str:
    """Returns what a tool wrote; raises unless the exit code is one by which it says that it did its work."""
    if done.returncode not in codes:
        lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith(("error", "fatal"))]
        raise NotRun(f"exit code {done.returncode}: {(errors or lines or ['no output'])[-1]}")
    return done.stdout


def reach(url: str) -> None:
    """Raises within seconds when a source of data is out of reach, where the tools would try for minutes."""
    try:
        # Fixed addresses, or a mirror that the environment names.
        urllib.request.urlopen(url, timeout=10).close()  # noqa: S310  # nosec B310
    except urllib.error.HTTPError:
        return  # an answer, if not a page
    except OSError as error:
        raise NotRun(f"{url.split('/')[2]} is out of reach") from error


def bandit(reports: Path) -> list[str]:
    """Insecure calls in this project's own code. Red from medium severity on; the reports hold everything."""
    for kind in ("html", "sarif", "json"):
        expect(run(*BANDIT, "--exit-zero", "-f", kind, "-o", str(reports / f"bandit.{kind}")), 0)
    gate = run(*BANDIT, "-ll", "-f", "custom", "--msg-template", "{relpath}:{line}: {test_id} {msg}")
    found = expect(gate, 0, 1).splitlines()
    # What it did not look at: without this, it is green.
    report = json.loads((reports / "bandit.json").read_text(encoding="utf-8"))
    found += [f"{error['filename']}: not scanned, {error['reason']}" for error in report["errors"]]
    if not any(metrics["loc"] for metrics in report["metrics"].values()):
        found.append(".: no line of code was scanned")
    # Bandit takes a pattern without * for a part of a path: "tests" leaves out contests/ as well.
    excluded = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["bandit"]["exclude_dirs"]
    advice = 'pyproject.toml: exclude_dirs: write "*/{0}/*", not "{0}"'
    return found + [advice.format(path) for path in excluded if "*" not in path]


def leaks(reports: Path) -> list[str]:
    """Kingfisher: secrets in any commit of the history. What was ever pushed is known: rotate it first."""
    repository = expect(run("git", "rev-parse", "--git-common-dir"), 0).strip()
    for kind in ("html", "sarif", "json"):
        done = run(
            # What was committed, and nothing else: .env is where secrets belong, and .git holds CI's passing token.
            *("kingfisher", "scan", repository, "--exclude", f"{repository}/*", "--rules-path", "scripts/leaks.yml"),
            # A secret that is found goes nowhere: not into the reports, and not to a service that could check it.
            *("--redact", "--no-validate", "--no-update-check"),
            *("--format", kind, "--output", str(reports / f"leaks.{kind}")),
        )
        expect(done, 0, 200)
    report = json.loads((reports / "leaks.json").read_text(encoding="utf-8"))
    (audited,) = report["audit"]["repositories"]
    if audited["git"]["shallow"]:
        raise NotRun("a shallow clone lacks the history: git fetch --unshallow")
    if audited["scan"]["status"] != "completed" or not audited["git"]["fetched_commit_count"]:
        raise NotRun("no commit was scanned")
    # History stays as it is, so a secret that was rotated is listed; its number is the same wherever it stands.
    rotated = {line.split()[0] for line in ROTATED.read_text(encoding="utf-8").splitlines() if line.strip()}
    return [
        "{path}:{line}: {rule} in commit {commit:.10} ({fingerprint})".format(
            **found, rule=match["rule"]["name"], commit=found["git_metadata"]["commit"]["id"]
        )
        for match in report["findings"]
        if (found := match["finding"])["fingerprint"] not in rotated
    ]


def audit(reports: Path) -> list[str]:
    """uv: known vulnerabilities of the locked packages, by their names on the package index (OSV)."""
    reach(OSV)
    for kind in ("sarif", "json"):
        done = run("uv", "audit", "--frozen", "--service-url", OSV, "--output-format", kind, UV_HTTP_RETRIES="1")
        text = expect(done, 0, *([1] if done.stdout else []))  # without a report, 1 is an error
        (reports / f"audit.{kind}").write_text(text, encoding="utf-8")
    report = json.loads(text)
    if not report["summary"]["audited_packages"]:
        raise NotRun("uv audited no package")
    found = [
        "uv.lock: {dependency[name]} {dependency[version]}: {id} {summary}, fixed in {fixed}".format_map(
            vulnerability | {"fixed": ", ".join(vulnerability["fix_versions"]) or "no release"}
        )
        for vulnerability in report["vulnerabilities"]
    ]
    # Packages that the index calls archived, deprecated or quarantined.
    return found + [f"uv.lock: {status}" for status in report["adverse_statuses"]]


def sbom(reports: Path) -> list[str]:
    """The bill of materials: every package that this project runs on, as CycloneDX."""
    bill = reports / "sbom.cdx.json"
    expect(run("uv", "export", "--quiet", "--frozen", "--no-dev", "--format", "cyclonedx1.5", "-o", str(bill)), 0)
    if not json.loads(bill.read_text(encoding="utf-8")).get("components"):
        raise NotRun("uv listed no package")
    return []
