"""uv audit: known vulnerabilities of the locked packages, by their names on the package index (OSV)."""

import json
import os
from pathlib import Path

from scripts.scan import NotRun, expect, reach, run

# OSV_URL names a mirror.
OSV = os.environ.get("OSV_URL") or "https://api.osv.dev/"


def scan(reports: Path) -> list[str]:
    reach(OSV)
    for kind in ("sarif", "json"):
        done = run("uv", "audit", "--frozen", "--service-url", OSV, "--output-format", kind, UV_HTTP_RETRIES="1")
        expect(done, 0, *([1] if done.stdout else []))  # without a report, 1 is an error
        (reports / f"audit.{kind}").write_text(done.stdout, encoding="utf-8")
    report = json.loads(done.stdout)
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
