"""Find vulnerabilities in the workflows with zizmor, such as unpinned actions or a token with too many permissions."""

import json
from pathlib import Path

from scripts.scans import NotRun, expect, run


def scan(reports: Path) -> list[str]:
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
