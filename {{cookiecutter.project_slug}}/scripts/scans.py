import json
import os
import shutil
import subprocess
import tomllib
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

OSV = os.environ.get("OSV_URL") or "https://api.osv.dev/"  # OSV_URL names a mirror
ROTATED = Path("scripts/leaks-rotated.txt")


class NotRun(Exception):
    """The reason why a scan did not run: a failure in CI, a note on a machine without network or Docker."""


def run(*command: str, capture: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end; the caller interprets the exit code."""
    program = shutil.which(command[0])  # finds the .bat and .cmd of Windows too
    if program is None:
        raise NotRun(f"{command[0]} is not installed")
    return subprocess.run(  # noqa: S603 - no shell, and all arguments come from this project
        [program, *command[1:]],
        env=os.environ | {"PYTHONIOENCODING": "utf-8"} | environment,
        capture_output=capture,
        encoding="utf-8",
        errors="replace",
    )


def expect(done: subprocess.CompletedProcess[str], *codes: int) -> str:
    """Return the tool's output; raise NotRun with its last error unless the exit code is one of `codes`."""
    if done.returncode not in codes:
        lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith(("error", "fatal"))]
        raise NotRun(f"exit code {done.returncode}: {(errors or lines or ['no output'])[-1]}")
    return done.stdout


def table(lines: Sequence[tuple[str, ...]]) -> str:
    """Return lines of cells as a table in Markdown."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join("| " + " | ".join(map(str.ljust, line, widths)) + " |\n" for line in lines)


def reach(url: str) -> None:
    """Raise NotRun within seconds if a data source cannot be reached; the tools would retry for minutes."""
    try:
        # A fixed URL, or a mirror from the environment.
        urllib.request.urlopen(url, timeout=10).close()  # noqa: S310  # nosec B310
    except urllib.error.HTTPError:
        return  # the server answered
    except OSError as error:
        raise NotRun(f"{url.split('/')[2]} cannot be reached") from error


def bandit(reports: Path) -> list[str]:
    """Find insecure calls in this project's own code, from medium severity on; the reports list all of them."""
    # Bandit's own list of excluded folders matches anywhere in a path: CVS excludes core/CVSS.py.
    command = ("bandit", "--quiet", "--exit-zero", "-c", "pyproject.toml", "--exclude", "*/.git/*", "-r", ".")
    for kind in ("html", "sarif", "json"):
        expect(run(*command, "-f", kind, "-o", str(reports / f"bandit.{kind}")), 0)
    report = json.loads((reports / "bandit.json").read_text(encoding="utf-8"))
    line = "{filename}:{line_number}: {test_id} {issue_text}"
    found = [line.format_map(issue) for issue in report["results"] if issue["issue_severity"] != "LOW"]
    # Bandit itself passes when it could not read a file.
    found += [f"{error['filename']}: not scanned, {error['reason']}" for error in report["errors"]]
    if not any(metrics["loc"] for metrics in report["metrics"].values()):
        found.append(".: no line of code was scanned")
    # Bandit matches a pattern without * anywhere in a path: "tests" excludes contests/ too.
    excluded = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["bandit"]["exclude_dirs"]
    return found + [f'pyproject.toml: exclude_dirs: write "*/{it}/*", not "{it}"' for it in excluded if "*" not in it]


