"""Find vulnerabilities in the workflows with zizmor, such as unpinned actions or a token with too many permissions."""

import json
from pathlib import Path

from scripts.scans import expect, run


def scan(reports: Path) -> list[str]:
    # Without --strict-collection, zizmor skips a file that it cannot read.
    done = run("zizmor", "--offline", "--no-progress", "--strict-collection", "--format", "sarif", ".")
    sarif = expect(done, 0)
    (reports / "workflows.sarif").write_text(sarif, encoding="utf-8")
    (result,) = json.loads(sarif)["runs"]
    line = "{place[artifactLocation][uri]}:{place[region][startLine]}: {ruleId}: {message[text]}"
    return [line.format(**found, place=found["locations"][0]["physicalLocation"]) for found in result["results"]]
