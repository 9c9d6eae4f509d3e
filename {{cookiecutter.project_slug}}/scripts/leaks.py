"""Kingfisher: secrets in any commit of the history. What was ever pushed is known: rotate it first."""

import json
from pathlib import Path

from scripts.scan import NotRun, expect, run

ROTATED = Path("scripts/leaks-rotated.txt")


def scan(reports: Path) -> list[str]:
    asked = run("git", "rev-parse", "--git-common-dir")
    expect(asked, 0)
    repository = asked.stdout.strip()
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
