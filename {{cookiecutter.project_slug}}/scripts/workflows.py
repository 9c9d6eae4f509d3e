"""Find vulnerabilities in the workflows with zizmor, such as an unpinned action or a token with too many rights."""

import json
from pathlib import Path

from scripts.scans import expect, run


def scan(reports: Path) -> list[str]:
    # Without --strict-collection, zizmor skips a file that it cannot read.
    done = run("zizmor", "--offline", "--no-progress", "--strict-collection", "--format", "sarif", ".")
    sarif = expect(done, 0)
    (reports / "workflows.sarif").write_text(sarif, encoding="utf-8")
    (result,) = json.loads(sarif)["runs"]
    return [
        "{artifactLocation[uri]}:{region[startLine]}: ".format_map(found["locations"][0]["physicalLocation"])
        + f"{found['ruleId']}: {found['message']['text']}"
        for found in result["results"]
    ]
