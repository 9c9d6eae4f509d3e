"""zizmor: holes in the workflows, such as an unpinned action or a token that may do too much."""

import json
from pathlib import Path

from scripts.scan import expect, run


def scan(reports: Path) -> list[str]:
    report = reports / "workflows.sarif"
    # Without --strict-collection it passes over a file that it cannot read.
    done = run("zizmor", "--offline", "--no-progress", "--strict-collection", "--format", "sarif", ".")
    expect(done, 0)
    report.write_text(done.stdout, encoding="utf-8")
    (result,) = json.loads(done.stdout)["runs"]
    return [
        "{artifactLocation[uri]}:{region[startLine]}: ".format_map(found["locations"][0]["physicalLocation"])
        + f"{found['ruleId']}: {found['message']['text']}"
        for found in result["results"]
    ]