def leaks(reports: Path) -> list[str]:
    """Find secrets in any commit of the history with Kingfisher. A secret that was pushed must be rotated."""
    git = run("git", "rev-parse", "--git-common-dir")
    if "safe.directory" in git.stderr:
        raise NotRun(f"the repository belongs to another user: run {git.stderr.splitlines()[-1].strip()}")
    if git.returncode:
        raise NotRun("needs a Git repository: run git init, and commit")
    repository = git.stdout.strip()
    # Only commits: secrets belong in .env, and .git holds CI's short-lived token.
    scan = ("kingfisher", "scan", repository, "--exclude", f"{repository}/*", "--rules-path", "scripts/leaks.yml")
    # A found secret must reach neither the reports nor a service that could check it.
    private = ("--redact", "--no-validate", "--no-update-check")
    for kind in ("html", "sarif", "json"):
        expect(run(*scan, *private, "--format", kind, "--output", str(reports / f"leaks.{kind}")), 0, 200)
    report = json.loads((reports / "leaks.json").read_text(encoding="utf-8"))
    (audited,) = report["audit"]["repositories"]
    if audited["git"]["shallow"]:
        raise NotRun("a shallow clone lacks the history: run git fetch --unshallow")
    if audited["scan"]["status"] != "completed" or not audited["git"]["fetched_commit_count"]:
        raise NotRun("no commit was scanned: it looks only at commits")
    # Kingfisher passes over an object that a partial clone lacks.
    objects = expect(run("git", "rev-list", "--all", "--objects", "--missing=print"), 0)
    if any(line.startswith("?") for line in objects.splitlines()):
        raise NotRun("a partial clone lacks a part of the history: clone without --filter")
    # The history keeps a rotated secret. Its fingerprint is the same in every file and commit.
    rotated = {line.split()[0] for line in ROTATED.read_text(encoding="utf-8").splitlines() if line.strip()}
    line = "{path}:{line}: {rule} in commit {git_metadata[commit][id]:.10} ({fingerprint})"
    found = [match["finding"] | {"rule": match["rule"]["name"]} for match in report["findings"]]
    return [line.format_map(finding) for finding in found if finding["fingerprint"] not in rotated]


def audit(reports: Path) -> list[str]:
    """Find known vulnerabilities (OSV) of the locked packages with uv."""
    reach(OSV)
    for kind in ("sarif", "json"):
        done = run("uv", "audit", "--frozen", "--service-url", OSV, "--output-format", kind, UV_HTTP_RETRIES="1")
        text = expect(done, 0, *([1] if done.stdout else []))  # 1 without a report is an error
        (reports / f"audit.{kind}").write_text(text, encoding="utf-8")
    report = json.loads(text)
    if not report["summary"]["audited_packages"]:
        raise NotRun("uv audited no package")
    line = "uv.lock: {dependency[name]} {dependency[version]}: {id} {summary}, fixed in {fixed}"
    known = [it | {"fixed": ", ".join(it["fix_versions"]) or "no release"} for it in report["vulnerabilities"]]
    # Packages that the index lists as archived, deprecated or quarantined.
    return [*map(line.format_map, known), *(f"uv.lock: {status}" for status in report["adverse_statuses"])]


# % if cookiecutter.ci_scanning == "github"
def workflows(reports: Path) -> list[str]:
    """Find vulnerabilities in the workflows with zizmor, such as unpinned actions or excessive permissions."""
    # Without --strict-collection, zizmor skips a file that it cannot read.
    done = run("zizmor", "--offline", "--no-progress", "--strict-collection", "--format", "sarif", ".")
    sarif = expect(done, 0)
    # It also passes over what .gitignore names. Its log lists what it read.
    files = [path.as_posix() for path in Path(".github/workflows").glob("*.y*ml")]
    unread = [file for file in files if file not in done.stderr.replace("\\", "/")]
    if unread or not files:
        raise NotRun(f"zizmor did not read {', '.join(unread) or 'any workflow'}")
    (reports / "workflows.sarif").write_text(sarif, encoding="utf-8")
    (result,) = json.loads(sarif)["runs"]
    line = "{place[artifactLocation][uri]}:{place[region][startLine]}: {ruleId}: {message[text]}"
    return [line.format(**found, place=found["locations"][0]["physicalLocation"]) for found in result["results"]]


# % endif
def sbom(reports: Path) -> list[str]:
    """Write the SBOM: every package that this project runs on, in CycloneDX format."""
    bill = reports / "sbom.cdx.json"
    options = ("--frozen", "--no-dev", "--all-extras", "--format", "cyclonedx1.5")
    expect(run("uv", "export", "--quiet", *options, "-o", str(bill)), 0)
    if not json.loads(bill.read_text(encoding="utf-8")).get("components"):
        raise NotRun("uv listed no package")
    return []
